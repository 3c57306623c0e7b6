import { ikada } from "#proto/api.js";

/** What became of one object of a collection. */
export interface DeleteOutcome {
  /** Its namespace. */
  readonly namespace: string;
  /** Its name. */
  readonly name: string;
  /** Its uid, so that it is not taken for another one of its name. */
  readonly uid: string;
  /** `removed`: it is gone. `terminating`: finalizers or its node have work to do. `kept`: for `reason`. */
  readonly state: "removed" | "terminating" | "kept";
  /** Why it was kept, a sentence; empty otherwise. */
  readonly reason: string;
}

/** One change of one object. */
export interface Change {
  /** What happened to it. */
  readonly type: "created" | "changed" | "deleted";
  /** At which it happened. */
  readonly revision: number;
  /** Of the object then; another one had the name before. */
  readonly uid: string;
  /** RFC 3339, by the clock of the server that proposed it; empty when it is not known. */
  readonly time: string;
  /** Who asked: `admin:alice`, or a controller; empty when it is not known. */
  readonly origin: string;
  /** Field managers; none for controllers, and for a manager's second change within a second. */
  readonly writers: readonly { readonly manager: string; readonly operation: string; readonly subresource: string }[];
  /** Paths as in `spec.replicas`, of what was changed; empty also when the state before is not kept. */
  readonly added: readonly string[];
  /** As `added`, of what got another value. */
  readonly modified: readonly string[];
  /** As `added`, of what went. */
  readonly removed: readonly string[];
  /** How many fields more than are listed. */
  readonly moreFields: number;
}

const changeTypes = ["changed", "created", "changed", "deleted"] as const;

export function changeFromWire(change: ikada.api.v1.IChange): Change {
  return {
    type: changeTypes[change.type ?? 0] ?? "changed",
    revision: change.revision ?? 0,
    uid: change.uid ?? "",
    time: change.time ?? "",
    origin: change.origin ?? "",
    writers: (change.writers ?? []).map(({ manager, operation, subresource }) => ({
      manager: manager ?? "",
      operation: operation ?? "",
      subresource: subresource ?? "",
    })),
    added: change.added ?? [],
    modified: change.modified ?? [],
    removed: change.removed ?? [],
    moreFields: change.moreFields ?? 0,
  };
}

const { REMOVED, TERMINATING } = ikada.api.v1.DeleteOutcome.State;

export function outcomeFromWire(outcome: ikada.api.v1.IDeleteOutcome): DeleteOutcome {
  const { namespace = "", name = "", uid = "", state, reason = "" } = outcome;
  const known = state === REMOVED ? "removed" : state === TERMINATING ? "terminating" : "kept";
  return { namespace: namespace ?? "", name: name ?? "", uid: uid ?? "", state: known, reason: reason ?? "" };
}

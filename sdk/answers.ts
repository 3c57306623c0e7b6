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

/** Why an object is as it is, by the rules that hold now. */
export interface Explanation {
  /** One sentence. */
  readonly verdict: string;
  /** What decided, part by part: of a Pod, what each node says. */
  readonly tables: readonly ExplanationTable[];
  /** What can be done about it, a sentence each. */
  readonly hints: readonly string[];
  /** Of the state that was looked at. */
  readonly revision: number;
}

/** One part of an explanation, for printing. */
export interface ExplanationTable {
  /** What it shows. */
  readonly title: string;
  /** Names of its columns. */
  readonly columns: readonly string[];
  /** One text for each column. */
  readonly rows: readonly (readonly string[])[];
  /** How many rows there are more. */
  readonly leftOff: number;
}

export function explanationFromWire(answer: ikada.api.v1.ExplainResponse): Explanation {
  const { verdict, hints, revision } = answer;
  const tables = answer.tables.map(({ title, columns, rows, leftOff }) => ({
    title: title ?? "",
    columns: columns ?? [],
    rows: (rows ?? []).map(({ cells }) => cells ?? []),
    leftOff: leftOff ?? 0,
  }));
  return { verdict, hints, revision, tables };
}

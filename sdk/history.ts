import type { ikada } from "#proto/api.js";

/** One change of one object. */
export interface Change {
  readonly type: "created" | "changed" | "deleted";
  readonly revision: number;
  readonly uid: string;
  /** RFC 3339, by the clock of the server that proposed it; empty when it is not known. */
  readonly time: string;
  /** Who asked: `admin:alice`, or a controller; empty when it is not known. */
  readonly origin: string;
  /** Field managers; none for controllers, and for a manager's second change within a second. */
  readonly writers: readonly { readonly manager: string; readonly operation: string; readonly subresource: string }[];
  /** Paths as in `spec.replicas`, of what was changed; empty also when the state before is not kept. */
  readonly added: readonly string[];
  readonly modified: readonly string[];
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

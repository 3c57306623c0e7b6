import type { Index, Term } from "../core/types.js";

/** A place in the log of which no more is known than which entry stands there. (0, 0) is in front of the first one. */
export interface LogPoint {
  readonly index: Index;
  readonly term: Term;
}

/** Where a log may begin: a committed entry, and the configuration (its bytes) with the changes up to there. */
export interface SnapshotPoint extends LogPoint {
  readonly configuration: Uint8Array;
}

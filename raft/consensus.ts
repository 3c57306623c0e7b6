import type { ConfChange } from "./core/configuration.js";
import type { ConfState, Entry, Index, NodeId, Role, Term } from "./core/types.js";
import type { WrittenSnapshot } from "./snapshot/file-writer.js";

/**
 * Consensus as the state machine's side sees it. Implemented by the handle of the worker thread
 * (raft/worker) in production and directly by the driver (raft/driver.ts) in the simulator.
 * No call waits; answers come through the handlers, in commit order.
 */
export interface Consensus {
  /** Proposes one entry. `tag` is the caller's and comes back only in `onRefused`; a lost proposal gives no answer, so callers set deadlines. */
  propose(tag: number, data: Uint8Array): void;
  /** Asks for an index at which local reads are linearizable; answered by `onReadIndex` or `onRefused` (thesis 6.4). */
  readIndex(tag: number): void;
  /** Tells how far the state machine has applied, and how far it is durable without the log. */
  applied(index: Index, durable: Index): void;
  /** Hands leadership over to a voter, or with 0 to whichever is furthest. Nothing happens when this member does not lead or the other is out of reach. */
  transferLeadership(to: NodeId): void;
  /** Answers `onSnapshotWanted`, once for each: the file with all rows, or undefined when it could not be made. */
  snapshotTaken(written: WrittenSnapshot | undefined): void;
  /**
   * Proposes a change of the members, on the leader only; answered by `onMembersChanged` or `onRefused`, or, as a lost
   * proposal, not at all: whoever repeats it looks first whether the configuration is the wanted one already.
   * `asOf`: refused as `MembersChanged` when the members have changed behind this entry, so that a question which comes late undoes nothing.
   */
  changeMembers(tag: number, change: ConfChange, asOf?: Index): void;
}

/** How a snapshot is to be written. */
export interface SnapshotRequest {
  /** Names the cluster in the file's header. */
  readonly cluster: number;
  /** Rows are put together up to this size. The same on all members, or equal states have different digests. */
  readonly chunkBytes: number;
  readonly bytesPerSecond: number;
}

/** A complete file, durable on this member, that is to become the state. */
export interface ReceivedSnapshot {
  readonly index: Index;
  readonly term: Term;
  readonly path: string;
  readonly cluster: number;
}

/**
 * Stable. `DiskFull`: that of this replica. `NoLeader`: for a change of the members, that this member does not lead, or is handing
 * over. `ChangePending`: an earlier change is not through. `InvalidChange`: it makes no sense in the present configuration.
 * `MembersChanged`: the present configuration is newer than the one it was meant for.
 */
export type RefusedReason =
  | "NoLeader"
  | "Overloaded"
  | "TooLarge"
  | "DiskFull"
  | "ChangePending"
  | "InvalidChange"
  | "MembersChanged";

export interface ConsensusHandlers {
  /** Committed entries in order, without gaps, each at least once; after a restart from `appliedIndex + 1` on. */
  onCommitted(entries: readonly Entry[]): void;
  /** A member needs what the log no longer has: write the state, as it is now, with `SnapshotWriter`. */
  onSnapshotWanted(request: SnapshotRequest): void;
  /** Replace the state by this; entries that follow are behind it. `applied` tells when it is done. */
  onSnapshot(snapshot: ReceivedSnapshot): void;
  onReadIndex(tag: number, index: Index): void;
  /** `retriable` is true when nothing can have been committed under this tag. */
  onRefused(tag: number, reason: RefusedReason, detail?: string): void;
  /** The change is committed and, if it went through a joint configuration, that has been left. */
  onMembersChanged(tag: number, configuration: ConfState): void;
  onStatus(status: ConsensusStatus): void;
  /** The log or the disk under it failed: the process must end, nothing may be answered any more. */
  onFatal(error: Error): void;
}

export interface ConsensusStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly leader: NodeId;
  readonly commit: Index;
  readonly lastIndex: Index;
  readonly durableIndex: Index;
  readonly configuration: ConfState;
  /** Leader only: per member the highest index known to be stored there, and whether it was heard from lately. */
  readonly progress: readonly { readonly id: NodeId; readonly match: Index; readonly active: boolean }[];
}

/**
 * The vocabulary of the consensus core: the terms of the Raft paper (Ongaro & Ousterhout 2014, the
 * thesis 2014) and etcd's names for messages. Terms and indexes are integers below 2^53; index 0 and
 * term 0 mean "none". Node id 0 means "none".
 */
export type NodeId = number;
export type Term = number;
export type Index = number;

export type EntryType = "Normal" | "ConfChange";

export interface Entry {
  readonly term: Term;
  readonly index: Index;
  readonly type: EntryType;
  /** Encoded once at propose time and never changed. Empty for a leader's no-op. */
  readonly data: Uint8Array;
}

/** What must be on disk before a node may answer with it (Figure 2, "persistent state"). */
export interface HardState {
  readonly term: Term;
  readonly vote: NodeId;
  readonly commit: Index;
}

export type Role = "Follower" | "PreCandidate" | "Candidate" | "Leader";

export interface SoftState {
  readonly role: Role;
  readonly leader: NodeId;
}

/** Members. `outgoing` is non-empty only inside joint consensus (thesis 4.3). */
export interface ConfState {
  readonly voters: readonly NodeId[];
  readonly outgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly learnersNext: readonly NodeId[];
  readonly autoLeave: boolean;
}

/** What a snapshot stands for: the log up to `index`, whose entry had `term`, and the members as of it. */
export interface SnapshotMeta {
  readonly index: Index;
  readonly term: Term;
  readonly configuration: ConfState;
}

export type MessageType =
  | "MsgApp"
  | "MsgAppResp"
  | "MsgVote"
  | "MsgVoteResp"
  | "MsgPreVote"
  | "MsgPreVoteResp"
  | "MsgHeartbeat"
  | "MsgHeartbeatResp"
  | "MsgProp"
  | "MsgReadIndex"
  | "MsgReadIndexResp"
  | "MsgTimeoutNow"
  | "MsgTransferLeader"
  | "MsgSnap";

/**
 * One shape for all messages; a field that a type does not use is 0, false or empty. Messages may be lost, doubled,
 * reordered and delayed without bound. `term` is the sender's, but for pre-votes the term asked for.
 */
export interface Message {
  readonly type: MessageType;
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
  /** MsgApp: term of the entry before `entries`. Votes: term of the candidate's last entry. MsgAppResp reject: term of the hint. Votes' refusals: term of the entry at `commit`. */
  readonly logTerm: Term;
  /** MsgApp: index of the entry before `entries`. Votes: index of the candidate's last entry. MsgAppResp: last index stored, or the refused one. */
  readonly index: Index;
  /** MsgApp: entries from index + 1 on. MsgProp: entries with term 0 and index 0, which the leader fills in. */
  readonly entries: readonly Entry[];
  /**
   * MsgApp: the leader's commit index. MsgHeartbeat: as much of it as the receiver is known to have. MsgAppResp
   * with context 1: how far the log has to grow for its sender to vote again. MsgVoteResp and MsgPreVoteResp reject: the voter's commit index.
   */
  readonly commit: Index;
  readonly reject: boolean;
  /** MsgAppResp reject: the highest index at which the logs may agree, as far as the follower can tell; with context 1: up to where they do. */
  readonly rejectHint: Index;
  /** MsgSnap only: what the receiver's log is to be replaced by. The state itself travels beside; it is there before this message. */
  readonly snapshot: SnapshotMeta | undefined;
  /**
   * Heartbeats and their answers: the position of the read batch. MsgReadIndex and its answer: the follower's number for
   * the read. MsgVote: 1 when the leader asked for the election. MsgAppResp reject: 1 when it answers no append, but
   * tells that the sender is recovering and may lack what it has acknowledged. MsgTransferLeader: who is to take over.
   */
  readonly context: number;
  /**
   * Sent out and carried back. MsgApp, MsgSnap, MsgHeartbeat and their answers: which incarnation of the follower's progress asked
   * (the rejoin bug). MsgReadIndex and its answer: which incarnation of the follower's process asked.
   */
  readonly session: number;
}

export interface ReadState {
  readonly index: Index;
  readonly context: number;
}

/**
 * All that the core wants done, numbered. Taking it is accepting it. The driver does `hardState` and
 * `entries` on disk in order of `number` and reports `persisted(number)`; `messages` may leave at once,
 * `messagesAfterPersist` only after that report; `committedEntries` go to the state machine.
 * `persisted(n)` covers every Ready up to n. A Ready with nothing to write has to be reported too, but not before those
 * in front of it are durable: a duplicate append is answered in such a Ready while its first copy is being written.
 */
export interface Ready {
  readonly number: number;
  readonly softState: SoftState | undefined;
  readonly hardState: HardState | undefined;
  /**
   * The whole log is replaced by this: reset it on disk, behind all earlier writes and before `hardState` and `entries`
   * of the same Ready. The state machine installs it once that is durable, and `applied(snapshot.index)` tells the core.
   */
  readonly snapshot: SnapshotMeta | undefined;
  /** To append; an entry whose index is on disk already replaces it and cuts all behind it. */
  readonly entries: readonly Entry[];
  /** False when losing hardState (only its commit changed), snapshot and entries (none) does no harm. */
  readonly mustSync: boolean;
  readonly messages: readonly Message[];
  readonly messagesAfterPersist: readonly Message[];
  readonly committedEntries: readonly Entry[];
  readonly readStates: readonly ReadState[];
}

/** Synchronous reads of what is stable. The driver keeps the tail in memory, so nothing here waits for a disk. */
export interface RaftStorage {
  /** First index that can be read; everything before is only known by (index - 1, its term). */
  firstIndex(): Index;
  lastIndex(): Index;
  /** Term of an index in [firstIndex - 1, lastIndex]; undefined outside. */
  term(index: Index): Term | undefined;
  /** Entries in [from, to), as many as fit `bytesMax` but at least one. */
  entries(from: Index, to: Index, bytesMax: number): readonly Entry[];
  /**
   * The newest snapshot that can be sent; it reaches at least to `firstIndex() - 1`. Undefined when there is none (yet): the
   * core asks again with the member's next answer to a heartbeat.
   */
  snapshot(): SnapshotMeta | undefined;
}

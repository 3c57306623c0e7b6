/**
 * What the control plane sees of the store: a revisioned map of strings to bytes, the same on every
 * replica. The only file of this folder that src/controllers, src/scheduler, src/objects and
 * src/server may import.
 */

/** Counts committed transactions that changed something; 0 before the first. */
export type Revision = number;

export interface KeyRecord {
  readonly key: string;
  readonly value: Uint8Array;
  /** Revision of the creation, of the last change, and how many changes since creation (1 = just created). */
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  readonly version: number;
  /** The lease that the key hangs on; only in the keyspace of etcd's services, and only when there is one. */
  readonly lease?: number;
}

/** All must hold for `success` to run, as in etcd's Txn. A missing key has version 0 and revisions 0. */
export interface Compare {
  readonly key: string;
  readonly target: "version" | "createRevision" | "modRevision";
  readonly operator: "=" | "!=" | "<" | ">";
  readonly operand: number;
}

export type Operation =
  | {
      readonly type: "put";
      readonly key: string;
      readonly value: Uint8Array;
      /** Where in `value` the new revision is spliced in as decimal digits; -1 for nowhere. This is all that apply knows of the bytes. */
      readonly revisionAt: number;
    }
  | { readonly type: "delete"; readonly key: string };

export interface Txn {
  readonly compares: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure: readonly Operation[];
}

export interface TxnResult {
  readonly succeeded: boolean;
  /** The revision this transaction made, or the present one when it changed nothing. */
  readonly revision: Revision;
}

/** Transactions of one log entry, applied in order, each for itself. */
export interface WriteRequest {
  readonly txns: readonly Txn[];
  /** Identity for exactly-once: a second request with the same pair gets the first one's results. Absent for internal writers, whose compares make repeats harmless. */
  readonly client?: { readonly id: string; readonly sequence: number };
  /** Who asked, for the audit trail; no secrets. */
  readonly origin: string;
}

export interface WaitOptions {
  readonly signal?: AbortSignalLike;
  /** How long to wait, from the call on; `limits.requestMsDefault` when absent. */
  readonly deadlineMs?: number;
}

/** The part of AbortSignal that deciding code may see. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

export interface WatchEvent {
  readonly type: "put" | "delete";
  readonly key: string;
  /** For delete: empty value, and the deletion's revision as modRevision. */
  readonly record: KeyRecord;
  /** The record before, undefined when it was created. Filters need it to tell "no longer matches". */
  readonly previous: KeyRecord | undefined;
}

/** One change of one key. */
export interface Change {
  /** As it was made; version 0 and an empty value when it was deleted. */
  readonly record: KeyRecord;
  /** When, by the clock of the server that proposed it, in milliseconds since 1970; 0 when it is not known. Never falls from one revision to the next. */
  readonly timeMs: number;
  /** `WriteRequest.origin`, empty when it is not known. */
  readonly origin: string;
}

/** All events of one revision; never split. */
export interface WatchBatch {
  readonly revision: Revision;
  readonly events: readonly WatchEvent[];
}

export interface Store {
  /** The last revision applied on this replica. */
  revision(): Revision;
  /** Present local state, synchronously; never waits, may be behind the leader. */
  peek(key: string): KeyRecord | undefined;
  /** Present local state of all keys that start with `prefix`, in key order, synchronously. */
  peekPrefix(prefix: string): Iterable<KeyRecord>;
  /** Resolves when local reads are linearizable with everything acknowledged before the call; with the revision then. @throws IkadaError NoLeader, Deadline */
  barrier(options?: WaitOptions): Promise<Revision>;
  /** Resolves when this replica has applied `revision`. @throws IkadaError Deadline */
  reached(revision: Revision, options?: WaitOptions): Promise<void>;
  /** One page of the keys that start with `prefix` as they were at `revision`. @throws IkadaError Compacted */
  range(query: RangeQuery, options?: WaitOptions): Promise<RangeResult>;
  /** Proposes; resolves when applied on this replica. On Deadline the outcome is unknown: repeat with the same client id and sequence. @throws IkadaError NoLeader, Overloaded, TooLarge, Deadline */
  write(request: WriteRequest, options?: WaitOptions): Promise<readonly TxnResult[]>;
  /** The recorded answer to a request of this client, if it is still remembered. */
  answered(client: { readonly id: string; readonly sequence: number }): readonly TxnResult[] | undefined;
  /** Forgets the history below `revision`: reads and watches from before it are refused from then on. What is there at `revision` stays. @throws IkadaError BadRequest for a revision that is still to come, and as `write` */
  compact(revision: Revision, options?: WaitOptions): Promise<void>;
  /** The newest revision made at or before a time, in milliseconds since 1970. @throws IkadaError Compacted when it was before the kept history, with its start */
  revisionAt(timeMs: number, options?: WaitOptions): Promise<Revision>;
  /** The kept changes of one key, the newest first. @throws IkadaError Compacted when `before` is below the kept history */
  changes(query: ChangesQuery): Promise<ChangesResult>;
  /** Every change of keys under `prefix` after `from`, in order, without gaps. The callback runs synchronously after apply and must not block; returns how to stop. @throws IkadaError Compacted */
  watch(prefix: string, from: Revision, observer: WatchObserver): { close(): void };
}

/** Backups of one replica. */
export interface Backups {
  /**
   * Begins a backup: the state of this replica now, with everything that was acknowledged before the call unless `isLocal`. Writes go on.
   * @throws IkadaError NoLeader, Deadline, Unavailable while this replica has no whole state
   */
  openBackup(request: BackupRequest, options?: WaitOptions): Promise<Backup>;
}

export interface BackupRequest {
  readonly clusterId: string;
  /** Of this program. */
  readonly version: string;
  /** A new SHA-256. */
  readonly digest: DigestState;
  /** Without asking the leader first: also where there is none, and perhaps without the newest writes. */
  readonly isLocal: boolean;
  /** Rows are put together up to this size. @default that of Raft snapshots */
  readonly chunkBytes?: number;
}

/** Of Node's hashes, what deciding code may see. */
export interface DigestState {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

/** The bytes of a backup's file, in order. It keeps the disk from reclaiming space until it is closed. */
export interface Backup {
  readonly about: BackupAbout;
  /** The next bytes, about a chunk, at the replica's rate; undefined behind the last ones. One at a time. @throws IkadaError Cancelled when it was closed */
  next(): Promise<Uint8Array | undefined>;
  /** Idempotent. */
  close(): void;
}

/** What a backup says of itself. */
export interface BackupAbout {
  readonly clusterId: string;
  /** Of the program that made it. */
  readonly version: string;
  /** When, by that server's clock, in milliseconds since 1970. */
  readonly timeMs: number;
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly objects: KeyspaceRevisions;
  readonly etcd: KeyspaceRevisions;
}

export interface KeyspaceRevisions {
  readonly revision: Revision;
  readonly compactRevision: Revision;
}

export interface WatchObserver {
  /** `revision` is the progress: all changes up to it were given. May come with no events. */
  onBatch(batch: WatchBatch): void;
  onError(error: Error): void;
  /**
   * The state has leapt to that of a snapshot from another replica. With this method the watch is closed, and it is called once the new state can be read;
   * without it the watch goes on with the history between, as always.
   */
  onReplaced?(): void;
  /**
   * While the past is replayed, asked before each part of it: calls back once, now or when there is room for more; a later call takes the place of
   * one that is open. Without this method there always is. What changes now is told at once all the same.
   */
  whenRoom?(run: () => void): void;
}

export interface RangeQuery {
  readonly prefix: string;
  /** Only keys greater than this one (for the next page). */
  readonly after?: string;
  readonly limit: number;
  /** A past revision; the present one when absent. */
  readonly revision?: Revision;
}

export interface ChangesQuery {
  readonly key: string;
  /** Only changes of revisions below this one (for the next page). */
  readonly before?: Revision;
  readonly limit: number;
}

export interface ChangesResult {
  readonly changes: readonly Change[];
  readonly more: boolean;
}

export interface RangeResult {
  readonly records: readonly KeyRecord[];
  readonly revision: Revision;
  readonly more: boolean;
}

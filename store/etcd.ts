/**
 * What src/server sees of the keyspace that is offered under etcd's names, as store.ts is what it sees of the objects'.
 *
 * Transactions with etcd's semantics (etcd 3.5, api/etcdserverpb/rpc.proto), for the keyspace that is offered under its names. Keys are any
 * bytes there; here each byte is one character of a string (Latin-1), which keeps their order.
 */
import type { KeyRecord, Revision, WaitOptions, WatchObserver } from "./store.js";

/** `end` empty: the one key. "\0": all keys from `key` on. Else those with key <= it < end. */
export interface EtcdRange {
  readonly key: string;
  readonly end: string;
}

/** Holds when every key of the range does so; a missing key has version, revisions and lease 0. */
export type EtcdCompare = {
  readonly range: EtcdRange;
  readonly operator: "=" | "!=" | "<" | ">";
} & (
  | { readonly target: "version" | "createRevision" | "modRevision" | "lease"; readonly operand: number }
  /** Of a missing key it holds for no value. */
  | { readonly target: "value"; readonly operand: Uint8Array }
);

export type EtcdOperation =
  /** `limit` 0: all of them. */
  | { readonly type: "range"; readonly range: EtcdRange; readonly limit: number; readonly countOnly: boolean }
  | {
      readonly type: "put";
      readonly key: string;
      /** Undefined: the value that is there; refused when there is none. */
      readonly value: Uint8Array | undefined;
      /** 0 for none; undefined: the one that is there. */
      readonly lease: number | undefined;
    }
  | { readonly type: "delete"; readonly range: EtcdRange }
  | { readonly type: "txn"; readonly txn: EtcdTxn };

/** Operations run in order, each sees what those before it did; all of it is one revision. */
export interface EtcdTxn {
  readonly compares: readonly EtcdCompare[];
  readonly success: readonly EtcdOperation[];
  readonly failure: readonly EtcdOperation[];
}

export type EtcdCommand =
  | { readonly type: "txn"; readonly txn: EtcdTxn }
  /** `ttlSeconds` from 1. */
  | { readonly type: "grant"; readonly lease: number; readonly ttlSeconds: number }
  /**
   * Removes its keys too. With `term` only when the log has it in that term: what a leader has decided by its clock counts no more once there is
   * another one, at which the lease may have been renewed.
   */
  | { readonly type: "revoke"; readonly lease: number; readonly term?: number };

export type EtcdResponse =
  | ({ readonly type: "range" } & EtcdRecords)
  | { readonly type: "put"; readonly previous: KeyRecord | undefined }
  | { readonly type: "delete"; readonly previous: readonly KeyRecord[] }
  | { readonly type: "txn"; readonly succeeded: boolean; readonly responses: readonly EtcdResponse[] };

/** What a command did. A refused one did nothing. */
export interface EtcdOutcome {
  /** This command's, or the present one when it changed nothing. */
  readonly revision: Revision;
  readonly result:
    | EtcdResponse
    | { readonly type: "done" }
    | { readonly type: "refused"; readonly reason: EtcdRefusal };
}

export type EtcdRefusal = "LeaseNotFound" | "LeaseExists" | "KeyNotFound" | "NotLeader";

/** The keyspace of the services under etcd's names, on one replica: own revisions, history and quota, in the same log as the objects. */
export interface EtcdKeyspace {
  /** The last revision applied on this replica. */
  revision(): Revision;
  /** History below it is gone. */
  compactRevision(): Revision;
  usage(): { readonly liveBytes: number; readonly rowBytes: number };
  /** What live records may take; above it nothing is put. */
  readonly quotaBytes: number;
  readonly leases: EtcdLeases;
  /** Proposes; resolves when applied on this replica. On Deadline the outcome is unknown. @throws IkadaError NoLeader, Overloaded, TooLarge, QuotaExceeded, Deadline */
  execute(command: EtcdCommand, origin: string, options?: WaitOptions): Promise<EtcdOutcome>;
  /** What a transaction that only reads gives now. */
  read(txn: EtcdTxn): EtcdOutcome;
  /** What a range holds, in key order. @throws IkadaError Compacted, Invalid for a revision that is still to come */
  range(query: EtcdRangeQuery): Promise<EtcdRecords>;
  /** A number for all records of a revision, equal on all replicas; 0: the present one. @throws IkadaError as `range` */
  hashAt(revision: Revision): Promise<number>;
  /** Every change of the range after `from`, as `Store.watch`. @throws IkadaError Compacted */
  watch(range: EtcdRange, from: Revision, observer: WatchObserver): { close(): void };
  /** As `Store.compact`. */
  compact(revision: Revision, options?: WaitOptions): Promise<void>;
}

export interface EtcdRangeQuery extends EtcdRange {
  /** 0: the present. */
  readonly revision: Revision;
  /** The first so many records; 0 for all. */
  readonly limit: number;
  /** No records, whatever the limit. */
  readonly countOnly: boolean;
}

export interface EtcdRecords {
  readonly records: readonly KeyRecord[];
  /** Of all in the range. */
  readonly count: number;
}

/** Which leases there are, on this replica. */
export interface EtcdLeases {
  /** Ascending. */
  ids(): readonly number[];
  ttlSeconds(lease: number): number | undefined;
  /** Ascending. */
  keys(lease: number): readonly string[];
}

/** The leader's clock of leases. */
export interface LeaseTimer {
  /** Its whole time begins anew. Seconds, or undefined when there is no such lease. */
  renew(lease: number): number | undefined;
  /** In whole seconds, at least 0; undefined when there is no such lease. */
  remainingSeconds(lease: number): number | undefined;
  close(): void;
}

export function isIn({ key: from, end }: EtcdRange, key: string): boolean {
  if (end === "") return key === from;
  return key >= from && (end === "\0" || key < end);
}

/** Keys are bytes on the wire and Latin-1 in memory. */
export function bytesOf(key: string): Uint8Array {
  const bytes = new Uint8Array(key.length);
  for (let at = 0; at < key.length; at += 1) bytes[at] = key.charCodeAt(at);
  return bytes;
}

export function textOf(bytes: Uint8Array): string {
  let key = "";
  for (const byte of bytes) key += String.fromCharCode(byte);
  return key;
}

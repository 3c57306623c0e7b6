/**
 * Transactions with etcd's semantics (etcd 3.5, api/etcdserverpb/rpc.proto), for the keyspace that is offered under its names. Keys are any
 * bytes there; here each byte is one character of a string (Latin-1), which keeps their order.
 */
import type { KeyRecord, Revision } from "../store.js";

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
  /** Removes its keys too. */
  | { readonly type: "revoke"; readonly lease: number };

export type EtcdResponse =
  | { readonly type: "range"; readonly records: readonly KeyRecord[]; readonly count: number }
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

export type EtcdRefusal = "LeaseNotFound" | "LeaseExists" | "KeyNotFound";

import type { EtcdCommand, EtcdOutcome, EtcdRangeQuery, EtcdTxn } from "../../../store/etcd.js";
import type {
  ChangesQuery,
  ChangesResult,
  KeyRecord,
  RangeQuery,
  RangeResult,
  Revision,
  Txn,
  TxnResult,
} from "../../../store/store.js";

/** What a client asked, and what it was told. Times are the world's, in microseconds. */
export type Asked = WriteAsked | CommandAsked | LookAsked | PastAsked;

interface Question {
  /** Nobody asks twice by one name; it is the origin of what is written. */
  readonly name: string;
  readonly calledAt: number;
  /** Infinity while the client knows no answer. */
  returnedAt: number;
}

/** Transactions on objects: sent again, under the same name, until there is an answer. */
export interface WriteAsked extends Question {
  readonly type: "write";
  readonly client: string;
  readonly sequence: number;
  readonly txns: readonly Txn[];
  results: readonly TxnResult[] | undefined;
}

/** A command of etcd's services; another attempt is another question. */
export interface CommandAsked extends Question {
  readonly type: "command";
  readonly command: EtcdCommand;
  outcome: EtcdOutcome | undefined;
}

/** What a replica had at an index of the log, after a barrier. */
export interface LookAsked extends Question {
  readonly type: "look";
  readonly key: string;
  readonly txn: EtcdTxn;
  answer:
    | {
        readonly index: number;
        readonly revision: Revision;
        readonly etcdRevision: Revision;
        readonly record: KeyRecord | undefined;
        readonly outcome: EtcdOutcome;
        readonly leases: readonly {
          readonly id: number;
          readonly ttlSeconds: number;
          readonly keys: readonly string[];
        }[];
      }
    | undefined;
}

/** Of history, which is the same on each replica, and starts somewhere. */
export interface PastAsked extends Question {
  readonly type: "past";
  readonly what: PastQuestion;
  /** Of the replica when it was asked, and where its history started then. */
  revision: Revision;
  floor: Revision;
  answer: PastAnswer | undefined;
}

export type PastQuestion =
  | { readonly of: "list"; readonly query: RangeQuery & { readonly revision: Revision } }
  | { readonly of: "range"; readonly query: EtcdRangeQuery }
  | { readonly of: "changes"; readonly query: ChangesQuery }
  | { readonly of: "revisionAt"; readonly timeMs: number };

/** `floor`: where history started on the replica when it answered. */
export type PastAnswer = { readonly floor: Revision } & (
  | { readonly of: "list"; readonly result: RangeResult }
  | { readonly of: "range"; readonly records: readonly KeyRecord[] }
  | { readonly of: "changes"; readonly result: ChangesResult }
  | { readonly of: "revisionAt"; readonly revision: Revision }
  | { readonly of: "refusal"; readonly start: Revision }
);

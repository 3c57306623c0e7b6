import type { EtcdCommand, EtcdOutcome, EtcdRange } from "../../store/etcd.js";
import type { KeyRecord } from "../../store/store.js";
import type { Call } from "./recorded.js";

/** One call of etcd's services. */
export type EtcdCall = CommandCall | RangeCall | CompactCall | LeaseCall;

export interface CommandCall extends Call {
  readonly f: "command";
  readonly command: EtcdCommand;
  result?: EtcdOutcome["result"];
}

export interface RangeQuery extends EtcdRange {
  /** 0: the present. */
  readonly revision: number;
  readonly limit: number;
  readonly order: "NONE" | "ASCEND" | "DESCEND";
  readonly by: "KEY" | "VERSION" | "CREATE" | "MOD" | "VALUE";
  readonly serializable: boolean;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  readonly minModRevision: number;
  readonly maxModRevision: number;
  readonly minCreateRevision: number;
  readonly maxCreateRevision: number;
}

export interface RangeCall extends Call {
  readonly f: "range";
  readonly query: RangeQuery;
  answer?: { readonly records: readonly KeyRecord[]; readonly more: boolean; readonly count: number };
}

export interface CompactCall extends Call {
  readonly f: "compact";
  readonly to: number;
}

/** Asks what a lease has left, with its keys. */
export interface LeaseCall extends Call {
  readonly f: "lease";
  readonly lease: number;
  answer?: { readonly ttl: number; readonly grantedTtl: number; readonly keys: readonly string[] };
}

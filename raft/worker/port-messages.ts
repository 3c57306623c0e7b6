import type { LogFields } from "../../src/base/env.js";
import type { ErrorDetails, Reason } from "../../src/base/errors.js";
import { IkadaError } from "../../src/base/errors.js";
import type { ConsensusStatus, ReceivedSnapshot, RefusedReason, SnapshotRequest } from "../consensus.js";
import type { ConfChange } from "../core/configuration.js";
import type { ConfState, Entry, EntryType, Index, NodeId, Term } from "../core/types.js";
import type { CompactionTuning } from "../compaction.js";
import type { SnapshotPoint } from "../log/log-point.js";
import type { WrittenSnapshot } from "../snapshot/file-writer.js";
import type { SnapshotTuning } from "../snapshot/tuning.js";
import type { PackedBytes } from "./packed-bytes.js";
import { packBytes, unpackBytes } from "./packed-bytes.js";
import type { KnownMembers, PeerAddress } from "./known-members.js";

/** What crosses between the main thread and the consensus thread. One message carries all of a turn. */

export interface ConsensusWorkerOptions {
  readonly id: NodeId;
  readonly clusterId: string;
  /** The members as far as this one knows, itself among them. */
  readonly members: readonly PeerAddress[];
  /** It starts without a configuration and waits to be added; else `members` are the voters of a new cluster. */
  readonly join?: boolean;
  /** Ids of servers that were removed for good. */
  readonly removed?: readonly NodeId[];
  /** `host:port` to listen on for the other members. */
  readonly listen: string;
  /** The log is in the folder `log` of it. */
  readonly dataFolder: string;
  readonly tls: { readonly certificate: string; readonly key: string; readonly authority: string };
  /** What the state machine holds durably. */
  readonly appliedIndex: Index;
  /** From `openState`: a log that does not reach it is reset to it. */
  readonly snapshot?: SnapshotPoint | undefined;
  readonly compaction?: Partial<CompactionTuning>;
  readonly snapshots?: Partial<SnapshotTuning>;
  /** @default limits.tickMs */
  readonly tickMs?: number;
  /** The text of `IKADA_FAILPOINTS`. */
  readonly failpoints?: string;
}

export interface ToWorker {
  readonly proposals?: { readonly tags: Float64Array; readonly data: PackedBytes };
  readonly reads?: readonly number[];
  readonly applied?: { readonly index: Index; readonly durable: Index };
  readonly transferTo?: NodeId;
  /** An array of none or one, since undefined is an answer. */
  readonly snapshotTaken?: readonly WrittenSnapshot[];
  readonly memberChange?: { readonly tag: number; readonly change: ConfChange; readonly asOf: Index | undefined };
  readonly members?: KnownMembers;
  readonly stop?: boolean;
}

export type Delivery =
  | { readonly type: "committed"; readonly entries: PackedEntries }
  | { readonly type: "read"; readonly tag: number; readonly index: Index }
  | {
      readonly type: "refused";
      readonly tag: number;
      readonly reason: RefusedReason;
      readonly detail: string | undefined;
    }
  | { readonly type: "membersChanged"; readonly tag: number; readonly configuration: ConfState }
  | { readonly type: "snapshotWanted"; readonly request: SnapshotRequest }
  | { readonly type: "snapshot"; readonly snapshot: ReceivedSnapshot }
  | { readonly type: "status"; readonly status: ConsensusStatus }
  | { readonly type: "log"; readonly level: LogLevel; readonly message: string; readonly fields: LogFields }
  | { readonly type: "started"; readonly port: number }
  | { readonly type: "failed"; readonly error: PackedError }
  | { readonly type: "fatal"; readonly error: PackedError }
  | { readonly type: "stopped" };

export type LogLevel = "debug" | "info" | "warn" | "error";

/** In order. */
export type FromWorker = readonly Delivery[];

export interface PackedEntries {
  readonly firstIndex: Index;
  /** Of the entries in order; nearly always one run. */
  readonly runs: readonly { readonly count: number; readonly term: Term; readonly type: EntryType }[];
  readonly data: PackedBytes;
}

/** An error without its class, which does not survive the way. */
export interface PackedError {
  readonly reason: Reason;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly stack: string | undefined;
}

export function packEntries(entries: readonly Entry[]): PackedEntries {
  const runs: { count: number; term: Term; type: EntryType }[] = [];
  for (const { term, type } of entries) {
    const last = runs.at(-1);
    if (last && last.term === term && last.type === type) last.count += 1;
    else runs.push({ count: 1, term, type });
  }
  return { firstIndex: entries[0]?.index ?? 0, runs, data: packBytes(entries.map(({ data }) => data)) };
}

export function unpackEntries({ firstIndex, runs, data }: PackedEntries): Entry[] {
  const arrays = unpackBytes(data);
  const entries: Entry[] = [];
  for (const { count, term, type } of runs)
    for (let left = count; left > 0; left -= 1) {
      const at = entries.length;
      entries.push({ index: firstIndex + at, term, type, data: arrays[at] as Uint8Array });
    }
  return entries;
}

export function packError(caught: unknown): PackedError {
  const { reason, message, details, stack } = IkadaError.from(caught);
  return { reason, message, details, stack };
}

export function unpackError({ reason, message, details, stack }: PackedError): IkadaError {
  const error = new IkadaError(reason, message, details);
  if (stack !== undefined) error.stack = stack;
  return error;
}

import { limits } from "../src/base/limits.js";
import type { Status } from "./core/raft.js";
import type { Entry, Index, RaftStorage } from "./core/types.js";

/** How much of the log stays behind what the state machine has durably. */
export interface CompactionTuning {
  /** @default limits.logKeptEntries */
  readonly keptEntries: number;
  /** @default limits.logKeptBytes */
  readonly keptBytes: number;
  /** @default limits.logHeldBytesMax */
  readonly heldBytesMax: number;
}

export const defaultCompactionTuning: CompactionTuning = {
  keptEntries: limits.logKeptEntries,
  keptBytes: limits.logKeptBytes,
  heldBytesMax: limits.logHeldBytesMax,
};

/** An entry's share of the bounds beside its data: what it takes in memory and on disk. */
const entryOverheadBytes = 128;
/** The log is looked through when it has grown by this part of what is kept. */
const growthShare = 8;

/**
 * Decides up to where the log is cut: never above what the state machine has flushed, so that a power cut leaves state and log joined;
 * not above what an active member lacks, unless that would hold more than `heldBytesMax`; and never the last entries, which bring back one
 * that was away for a moment without a snapshot.
 */
export class Compaction {
  readonly #tuning: CompactionTuning;
  #grownEntries = 0;
  #grownBytes = 0;

  constructor(tuning: CompactionTuning) {
    this.#tuning = tuning;
  }

  appended(entries: readonly Entry[]): void {
    this.#grownEntries += entries.length;
    for (const entry of entries) this.#grownBytes += entry.data.length + entryOverheadBytes;
  }

  /**
   * The index up to which everything may go, or undefined when it is not worth while. `sending` is the index of the oldest snapshot that
   * is on its way to somebody, who will need what is behind.
   */
  cut(storage: RaftStorage, durable: Index, statusNow: () => Status, sending: Index | undefined): Index | undefined {
    const { keptEntries, keptBytes, heldBytesMax } = this.#tuning;
    if (this.#grownEntries < keptEntries / growthShare && this.#grownBytes < keptBytes / growthShare) return undefined;
    this.#grownEntries = 0;
    this.#grownBytes = 0;
    const status = statusNow();
    const bound = Math.min(durable, status.applied, storage.lastIndex());
    const needed = Math.min(bound, neededBy(status, sending, bound));
    const kept = boundaries(storage, keptEntries, keptBytes, heldBytesMax);
    const cut = Math.min(bound, kept.tail, Math.max(needed, kept.held));
    return cut >= storage.firstIndex() ? cut : undefined;
  }
}

/** The lowest index behind which an active member goes on. One that gets a snapshot goes on behind that. */
function neededBy({ id, progress }: Status, sending: Index | undefined, bound: Index): Index {
  let needed = sending ?? bound;
  for (const member of progress) {
    if (member.id === id || !member.active) continue;
    needed = Math.min(needed, member.state === "Snapshot" ? (sending ?? member.pendingSnapshot) : member.match);
  }
  return needed;
}

interface Boundaries {
  /** Everything above it is within the kept entries and bytes. */
  readonly tail: Index;
  /** Everything above it is within the bytes that are held for slow members. */
  readonly held: Index;
}

function boundaries(storage: RaftStorage, keptEntries: number, keptBytes: number, heldBytesMax: number): Boundaries {
  const first = storage.firstIndex();
  const last = storage.lastIndex();
  const entries = first > last ? [] : storage.entries(first, last + 1, Number.POSITIVE_INFINITY);
  let bytes = 0;
  let tail = 0;
  for (let at = entries.length - 1; at >= 0; at -= 1) {
    bytes += (entries[at]?.data.length ?? 0) + entryOverheadBytes;
    if (tail === 0 && (bytes > keptBytes || last - (first + at) >= keptEntries)) tail = first + at;
    if (bytes > heldBytesMax) return { tail, held: first + at };
  }
  return { tail, held: 0 };
}

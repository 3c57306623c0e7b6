import type { Entry, HardState, Index } from "../core/types.js";
import type { LogRecord, RecordKind } from "./format.js";
import { recordKinds } from "./format.js";
import type { LogPoint, SnapshotPoint } from "./log-point.js";
import { entryRecord, hardStateRecord } from "./replay.js";
import type { LogContent } from "./replay.js";
import { startRecord } from "./start-record.js";

export interface LogWrite {
  /** Replaces the log before this write; entries follow it. All up to its index is committed. */
  readonly snapshot?: SnapshotPoint | undefined;
  /** A configuration that was applied, as of its index; (0, 0) for the first one of a cluster. */
  readonly configuration?: SnapshotPoint | undefined;
  readonly hardState?: HardState | undefined;
  readonly entries: readonly Entry[];
  /** False when losing this write (a commit index) does no harm: it then waits for the next one that must be durable. */
  readonly mustSync: boolean;
}

/**
 * What the records so far add up to, those of the write in flight included: the start of every segment has it. Turns
 * writes into records.
 */
export class LogHead {
  #last: LogPoint;
  #hardState: HardState;
  #configuration: Uint8Array | undefined;
  #configurationIndex: Index;
  /** Hard state that nobody waits for and the next records take along. */
  #hardStateUnwritten = false;
  #highestIndex: Index;

  /** `highestIndex` is that of an entry in the last segment; `hardState` may be newer than that of the records. */
  constructor(content: LogContent, hardState: HardState, highestIndex: Index) {
    const { before, entries, configuration, configurationIndex } = content;
    this.#last = entries.at(-1) ?? before;
    this.#hardState = hardState;
    this.#hardStateUnwritten = !isSameVote(hardState, content.hardState);
    this.#configuration = configuration;
    this.#configurationIndex = configurationIndex;
    this.#highestIndex = highestIndex;
  }

  get lastIndex(): Index {
    return this.#last.index;
  }

  /** Of an entry in the segment that is written, also of one that was replaced. */
  get highestIndex(): Index {
    return this.#highestIndex;
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get hasUnwritten(): boolean {
    return this.#hardStateUnwritten;
  }

  keepForLater(hardState: HardState): void {
    this.#hardState = hardState;
    this.#hardStateUnwritten = true;
  }

  /** The first record of a new segment. */
  start(): LogRecord {
    this.#highestIndex = 0;
    this.#hardStateUnwritten = false;
    return startRecord(this.#last, {
      hardState: this.#hardState,
      configuration: this.#configuration,
      configurationIndex: this.#configurationIndex,
    });
  }

  add(writes: readonly LogWrite[], records: LogRecord[]): void {
    if (this.#hardStateUnwritten) records.push(hardStateRecord(this.#hardState, this.#last.index));
    this.#hardStateUnwritten = false;
    for (const write of writes) this.#add(write, records);
  }

  /**
   * A torn write may leave any first part of these. So a term comes before the entries of that term, and a
   * commit index behind the entries it covers: in front of them it would commit the ones that they replace.
   */
  #add({ snapshot, configuration, hardState, entries }: LogWrite, records: LogRecord[]): void {
    const before = this.#hardState;
    const hasLog = entries.length > 0 || snapshot !== undefined;
    if (hardState && hasLog && !isSameVote(hardState, before))
      records.push(hardStateRecord({ ...hardState, commit: before.commit }, this.#last.index));
    if (snapshot) {
      records.push(pointRecord(recordKinds.snapshot, snapshot));
      this.#last = { index: snapshot.index, term: snapshot.term };
    }
    if (configuration) records.push(pointRecord(recordKinds.configuration, configuration));
    for (const entry of entries) {
      records.push(entryRecord(entry));
      this.#highestIndex = Math.max(this.#highestIndex, entry.index);
      this.#last = { index: entry.index, term: entry.term };
    }
    const applied = snapshot ?? configuration;
    this.#configuration = applied?.configuration ?? this.#configuration;
    this.#configurationIndex = applied?.index ?? this.#configurationIndex;
    const commit = Math.max(before.commit, applied?.index ?? 0, hardState?.commit ?? 0);
    this.#hardState = { ...(hardState ?? before), commit };
    // A record says how far the log goes, or is followed by one that does: should one before it be damaged.
    if (hardState || configuration) records.push(hardStateRecord(this.#hardState, this.#last.index));
  }
}

export function isSameVote(left: HardState, right: HardState): boolean {
  return left.term === right.term && left.vote === right.vote;
}

function pointRecord(kind: RecordKind, { index, term, configuration }: SnapshotPoint): LogRecord {
  return { kind, index, term, payload: configuration };
}

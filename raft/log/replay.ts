import type { Entry, HardState, Index } from "../core/types.js";
import { readU64, writeU64 } from "./bytes.js";
import type { LogRecord } from "./format.js";
import { recordKinds } from "./format.js";
import type { LogPoint } from "./log-point.js";
import { decodeStart } from "./start-record.js";

/** What the records of a log add up to. */
export interface LogContent {
  /** The entry in front of the first one: (0, 0), or that of a snapshot, or one at or below which the log was cut. */
  readonly before: LogPoint;
  readonly hardState: HardState;
  /** Bytes of the newest configuration record; undefined in a log that was never bootstrapped. */
  readonly configuration: Uint8Array | undefined;
  /** From which index it holds; at or above `before`. Changes among later entries are not in it. */
  readonly configurationIndex: Index;
  /** Without gaps from `before.index + 1`. Their data are views into the segments as read. */
  readonly entries: readonly Entry[];
}

/** Adds record after record up; a later entry with the index of an earlier one replaces it and all behind it. */
export class Replay {
  #before: LogPoint = { index: 0, term: 0 };
  #hardState: HardState = { term: 0, vote: 0, commit: 0 };
  #configuration: Uint8Array | undefined;
  #configurationIndex: Index = 0;
  #entries: Entry[] = [];
  #isEmpty = true;

  get last(): LogPoint {
    return this.#entries.at(-1) ?? this.#before;
  }

  get content(): LogContent {
    return {
      before: this.#before,
      hardState: this.#hardState,
      configuration: this.#configuration,
      configurationIndex: this.#configurationIndex,
      entries: this.#entries,
    };
  }

  clear(): void {
    this.#before = { index: 0, term: 0 };
    this.#hardState = { term: 0, vote: 0, commit: 0 };
    this.#configuration = undefined;
    this.#configurationIndex = 0;
    this.#entries = [];
    this.#isEmpty = true;
  }

  /** Returns what is wrong with the record as a follower of those before it, or undefined. */
  add(record: LogRecord): string | undefined {
    const isFirst = this.#isEmpty;
    this.#isEmpty = false;
    switch (record.kind) {
      case recordKinds.entry:
      case recordKinds.confChangeEntry:
        return this.#addEntry(record);
      case recordKinds.hardState:
        return this.#addHardState(record);
      case recordKinds.configuration:
        return this.#addConfiguration(record.payload, record.index);
      case recordKinds.snapshot:
        return this.#addSnapshot(record);
      case recordKinds.start:
        return this.#addStart(record, isFirst);
    }
    return undefined;
  }

  #addEntry(record: LogRecord): string | undefined {
    const { index, term } = record;
    const { index: first } = this.#before;
    if (index < 1 || index > this.last.index + 1) return `entry ${index} follows entry ${this.last.index}`;
    if (index <= this.#hardState.commit) return `entry ${index} replaces a committed one`;
    if (index <= first) {
      // It replaces one that stood in a removed segment. That was removed because an index above is committed now.
      this.#before = { index, term };
      this.#entries = [];
      return undefined;
    }
    const termBefore = this.#entries[index - first - 2]?.term ?? this.#before.term;
    if (term < termBefore) return `entry ${index} has term ${term} after term ${termBefore}`;
    this.#entries.length = index - first - 1;
    const type = record.kind === recordKinds.entry ? "Normal" : "ConfChange";
    this.#entries.push({ term, index, type, data: record.payload });
    return undefined;
  }

  #addHardState({ term, index, payload }: LogRecord): string | undefined {
    // Version 1 had no last index.
    const vote = payload.length === 16 || payload.length === 8 ? readU64(payload, 0) : Number.NaN;
    if (Number.isNaN(vote)) return "hard state without a vote field";
    return this.#take({ term, vote, commit: index });
  }

  #take({ term, vote, commit }: HardState): string | undefined {
    const before = this.#hardState;
    if (term < before.term) return `term ${term} follows term ${before.term}`;
    if (term === before.term && before.vote !== 0 && vote !== before.vote)
      return `vote for ${vote} in term ${term} follows a vote for ${before.vote}`;
    if (commit < before.commit || commit > this.last.index)
      return `commit index ${commit} after ${before.commit}, with entries up to ${this.last.index}`;
    this.#hardState = { term, vote, commit };
    return undefined;
  }

  /** Only a configuration that was applied is written, so what is before it is committed. */
  #addConfiguration(payload: Uint8Array, index: Index): string | undefined {
    if (index < this.#configurationIndex || index > this.last.index)
      return `the configuration of index ${index} follows that of ${this.#configurationIndex}`;
    this.#configuration = payload;
    this.#configurationIndex = index;
    this.#hardState = { ...this.#hardState, commit: Math.max(this.#hardState.commit, index) };
    return undefined;
  }

  #addSnapshot({ index, term, payload }: LogRecord): string | undefined {
    if (index < this.#hardState.commit) return `a snapshot of index ${index} after commit ${this.#hardState.commit}`;
    this.#before = { index, term };
    this.#entries = [];
    return this.#addConfiguration(payload, index);
  }

  #addStart(record: LogRecord, isFirst: boolean): string | undefined {
    const { index, term } = record;
    const start = decodeStart(record.payload);
    if (!start) return "a start record that makes no sense";
    if (isFirst) this.#before = { index, term };
    else if (index !== this.last.index || term !== this.last.term)
      return `entry ${index} of term ${term} ends the segments before; found is ${this.last.index} of term ${this.last.term}`;
    const { configuration, configurationIndex } = start;
    const fault = configuration && this.#addConfiguration(configuration, configurationIndex);
    return fault ?? this.#take(start.hardState);
  }
}

/** With the log's last index, by which one knows how far it went when an entry before this record is damaged. */
export function hardStateRecord(hardState: HardState, lastIndex: Index): LogRecord {
  const payload = new Uint8Array(16);
  writeU64(payload, 0, hardState.vote);
  writeU64(payload, 8, lastIndex);
  return { kind: recordKinds.hardState, index: hardState.commit, term: hardState.term, payload };
}

export function entryRecord(entry: Entry): LogRecord {
  const kind = entry.type === "Normal" ? recordKinds.entry : recordKinds.confChangeEntry;
  return { kind, index: entry.index, term: entry.term, payload: entry.data };
}

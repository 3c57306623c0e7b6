import type { Entry, HardState } from "../core/types.js";
import type { LogRecord } from "./format.js";
import { recordKinds } from "./format.js";
import { readU64, writeU64 } from "./bytes.js";

/** What the records of a log add up to. */
export interface LogContent {
  readonly hardState: HardState;
  /** Bytes of the last configuration record; undefined in a log that was never bootstrapped. */
  readonly configuration: Uint8Array | undefined;
  /** Without gaps from index 1. Their data are views into the segments as read. */
  readonly entries: readonly Entry[];
}

/** Adds record after record up; a later entry with the index of an earlier one replaces it and all behind it. */
export class Replay {
  #hardState: HardState = { term: 0, vote: 0, commit: 0 };
  #configuration: Uint8Array | undefined;
  readonly #entries: Entry[] = [];

  get lastIndex(): number {
    return this.#entries.length;
  }

  get content(): LogContent {
    return { hardState: this.#hardState, configuration: this.#configuration, entries: this.#entries };
  }

  /** Returns what is wrong with the record as a follower of those before it, or undefined. */
  add(record: LogRecord): string | undefined {
    switch (record.kind) {
      case recordKinds.entry:
      case recordKinds.confChangeEntry:
        return this.#addEntry(record);
      case recordKinds.hardState:
        return this.#addHardState(record);
      case recordKinds.configuration:
        this.#configuration = record.payload;
    }
    return undefined;
  }

  #addEntry(record: LogRecord): string | undefined {
    const { index, term } = record;
    if (index < 1 || index > this.lastIndex + 1) return `entry ${index} follows entry ${this.lastIndex}`;
    if (index <= this.#hardState.commit) return `entry ${index} replaces a committed one`;
    const termBefore = this.#entries[index - 2]?.term ?? 0;
    if (term < termBefore) return `entry ${index} has term ${term} after term ${termBefore}`;
    this.#entries.length = index - 1;
    const type = record.kind === recordKinds.entry ? "Normal" : "ConfChange";
    this.#entries.push({ term, index, type, data: record.payload });
    return undefined;
  }

  #addHardState(record: LogRecord): string | undefined {
    const before = this.#hardState;
    const vote = record.payload.length === 8 ? readU64(record.payload, 0) : Number.NaN;
    if (Number.isNaN(vote)) return "hard state without a vote field";
    if (record.term < before.term) return `term ${record.term} follows term ${before.term}`;
    if (record.term === before.term && before.vote !== 0 && vote !== before.vote)
      return `vote for ${vote} in term ${record.term} follows a vote for ${before.vote}`;
    if (record.index < before.commit || record.index > this.lastIndex)
      return `commit index ${record.index} after ${before.commit}, with ${this.lastIndex} entries`;
    this.#hardState = { term: record.term, vote, commit: record.index };
    return undefined;
  }
}

export function hardStateRecord(hardState: HardState): LogRecord {
  const payload = new Uint8Array(8);
  writeU64(payload, 0, hardState.vote);
  return { kind: recordKinds.hardState, index: hardState.commit, term: hardState.term, payload };
}

export function entryRecord(entry: Entry): LogRecord {
  const kind = entry.type === "Normal" ? recordKinds.entry : recordKinds.confChangeEntry;
  return { kind, index: entry.index, term: entry.term, payload: entry.data };
}

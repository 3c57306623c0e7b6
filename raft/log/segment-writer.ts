import type { Env, Finished } from "../../src/base/env.js";
import type { Index } from "../core/types.js";
import { failpoints } from "../failpoints.js";
import { writeDurably } from "./durable-write.js";
import type { LogRecord, SegmentHeader } from "./format.js";
import { encodeHeader, encodeRecord, endMarkBytes, recordBytes, segmentPath, writeEndMark } from "./format.js";
import type { Marker } from "./marker.js";
import { writeMarker } from "./marker.js";

export type LogEnv = Pick<Env, "disk" | "clock" | "timers" | "log" | "failpoint">;
export type LogIdentity = Pick<SegmentHeader, "keyId" | "cluster" | "node">;

/** Where the log ends on disk. All in it is durable. */
export interface LogPosition {
  /** 0 before the first segment. */
  readonly sequence: number;
  /** Offset behind the last record. */
  readonly end: number;
  /** The file's size; zeros behind `end`. */
  readonly size: number;
  readonly lastCrc: number;
  /** False when the next record has to begin a segment: before the first one, and behind one of version 1. */
  readonly isAppendable: boolean;
}

/**
 * Appends records to the last segment, one durable write at a time: the caller waits for each completion
 * before the next call (`saveMarker` excepted, which may run beside a write), and stops after an error.
 */
export class SegmentWriter {
  readonly #env: LogEnv;
  readonly #identity: LogIdentity;
  readonly #growBytes: number;
  #position: LogPosition;
  #marker: Marker;

  constructor(env: LogEnv, identity: LogIdentity, growBytes: number, position: LogPosition, marker: Marker) {
    this.#env = env;
    this.#identity = identity;
    this.#growBytes = growBytes;
    this.#position = position;
    this.#marker = marker;
  }

  /** The last durable position: a write in flight is not in it. */
  get position(): LogPosition {
    return this.#position;
  }

  /** Writes the records as one durable write: whole or torn at the end, never followed by another before it is synced. */
  write(records: readonly LogRecord[], done: Finished): void {
    const { sequence, end, size } = this.#position;
    this.#write(records, sequence, end, size, (error) => {
      if (!error) this.#env.failpoint(failpoints.logAfterSync);
      return done(error);
    });
  }

  /** The same at the beginning of the next segment. The first record is to be a start record. */
  roll(firstIndex: Index, records: readonly LogRecord[], done: Finished): void {
    const { sequence: before, lastCrc: previousCrc } = this.#position;
    const sequence = before + 1;
    const header = encodeHeader({ ...this.#identity, sequence, firstIndex, previousCrc });
    this.#write(
      records,
      sequence,
      0,
      0,
      (error) => {
        if (!error) this.#env.failpoint(failpoints.logAfterRoll);
        return done(error);
      },
      header,
    );
  }

  /** Moves the marker to the last durable position, where the log's last index was `lastIndex`. */
  saveMarker(lastIndex: Index, done: Finished): void {
    const { sequence, end, lastCrc } = this.#position;
    const generation = this.#marker.generation + 1;
    this.#marker = { generation, sequence, offset: end, crc: lastCrc, lastIndex };
    this.#env.failpoint(failpoints.logBeforeMarker);
    writeMarker(this.#env.disk, this.#marker, done);
  }

  #write(
    records: readonly LogRecord[],
    sequence: number,
    start: number,
    size: number,
    done: Finished,
    header?: Uint8Array,
  ): void {
    const first = start + (header?.length ?? 0);
    const end = records.reduce((sum, record) => sum + recordBytes(record.payload.length), first);
    const needed = end + endMarkBytes;
    const newSize = needed > size ? Math.ceil(needed / this.#growBytes) * this.#growBytes : size;
    const bytes = new Uint8Array((needed > size ? newSize : needed) - start);
    if (header) bytes.set(header);
    let { lastCrc } = this.#position;
    let at = first - start;
    for (const record of records) {
      lastCrc = encodeRecord(bytes, at, record, lastCrc, start);
      at += recordBytes(record.payload.length);
    }
    writeEndMark(bytes, at);
    this.#env.failpoint(failpoints.logBeforeWrite);
    this.#writeDurably(segmentPath(sequence), start, bytes, header !== undefined, (error) => {
      if (error) return done(error);
      this.#position = { sequence, end, size: newSize, lastCrc, isAppendable: true };
      return done(null);
    });
  }

  #writeDurably(path: string, offset: number, bytes: Uint8Array, isNew: boolean, done: Finished): void {
    const { disk, failpoint } = this.#env;
    const named: Finished = isNew ? (error) => (error ? done(error) : disk.syncFolder("log", done)) : done;
    writeDurably(disk, path, offset, bytes, named, () => failpoint(failpoints.logAfterWrite));
  }
}

import type { Env, Finished } from "../../src/base/env.js";
import type { Index } from "../core/types.js";
import { failpoints } from "../failpoints.js";
import type { LogRecord, SegmentHeader } from "./format.js";
import { encodeHeader, encodeRecord, headerBytes, recordBytes, segmentPath } from "./format.js";
import type { Marker } from "./marker.js";
import { writeMarker } from "./marker.js";

export type LogEnv = Pick<Env, "disk" | "clock" | "log" | "failpoint">;
export type LogIdentity = Pick<SegmentHeader, "keyId" | "cluster" | "node">;

/** Where the log ends on disk. All in it is durable. */
export interface LogPosition {
  readonly sequence: number;
  /** Offset behind the last record. */
  readonly end: number;
  /** The file's size; zeros behind `end`. */
  readonly size: number;
  readonly lastCrc: number;
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
    const { sequence, end: start, size } = this.#position;
    const end = records.reduce((sum, record) => sum + recordBytes(record.payload.length), start);
    const newSize = end > size ? Math.ceil(end / this.#growBytes) * this.#growBytes : size;
    const bytes = new Uint8Array((end > size ? newSize : end) - start);
    let { lastCrc } = this.#position;
    let at = 0;
    for (const record of records) {
      lastCrc = encodeRecord(bytes, at, record, lastCrc, start);
      at += recordBytes(record.payload.length);
    }
    this.#env.failpoint(failpoints.logBeforeWrite);
    this.#writeDurably(segmentPath(sequence), start, bytes, (error) => {
      if (error) return done(error);
      this.#position = { sequence, end, size: newSize, lastCrc };
      this.#env.failpoint(failpoints.logAfterSync);
      return done(null);
    });
  }

  /** Begins the next segment; records go there when it has completed. */
  roll(firstIndex: Index, done: Finished): void {
    const sequence = this.#position.sequence + 1;
    const { lastCrc } = this.#position;
    createSegment(
      this.#env,
      { ...this.#identity, sequence, firstIndex, previousCrc: lastCrc },
      this.#growBytes,
      (error) => {
        if (error) return done(error);
        this.#position = { sequence, end: headerBytes, size: this.#growBytes, lastCrc };
        this.#env.failpoint(failpoints.logAfterRoll);
        return done(null);
      },
    );
  }

  /** Moves the marker to the last durable position. */
  saveMarker(done: Finished): void {
    const { sequence, end, lastCrc } = this.#position;
    this.#marker = { generation: this.#marker.generation + 1, sequence, offset: end, crc: lastCrc };
    this.#env.failpoint(failpoints.logBeforeMarker);
    writeMarker(this.#env.disk, this.#marker, done);
  }

  #writeDurably(path: string, offset: number, bytes: Uint8Array, done: Finished): void {
    const { disk, failpoint } = this.#env;
    disk.write(path, offset, bytes, (error) => {
      if (error) return done(error);
      failpoint(failpoints.logAfterWrite);
      return disk.sync(path, done);
    });
  }
}

/** Makes a segment without records, durable together with its name. `sizeBytes` is at least a header. */
export function createSegment(env: LogEnv, header: SegmentHeader, sizeBytes: number, done: Finished): void {
  const path = segmentPath(header.sequence);
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(encodeHeader(header));
  env.disk.write(path, 0, bytes, (writeError) => {
    if (writeError) return done(writeError);
    return env.disk.sync(path, (syncError) => {
      if (syncError) return done(syncError);
      return env.disk.syncFolder("log", done);
    });
  });
}

import type { Done, Finished } from "../../src/base/env.js";
import { damagedFile, isUnfinished, readSegment } from "./segment-reader.js";
import type { SegmentContent } from "./segment-reader.js";
import { headerBytes, segmentPath } from "./format.js";
import type { Marker } from "./marker.js";
import { markerPath, readMarker, writeMarker } from "./marker.js";
import type { LogContent } from "./replay.js";
import { Replay } from "./replay.js";
import type { LogEnv, LogIdentity, LogPosition } from "./segment-writer.js";
import { createSegment } from "./segment-writer.js";
import { failpoints } from "../failpoints.js";

export interface OpenedFiles {
  readonly content: LogContent;
  readonly position: LogPosition;
  readonly marker: Marker;
}

/**
 * Reads all segments in order, cuts a torn tail, and makes what is left durable before anyone relies on
 * it: what was read may have been in the machine's memory only. `content` keeps views into the segments,
 * so the whole log is held in memory; that is bounded when snapshots allow it to be cut.
 */
export function openFiles(env: LogEnv, identity: LogIdentity, growBytes: number, done: Done<OpenedFiles>): void {
  new Opening(env, identity, growBytes, done).start();
}

const segmentName = /^[0-9a-f]{16}\.seg$/;
const noMarker: Marker = { generation: 0, sequence: 0, offset: 0, crc: 0 };

/** One opening; its steps follow each other top down. */
class Opening {
  readonly #env: LogEnv;
  readonly #identity: LogIdentity;
  readonly #growBytes: number;
  readonly #done: Done<OpenedFiles>;
  readonly #replay = new Replay();
  #marker: Marker = noMarker;
  #count = 0;
  #lastCrc = 0;

  constructor(env: LogEnv, identity: LogIdentity, growBytes: number, done: Done<OpenedFiles>) {
    this.#env = env;
    this.#identity = identity;
    this.#growBytes = growBytes;
    this.#done = done;
  }

  start(): void {
    const { disk } = this.#env;
    disk.makeFolder(
      "log",
      this.#then(() =>
        readMarker(disk, (markerError, marker) => {
          if (markerError) return this.#fail(markerError);
          return disk.list("log", (listError, names) => {
            if (listError) return this.#fail(listError);
            return this.#checked(
              () => this.#compare(marker, names),
              (found) => this.#begin(found),
            );
          });
        }),
      ),
    );
  }

  /** The marker is durable before the first segment is begun, and segments have no gaps. */
  #compare(marker: Marker | undefined, names: readonly string[]): Marker | undefined {
    const segments = names.filter((name) => segmentName.test(name));
    this.#count = segments.length;
    for (const [at, name] of segments.entries())
      if (`log/${name}` !== segmentPath(at + 1)) throw damagedFile(segmentPath(at + 1), "the segment is missing");
    if (marker && marker.sequence > this.#count)
      throw damagedFile(segmentPath(this.#count + 1), "the segment is missing");
    if (!marker && this.#count > 0) throw damagedFile(markerPath, "no whole slot, although there are segments");
    return marker;
  }

  /** A first marker that was found may not be durable, so it is written again: a segment without one would be damage. */
  #begin(found: Marker | undefined): void {
    if (found && found.sequence > 0) {
      this.#marker = found;
      return this.#readSegment(1);
    }
    const { disk } = this.#env;
    return writeMarker(
      disk,
      noMarker,
      this.#then(() =>
        disk.syncFolder(
          "log",
          this.#then(() => this.#readSegment(1)),
        ),
      ),
    );
  }

  #readSegment(sequence: number): void {
    if (sequence > this.#count) return this.#beginSegment(sequence);
    const path = segmentPath(sequence);
    const { disk } = this.#env;
    return disk.size(path, (sizeError, size) => {
      if (sizeError) return this.#fail(sizeError);
      return disk.read(path, 0, size, (error, bytes) => {
        if (error) return this.#fail(error);
        return this.#replaySegment(sequence, bytes);
      });
    });
  }

  #replaySegment(sequence: number, bytes: Uint8Array): void {
    const isLast = sequence === this.#count;
    if (isLast && this.#marker.sequence < sequence && isUnfinished(bytes)) return this.#removeUnfinished(sequence);
    const expected = { ...this.#identity, sequence, previousCrc: this.#lastCrc };
    const add = (record: Parameters<Replay["add"]>[0]): string | undefined => this.#replay.add(record);
    const options = { sequence, expected, mayBeTorn: isLast, marker: this.#marker, add };
    return this.#checked(
      () => readSegment(bytes, options),
      (content) => {
        this.#lastCrc = content.lastCrc;
        return isLast ? this.#cut(sequence, bytes.length, content) : this.#readSegment(sequence + 1);
      },
    );
  }

  #removeUnfinished(sequence: number): void {
    this.#env.log.info("removing a log segment whose creation was cut short", { file: segmentPath(sequence) });
    this.#env.disk.remove(
      segmentPath(sequence),
      this.#then(() =>
        this.#env.disk.syncFolder(
          "log",
          this.#then(() => this.#beginSegment(sequence)),
        ),
      ),
    );
  }

  /** Zeroes the torn tail, durably, so that no part of it can be taken for a record behind later ones. */
  #cut(sequence: number, size: number, content: SegmentContent): void {
    const { disk, log, failpoint } = this.#env;
    const path = segmentPath(sequence);
    const { end, dirtyEnd, lastCrc } = content;
    const sync: Finished = this.#then(() =>
      disk.sync(
        path,
        this.#then(() => this.#finish({ sequence, end, size, lastCrc })),
      ),
    );
    if (dirtyEnd === end) return sync(null);
    log.warn("cutting a torn write off the end of the Raft log", { file: path, offset: end, bytes: dirtyEnd - end });
    failpoint(failpoints.logBeforeCut);
    return disk.write(path, end, new Uint8Array(dirtyEnd - end), sync);
  }

  #beginSegment(sequence: number): void {
    const header = { ...this.#identity, sequence, firstIndex: this.#replay.lastIndex + 1, previousCrc: this.#lastCrc };
    const position = { sequence, end: headerBytes, size: this.#growBytes, lastCrc: this.#lastCrc };
    createSegment(
      this.#env,
      header,
      this.#growBytes,
      this.#then(() => this.#finish(position)),
    );
  }

  /**
   * Names too may have been in the machine's memory only: those of a process that died between making a segment and
   * syncing the folder. Once all is durable, the marker says that it must not get lost.
   */
  #finish(position: LogPosition): void {
    const { sequence, end, lastCrc } = position;
    const marker = { generation: this.#marker.generation + 1, sequence, offset: end, crc: lastCrc };
    const { disk } = this.#env;
    const done = this.#then(() => this.#done(null, { content: this.#replay.content, position, marker }));
    const mark = this.#then(() => writeMarker(disk, marker, done));
    disk.syncFolder(
      "log",
      this.#then(() => disk.syncFolder("", mark)),
    );
  }

  #then(next: () => void): Finished {
    return (error) => (error ? this.#fail(error) : next());
  }

  /** Ends the opening when `find` throws; what `next` throws is not for here. */
  #checked<T>(find: () => T, next: (found: T) => void): void {
    let found: T;
    try {
      found = find();
    } catch (error) {
      return this.#fail(error as Error);
    }
    return next(found);
  }

  #fail(error: Error): void {
    this.#done(error, undefined as never);
  }
}

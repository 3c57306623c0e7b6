import type { Done, Finished } from "../../src/base/env.js";
import { failpoints } from "../failpoints.js";
import { examine, type Examination } from "./examine.js";
import { segmentPath, segmentSequences } from "./format.js";
import type { Marker } from "./marker.js";
import { noMarker, readMarker, writeMarker } from "./marker.js";
import { removeDurably } from "./old-segments.js";
import type { SegmentFile } from "./segment-reader.js";
import type { LogEnv, LogIdentity } from "./segment-writer.js";

export interface OpenedFiles extends Pick<Examination, "content" | "position" | "closed" | "highestIndex"> {
  readonly marker: Marker;
}

/**
 * Reads all segments, cuts a torn tail, and makes what is left durable before anyone relies on it: what was read may
 * have been in the machine's memory only. `content` keeps views into the segments, so the whole log is held in memory;
 * compaction bounds that.
 */
export function openFiles(env: LogEnv, identity: LogIdentity, done: Done<OpenedFiles>): void {
  new Opening(env, identity, done).start();
}

/** One opening; its steps follow each other top down. */
class Opening {
  readonly #env: LogEnv;
  readonly #identity: LogIdentity;
  readonly #done: Done<OpenedFiles>;
  #marker: Marker | undefined;
  readonly #files: SegmentFile[] = [];

  constructor(env: LogEnv, identity: LogIdentity, done: Done<OpenedFiles>) {
    this.#env = env;
    this.#identity = identity;
    this.#done = done;
  }

  start(): void {
    const { disk } = this.#env;
    disk.makeFolder(
      "log",
      this.#then(() =>
        readMarker(disk, (markerError, marker) => {
          if (markerError) return this.#fail(markerError);
          this.#marker = marker;
          return disk.list("log", (listError, names) => {
            if (listError) return this.#fail(listError);
            return this.#read(segmentSequences(names));
          });
        }),
      ),
    );
  }

  #read([sequence, ...others]: readonly number[]): void {
    if (sequence === undefined) return this.#examine();
    const path = segmentPath(sequence);
    const { disk } = this.#env;
    return disk.size(path, (sizeError, size) => {
      if (sizeError) return this.#fail(sizeError);
      return disk.read(path, 0, size, (error, bytes) => {
        if (error) return this.#fail(error);
        this.#files.push({ sequence, bytes });
        return this.#read(others);
      });
    });
  }

  #examine(): void {
    let found: Examination;
    try {
      found = examine(this.#files, this.#marker, this.#identity);
    } catch (error) {
      return this.#fail(error as Error);
    }
    return this.#begin(found);
  }

  /** A first marker that was found may not be durable, so it is written again: a segment without one would be damage. */
  #begin(found: Examination): void {
    if (this.#marker && this.#marker.sequence > 0) return this.#removeUnfinished(found);
    const { disk } = this.#env;
    return writeMarker(
      disk,
      noMarker,
      this.#then(() =>
        disk.syncFolder(
          "log",
          this.#then(() => this.#removeUnfinished(found)),
        ),
      ),
    );
  }

  #removeUnfinished(found: Examination): void {
    if (found.unfinished === undefined) return this.#cut(found);
    const file = segmentPath(found.unfinished);
    this.#env.log.info("removing a log segment whose creation was cut short", { file });
    return removeDurably(
      this.#env.disk,
      file,
      this.#then(() => this.#cut(found)),
    );
  }

  /** Zeroes the torn tail, durably, so that no part of it can be taken for a record behind later ones. */
  #cut(found: Examination): void {
    const { disk, log, failpoint } = this.#env;
    const { position, dirtyEnd } = found;
    const { sequence, end } = position;
    if (sequence === 0) return this.#finish(found);
    const file = segmentPath(sequence);
    const sync: Finished = this.#then(() =>
      disk.sync(
        file,
        this.#then(() => this.#finish(found)),
      ),
    );
    if (dirtyEnd === end) return sync(null);
    log.warn("cutting a torn write off the end of the Raft log", { file, offset: end, bytes: dirtyEnd - end });
    failpoint(failpoints.logBeforeCut);
    return disk.write(file, end, new Uint8Array(dirtyEnd - end), sync);
  }

  /**
   * Names too may have been in the machine's memory only: those of a process that died between making a segment and
   * syncing the folder. Once all is durable, the marker says that it must not get lost.
   */
  #finish(found: Examination): void {
    const { content, position } = found;
    const { sequence, end, lastCrc } = position;
    const lastIndex = content.entries.at(-1)?.index ?? content.before.index;
    const generation = (this.#marker ?? noMarker).generation + 1;
    const marker = { generation, sequence, offset: end, crc: lastCrc, lastIndex };
    const { disk } = this.#env;
    const done = this.#then(() => this.#done(null, { ...found, marker }));
    const mark = this.#then(() => writeMarker(disk, marker, done));
    disk.syncFolder(
      "log",
      this.#then(() => disk.syncFolder("", mark)),
    );
  }

  #then(next: () => void): Finished {
    return (error) => (error ? this.#fail(error) : next());
  }

  #fail(error: Error): void {
    this.#done(error, undefined as never);
  }
}

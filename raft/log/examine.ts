import type { Index } from "../core/types.js";
import { isFlippedInLastWrite, unflipHeader } from "./flipped-bit.js";
import { decodeHeader, endMarkBytes, hasEndMark, headerBytes } from "./format.js";
import type { Marker } from "./marker.js";
import type { ClosedSegment } from "./old-segments.js";
import type { LogContent } from "./replay.js";
import { Replay } from "./replay.js";
import type { SegmentFile } from "./segment-reader.js";
import { isUnfinished, lastNonZero, readHeader, readSegment } from "./segment-reader.js";
import type { LogIdentity, LogPosition } from "./segment-writer.js";

/** A place from which on the log is not what was once durable. */
export interface Damage {
  readonly sequence: number;
  readonly offset: number;
  readonly fault: string;
}

/** What the files of a log are found to be. */
export interface Examination {
  /** Of what is whole, from the beginning on. */
  readonly content: LogContent;
  /** Where that ends. */
  readonly position: LogPosition;
  /** Behind the last byte that is not zero: above `position.end` when a torn write has to be cut. */
  readonly dirtyEnd: number;
  readonly closed: readonly ClosedSegment[];
  /** Of an entry in the last segment; see `ClosedSegment`. */
  readonly highestIndex: Index;
  /** A segment whose creation was cut short, behind all others. */
  readonly unfinished: number | undefined;
  readonly damage: Damage | undefined;
  /** Headers of which one bit was flipped; they are right in `bytes` of their files again. */
  readonly mended: readonly number[];
}

export const noPosition: LogPosition = { sequence: 0, end: 0, size: 0, lastCrc: 0, isAppendable: false };

/**
 * Reads the segments in order, up to the first place that is broken. That is a torn write, which nobody was told of, unless
 * something proves that it had been durable.
 * @throws IkadaError when the log is not this member's or not this version's
 */
export function examine(files: readonly SegmentFile[], marker: Marker, identity: LogIdentity): Examination {
  return new Examiner(marker, identity).run(files);
}

class Examiner {
  readonly #marker: Marker;
  readonly #identity: LogIdentity;
  readonly #replay = new Replay();
  readonly #closed: ClosedSegment[] = [];
  #position = noPosition;
  #dirtyEnd = 0;
  /** Of the segment at `#position`. */
  #highestIndex = 0;

  constructor(marker: Marker, identity: LogIdentity) {
    this.#marker = marker;
    this.#identity = identity;
  }

  run(files: readonly SegmentFile[]): Examination {
    const mended = files.filter(({ bytes }) => unflipHeader(bytes)).map(({ sequence }) => sequence);
    const last = files.at(-1);
    const isCutShort = last !== undefined && this.#isCutShort(last);
    let damage: Damage | undefined;
    for (const file of isCutShort ? files.slice(0, -1) : files) {
      damage = this.#read(file);
      if (damage) break;
    }
    damage ??= this.#readEnd(isCutShort ? files.at(-2) : last, files[0]);
    return {
      content: this.#replay.content,
      position: this.#position,
      dirtyEnd: this.#dirtyEnd,
      closed: this.#closed,
      highestIndex: this.#highestIndex,
      unfinished: isCutShort ? last.sequence : undefined,
      damage,
      mended,
    };
  }

  #isCutShort({ sequence, bytes }: SegmentFile): boolean {
    if (this.#marker.sequence >= sequence || !isUnfinished(bytes)) return false;
    const header = decodeHeader(bytes);
    return typeof header === "string" || !isFlippedInLastWrite(bytes, headerBytes, header.previousCrc);
  }

  #read(file: SegmentFile): Damage | undefined {
    const { sequence, bytes } = file;
    const before = this.#position;
    const isFirst = before.sequence === 0;
    const missing = { sequence: before.sequence + 1, offset: 0, fault: "the segment is missing" };
    if (!isFirst && sequence !== before.sequence + 1) return missing;
    const header = readHeader(file, this.#identity);
    if ("fault" in header) return { sequence, offset: 0, fault: header.fault };
    // Version 1 removed none.
    if (isFirst && sequence > 1 && header.version === 1) return { ...missing, sequence: sequence - 1 };
    if (header.previousCrc !== before.lastCrc && (!isFirst || sequence === 1))
      return isFirst
        ? { sequence, offset: 0, fault: "the first segment continues another one" }
        : { sequence: before.sequence, offset: before.end, fault: "the next segment does not continue this one" };
    const content = readSegment(file, header, this.#marker, (record) => this.#replay.add(record));
    const { end, lastCrc, highestIndex, fault } = content;
    const isUsable = end > headerBytes || (header.version === 1 && fault === undefined);
    if (isUsable) {
      if (!isFirst) this.#closed.push({ sequence: before.sequence, highestIndex: this.#highestIndex });
      this.#highestIndex = highestIndex;
      this.#position = { sequence, end, size: bytes.length, lastCrc, isAppendable: header.version > 1 };
      const clean = hasEndMark(bytes, end) ? end + endMarkBytes : end;
      const dirtyEnd = lastNonZero(bytes, clean);
      this.#dirtyEnd = dirtyEnd === clean ? end : dirtyEnd;
    }
    // It was not cut short, or it would not be read.
    const unread = isUsable ? fault : (fault ?? "its first record is broken");
    return unread === undefined ? undefined : { sequence, offset: end, fault: unread };
  }

  /** What only shows when all is read. `last` is the segment at the position. */
  #readEnd(last: SegmentFile | undefined, first: SegmentFile | undefined): Damage | undefined {
    const { sequence, end, lastCrc } = this.#position;
    if (this.#marker.sequence > sequence) return { sequence: sequence + 1, offset: 0, fault: "the segment is missing" };
    const { before, configurationIndex } = this.#replay.content;
    // A segment is removed when a later one has a configuration from behind its last entry.
    if (first && before.index > configurationIndex) {
      this.#forget();
      return { sequence: first.sequence - 1, offset: 0, fault: "the segment is missing" };
    }
    if (last && this.#dirtyEnd > end && isFlippedInLastWrite(last.bytes, end, lastCrc))
      return { sequence, offset: end, fault: "a bit of the record is flipped" };
    return undefined;
  }

  /** Nothing of it can be used: what was in front is gone. */
  #forget(): void {
    this.#replay.clear();
    this.#closed.length = 0;
    this.#position = noPosition;
    this.#dirtyEnd = 0;
    this.#highestIndex = 0;
  }
}

import type { Index } from "../core/types.js";
import type { ClosedSegment } from "./old-segments.js";
import type { Marker } from "./marker.js";
import { markerPath, noMarker } from "./marker.js";
import { segmentPath } from "./format.js";
import type { LogContent } from "./replay.js";
import { Replay } from "./replay.js";
import type { SegmentFile } from "./segment-reader.js";
import { damaged, damagedFile, isUnfinished, lastNonZero, readHeader, readSegment } from "./segment-reader.js";
import type { LogIdentity, LogPosition } from "./segment-writer.js";

/** What the files of a log are found to be. */
export interface Examination {
  readonly content: LogContent;
  readonly position: LogPosition;
  /** Behind the last byte that is not zero: above `position.end` when a torn write has to be cut. */
  readonly dirtyEnd: number;
  readonly closed: readonly ClosedSegment[];
  /** Of an entry in the last segment; see `ClosedSegment`. */
  readonly highestIndex: Index;
  /** A segment whose creation was cut short, behind all others. */
  readonly unfinished: number | undefined;
}

/**
 * Reads the segments in order.
 * @throws IkadaError Internal when the log is damaged; others when it is not this member's or not this version's
 */
export function examine(files: readonly SegmentFile[], marker: Marker | undefined, identity: LogIdentity): Examination {
  if (!marker && files.length > 0) throw damagedFile(markerPath, "no whole slot, although there are segments");
  return new Examiner(marker ?? noMarker, identity).run(files);
}

class Examiner {
  readonly #marker: Marker;
  readonly #identity: LogIdentity;
  readonly #replay = new Replay();
  readonly #closed: ClosedSegment[] = [];
  #position: LogPosition = { sequence: 0, end: 0, size: 0, lastCrc: 0, isAppendable: false };
  #dirtyEnd = 0;
  /** Of the segment at `#position`. */
  #highestIndex = 0;

  constructor(marker: Marker, identity: LogIdentity) {
    this.#marker = marker;
    this.#identity = identity;
  }

  run(files: readonly SegmentFile[]): Examination {
    const last = files.at(-1);
    const isCutShort = last !== undefined && this.#marker.sequence < last.sequence && isUnfinished(last.bytes);
    const whole = isCutShort ? files.slice(0, -1) : files;
    for (const file of whole) this.#read(file);
    const { sequence } = this.#position;
    if (this.#marker.sequence > sequence) throw damagedFile(segmentPath(sequence + 1), "the segment is missing");
    const content = this.#replay.content;
    // A segment is removed when a later one has a configuration from behind its last entry.
    if (whole[0] && content.before.index > content.configurationIndex)
      throw damagedFile(segmentPath(whole[0].sequence - 1), "the segment is missing");
    return {
      content,
      position: this.#position,
      dirtyEnd: this.#dirtyEnd,
      closed: this.#closed,
      highestIndex: this.#highestIndex,
      unfinished: isCutShort ? last.sequence : undefined,
    };
  }

  #read(file: SegmentFile): void {
    const { sequence, bytes } = file;
    const before = this.#position;
    const isFirst = before.sequence === 0;
    if (!isFirst && sequence !== before.sequence + 1)
      throw damagedFile(segmentPath(before.sequence + 1), "the segment is missing");
    const header = readHeader(file, this.#identity);
    if (isFirst && sequence > 1 && header.version === 1)
      throw damagedFile(segmentPath(sequence - 1), "the segment is missing");
    if (header.previousCrc !== before.lastCrc && (!isFirst || sequence === 1))
      throw damaged(before.sequence, before.end, "the next segment does not continue this one");
    const content = readSegment(file, header, this.#marker, (record) => this.#replay.add(record));
    if (content.fault !== undefined) throw damaged(sequence, content.end, content.fault);
    const { end, lastCrc, highestIndex } = content;
    if (!isFirst) this.#closed.push({ sequence: before.sequence, highestIndex: this.#highestIndex });
    this.#highestIndex = highestIndex;
    this.#position = { sequence, end, size: bytes.length, lastCrc, isAppendable: header.version > 1 };
    this.#dirtyEnd = lastNonZero(bytes, end);
  }
}

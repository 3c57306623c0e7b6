import type { Disk, Done, Finished } from "../../src/base/env.js";
import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from "./bytes.js";
import type { Index } from "../core/types.js";
import { crc32c } from "./crc32c.js";
import { formatVersion } from "./format.js";

/** A place up to which the log is known to be durable. A log that does not reach it has lost acknowledged records. */
export interface Marker {
  /** Counts markers written; the slot with the highest one counts. */
  readonly generation: number;
  /** Segment, offset behind its last durable record, and that record's CRC. Sequence 0: nothing is durable yet. */
  readonly sequence: number;
  readonly offset: number;
  readonly crc: number;
  /** The log's last index at that place; 0 in a marker of version 1, which had none. */
  readonly lastIndex: Index;
}

export const markerPath = "log/marker";

export const noMarker: Marker = { generation: 0, sequence: 0, offset: 0, crc: 0, lastIndex: 0 };

/** Far enough apart that one torn write can't hit both slots. */
const slotDistance = 4096;
const slotBytes = 56;
const magic = new TextEncoder().encode("IKADAMRK");

/** Calls back with undefined when there is no file or no valid slot in it: the first marker was never finished, or both slots are damaged. */
export function readMarker(disk: Disk, done: Done<Marker | undefined>): void {
  disk.size(markerPath, (sizeError, size) => {
    if (sizeError || size <= 0) return done(sizeError, undefined);
    return disk.read(markerPath, 0, slotDistance + slotBytes, (error, bytes) => {
      if (error) return done(error, undefined);
      const first = decodeSlot(bytes, 0);
      const second = decodeSlot(bytes, slotDistance);
      return done(null, second && second.generation > (first?.generation ?? -1) ? second : first);
    });
  });
}

/** Writes and syncs the slot that belongs to the generation; the other one stays as it is. */
export function writeMarker(disk: Disk, marker: Marker, done: Finished): void {
  disk.write(markerPath, (marker.generation % 2) * slotDistance, encodeSlot(marker), (error) => {
    if (error) return done(error);
    return disk.sync(markerPath, done);
  });
}

/**
 *     0 magic  8 version u16  10 zero u16  12 generation u64  20 sequence u64  28 offset u64  36 record CRC u32
 *     40 last index u64  48 zero u32  52 CRC u32; in version 1: 40 CRC u32, and the end
 */
function encodeSlot(marker: Marker): Uint8Array {
  const bytes = new Uint8Array(slotBytes);
  bytes.set(magic);
  writeU16(bytes, 8, formatVersion);
  writeU64(bytes, 12, marker.generation);
  writeU64(bytes, 20, marker.sequence);
  writeU64(bytes, 28, marker.offset);
  writeU32(bytes, 36, marker.crc);
  writeU64(bytes, 40, marker.lastIndex);
  writeU32(bytes, 52, crc32c(bytes, 0, 0, 52));
  return bytes;
}

function decodeSlot(bytes: Uint8Array, at: number): Marker | undefined {
  if (bytes.length < at + 44 || magic.some((byte, offset) => bytes[at + offset] !== byte)) return undefined;
  const isFirstVersion = readU16(bytes, at + 8) === 1;
  const end = at + (isFirstVersion ? 40 : 52);
  if (bytes.length < end + 4 || readU32(bytes, end) !== crc32c(bytes, 0, at, end)) return undefined;
  if (!isFirstVersion && readU16(bytes, at + 8) !== formatVersion) return undefined;
  return {
    generation: readU64(bytes, at + 12),
    sequence: readU64(bytes, at + 20),
    offset: readU64(bytes, at + 28),
    crc: readU32(bytes, at + 36),
    lastIndex: isFirstVersion ? 0 : readU64(bytes, at + 40),
  };
}

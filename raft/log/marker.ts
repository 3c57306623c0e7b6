import type { Disk, Done, Finished } from "../../src/base/env.js";
import type { Index } from "../core/types.js";
import { readU32, readU64 } from "./bytes.js";
import { crc32c } from "./crc32c.js";
import { readSlots, slotOffsets, slotVersionAt, writeSlot } from "./two-slots.js";

/** A place up to which the log is known to be durable. A log that does not reach it has lost acknowledged records. */
export interface Marker {
  readonly generation: number;
  /** Segment, offset behind its last durable record, and that record's CRC. Sequence 0: nothing is durable yet. */
  readonly sequence: number;
  readonly offset: number;
  readonly crc: number;
  /** The log's last index at that place; undefined in a marker of version 1, which had none. */
  readonly lastIndex: Index | undefined;
}

export const markerPath = "log/marker";
export const noMarker: Marker = { generation: 0, sequence: 0, offset: 0, crc: 0, lastIndex: 0 };

const file = { path: markerPath, magic: "IKADAMRK" };

/** Calls back with undefined when there is no file or no valid slot in it: the first marker was never finished, or both slots are damaged. */
export function readMarker(disk: Disk, done: Done<Marker | undefined>): void {
  readSlots(disk, file, (error, slots) => {
    if (error) return done(error, undefined);
    const { newest, bytes } = slots;
    const olds = slotOffsets.map((at) => decodeFirstVersion(bytes, at)).filter((marker) => marker !== undefined);
    const found = newest ? [...olds, fromSlot(newest.generation, newest.fields)] : olds;
    const [marker] = found.sort((left, right) => right.generation - left.generation);
    return done(null, marker);
  });
}

/** Writes and syncs the slot that belongs to the generation; the other one stays as it is. */
export function writeMarker(disk: Disk, marker: Marker, done: Finished): void {
  const { generation, sequence, offset, crc, lastIndex = 0 } = marker;
  writeSlot(disk, file, { generation, fields: [sequence, offset, crc, lastIndex] }, done);
}

function fromSlot(generation: number, fields: readonly [number, number, number, number]): Marker {
  const [sequence, offset, crc, lastIndex] = fields;
  return { generation, sequence, offset, crc, lastIndex };
}

/** 20 sequence u64  28 offset u64  36 record CRC u32  40 CRC u32 */
function decodeFirstVersion(bytes: Uint8Array, at: number): Marker | undefined {
  if (slotVersionAt(file, bytes, at) !== 1 || bytes.length < at + 44) return undefined;
  if (readU32(bytes, at + 40) !== crc32c(bytes, 0, at, at + 40)) return undefined;
  return {
    generation: readU64(bytes, at + 12),
    sequence: readU64(bytes, at + 20),
    offset: readU64(bytes, at + 28),
    crc: readU32(bytes, at + 36),
    lastIndex: undefined,
  };
}

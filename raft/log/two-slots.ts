import type { Disk, Done, Finished } from "../../src/base/env.js";
import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from "./bytes.js";
import { crc32c } from "./crc32c.js";
import { writeDurably } from "./durable-write.js";

/**
 * A small file with two slots that are written in turn, so that one torn write or one flipped bit spoils the older or
 * the newer state, never both. Of a slot:
 *
 *     0 magic  8 version u16  10 zero u16  12 generation u64  20 four fields, u64 each  52 CRC u32
 */
export interface SlotFile {
  readonly path: string;
  /** Eight letters. */
  readonly magic: string;
}

export type SlotFields = readonly [number, number, number, number];

export interface Slot {
  /** Counts what was written; the slot with the highest one counts. */
  readonly generation: number;
  readonly fields: SlotFields;
}

export interface Slots {
  /** The newest whole one; undefined when both are damaged, or none was ever finished. */
  readonly newest: Slot | undefined;
  /** As read; empty without a file. */
  readonly bytes: Uint8Array;
}

/** Far enough apart that one torn write can't hit both. */
const slotDistance = 4096;
export const slotOffsets = [0, slotDistance] as const;
const slotBytes = 56;
const crcAt = 52;
const slotVersion = 2;

/**
 * What is read is durable afterwards: a process that was killed may have left it in the machine's memory only, and the next write, torn by a power
 * cut, would leave no whole slot.
 */
export function readSlots(disk: Disk, file: SlotFile, done: Done<Slots>): void {
  disk.size(file.path, (sizeError, size) => {
    if (sizeError || size < 0) return done(sizeError, { newest: undefined, bytes: new Uint8Array(0) });
    return disk.read(file.path, 0, slotDistance + slotBytes, (error, bytes) => {
      if (error) return done(error, undefined as never);
      return disk.sync(file.path, (syncError) => done(syncError, { newest: newestSlot(file, bytes), bytes }));
    });
  });
}

/** The newest whole slot in what a file holds. */
export function newestSlot(file: SlotFile, bytes: Uint8Array): Slot | undefined {
  const whole = slotOffsets.map((at) => decodeSlot(file, bytes, at)).filter((slot) => slot !== undefined);
  return whole.sort((left, right) => right.generation - left.generation)[0];
}

/** Writes and syncs the slot that belongs to the generation; the other one stays as it is. */
export function writeSlot(disk: Disk, file: SlotFile, slot: Slot, done: Finished): void {
  writeDurably(disk, file.path, slotOffsets[slot.generation % 2 === 0 ? 0 : 1], encodeSlot(file, slot), done);
}

/** Whether the bytes at `at` begin as a slot of this file and version. */
export function slotVersionAt(file: SlotFile, bytes: Uint8Array, at: number): number | undefined {
  const magic = new TextEncoder().encode(file.magic);
  if (bytes.length < at + 10 || magic.some((byte, offset) => bytes[at + offset] !== byte)) return undefined;
  return readU16(bytes, at + 8);
}

function encodeSlot(file: SlotFile, { generation, fields }: Slot): Uint8Array {
  const bytes = new Uint8Array(slotBytes);
  bytes.set(new TextEncoder().encode(file.magic));
  writeU16(bytes, 8, slotVersion);
  writeU64(bytes, 12, generation);
  for (const [place, field] of fields.entries()) writeU64(bytes, 20 + 8 * place, field);
  writeU32(bytes, crcAt, crc32c(bytes, 0, 0, crcAt));
  return bytes;
}

function decodeSlot(file: SlotFile, bytes: Uint8Array, at: number): Slot | undefined {
  if (slotVersionAt(file, bytes, at) !== slotVersion || bytes.length < at + slotBytes) return undefined;
  if (readU32(bytes, at + crcAt) !== crc32c(bytes, 0, at, at + crcAt)) return undefined;
  const [first, second, third, fourth] = [20, 28, 36, 44].map((offset) => readU64(bytes, at + offset));
  return {
    generation: readU64(bytes, at + 12),
    fields: [first as number, second as number, third as number, fourth as number],
  };
}

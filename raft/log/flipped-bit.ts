import { readU32, writeU32 } from "./bytes.js";
import { crc32c, crcBeforeBit, crcOfLastBit } from "./crc32c.js";
import type { DecodedRecord } from "./format.js";
import { decodeHeader, decodeRecord, hasEndMark, headerBytes, payloadBytesMax, recordHeaderBytes } from "./format.js";

/**
 * One flipped bit, the commonest damage of a disk at rest, is told from a torn write by the checksum: the difference
 * between the stored and the computed CRC says which bit it is, if any single one explains it. A torn write passes for one with a probability
 * of its bits / 2^32, and is then repaired from the other members instead of being cut, which does no harm.
 */

/** The record at `at` as it was, if it follows the one with this CRC and one bit of it is flipped. Its payload is a copy. */
export function unflippedRecord(bytes: Uint8Array, at: number, previousCrc: number): DecodedRecord | undefined {
  if (at + recordHeaderBytes > bytes.length) return undefined;
  const chain = (readU32(bytes, at + 8) ^ previousCrc) >>> 0;
  if ((chain & (chain - 1)) !== 0) return undefined;
  const decode = (): DecodedRecord | undefined => {
    const record = decodeRecord(bytes, at);
    return record?.previousCrc === previousCrc ? { ...record, payload: record.payload.slice() } : undefined;
  };
  const length = readU32(bytes, at + 4);
  for (let bit = 0; bit < 32; bit++) {
    const record = withLength(bytes, at, (length ^ (1 << bit)) >>> 0, decode);
    if (record) return record;
  }
  const end = at + recordHeaderBytes + length;
  if (length > payloadBytesMax || end > bytes.length) return undefined;
  const flipped = flippedBit(bytes, at, end);
  return flipped === undefined ? undefined : withFlipped(bytes, flipped, decode);
}

/**
 * Whether the last write of a log was whole and has a record at `at` of which one bit is flipped. A torn one can differ in
 * one bit too, when no more than that was in the bytes it lacks; but it lacks the end mark as well.
 */
export function isFlippedInLastWrite(bytes: Uint8Array, at: number, previousCrc: number): boolean {
  const record = unflippedRecord(bytes, at, previousCrc);
  if (!record) return false;
  let { end } = record;
  for (let next = decodeRecord(bytes, end); next; next = decodeRecord(bytes, end)) ({ end } = next);
  return hasEndMark(bytes, end);
}

/** Puts a segment's header right when one bit of it is flipped, and says whether it did. */
export function unflipHeader(bytes: Uint8Array): boolean {
  const found = decodeHeader(bytes);
  if (bytes.length < headerBytes || (found !== "magic" && found !== "checksum")) return false;
  for (let bit = 0; bit < 8 * headerBytes; bit++) {
    flip(bytes, bit);
    if (typeof decodeHeader(bytes) === "object") return true;
    flip(bytes, bit);
  }
  return false;
}

/** Counted from the first bit of the file, the lowest of a byte first. */
function flippedBit(bytes: Uint8Array, at: number, end: number): number | undefined {
  const difference = (readU32(bytes, at) ^ crc32c(bytes, 0, at + 4, end)) >>> 0;
  if (difference === 0) return undefined;
  if ((difference & (difference - 1)) === 0) return 8 * at + Math.log2(difference);
  let effect = crcOfLastBit;
  for (let bit = 8 * end - 1; bit >= 8 * (at + 4); bit--) {
    if (effect === difference) return bit;
    effect = crcBeforeBit(effect);
  }
  return undefined;
}

function withLength<T>(bytes: Uint8Array, at: number, length: number, run: () => T | undefined): T | undefined {
  if (length > payloadBytesMax) return undefined;
  const before = readU32(bytes, at + 4);
  writeU32(bytes, at + 4, length);
  const result = run();
  writeU32(bytes, at + 4, before);
  return result;
}

function withFlipped<T>(bytes: Uint8Array, bit: number, run: () => T | undefined): T | undefined {
  flip(bytes, bit);
  const result = run();
  flip(bytes, bit);
  return result;
}

function flip(bytes: Uint8Array, bit: number): void {
  bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit & 7));
}

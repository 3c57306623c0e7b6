import { limits } from "../../src/base/limits.js";
import type { Index, NodeId, Term } from "../core/types.js";
import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from "./bytes.js";
import { crc32c } from "./crc32c.js";

/**
 * Bytes of a segment, all integers little-endian, every record at a multiple of 8:
 *
 *     header   0 magic "IKADALOG"  8 version u16  10 zero u16  12 key id u32  16 cluster u64  24 node u64
 *              32 sequence u64  40 first index u64  48 CRC of the previous record u32  52 zero u64  60 CRC u32
 *     record   0 CRC u32 of all that follows  4 payload length u32  8 CRC of the previous record u32
 *              12 offset of the durable write it belongs to u32  16 kind u8  17 zero (7 bytes)
 *              24 index u64  32 term u64  40 payload, then up to 7 bytes that nobody reads
 *
 * The previous record's CRC chains all records of all segments. The offset of the durable write tells a
 * torn tail from damage: a write starts only when the one before it is durable, so a valid record of a
 * later write proves that a broken one before it had once been whole.
 *
 * Behind the last record of a write of version 2 stand eight bytes 0xff, over which the next write begins: a torn write lacks them, one of
 * which a bit is flipped does not.
 *
 * A segment of version 2 begins with one durable write at offset 0, header and records together; its first record
 * is a start record, which holds all that later ones need, so that segments before it can be removed. Version 1 had a header in a write of
 * its own and no start record; such a segment is read, and never appended to.
 */
export const formatVersion = 2;
export const headerBytes = 64;
export const recordHeaderBytes = 40;
/** A longer one is damage: nothing that is written comes near it. */
export const payloadBytesMax = 2 * limits.entryBytesMax;

/** Numbers on disk; never reused. */
export const recordKinds = {
  entry: 1,
  confChangeEntry: 2,
  hardState: 3,
  configuration: 4,
  /** Replaces the whole log before it by a point behind which it goes on. */
  snapshot: 5,
  /** What the log before this segment adds up to. */
  start: 6,
} as const;
export const endMarkBytes = 8;

export function writeEndMark(to: Uint8Array, at: number): void {
  to.fill(0xff, at, at + endMarkBytes);
}

export function hasEndMark(bytes: Uint8Array, at: number): boolean {
  return at + endMarkBytes <= bytes.length && bytes.subarray(at, at + endMarkBytes).every((byte) => byte === 0xff);
}

export type RecordKind = (typeof recordKinds)[keyof typeof recordKinds];

export interface SegmentHeader {
  /** 0: payloads are plain. */
  readonly keyId: number;
  /** Which log this is: a file that was copied from another replica or cluster is refused. */
  readonly cluster: number;
  readonly node: NodeId;
  /** 1 for the first segment, without gaps. */
  readonly sequence: number;
  /** Index of the next entry to be appended when the segment was begun. */
  readonly firstIndex: Index;
  readonly previousCrc: number;
}

export interface LogRecord {
  readonly kind: RecordKind;
  /**
   * Entries: their index. Hard state: the commit index. Configuration: the index it holds from. Snapshot: its index.
   * Start: the last index.
   */
  readonly index: Index;
  /** That of the entry at `index`; of a hard state its own. */
  readonly term: Term;
  readonly payload: Uint8Array;
}

export interface DecodedHeader extends SegmentHeader {
  readonly version: number;
}

export interface DecodedRecord extends LogRecord {
  readonly crc: number;
  readonly previousCrc: number;
  readonly batchOffset: number;
  /** Where the next record begins. */
  readonly end: number;
}

export type HeaderFault = "magic" | "checksum" | "version" | "key";

const segmentName = /^[0-9a-f]{16}\.seg$/;

/** Sequence numbers of the segments among these names of files, ascending. */
export function segmentSequences(names: readonly string[]): number[] {
  return names
    .filter((name) => segmentName.test(name))
    .map((name) => Number.parseInt(name, 16))
    .sort((left, right) => left - right);
}

/** Name of the segment with this sequence number; names sort as numbers do. */
export function segmentPath(sequence: number): string {
  return `log/${sequence.toString(16).padStart(16, "0")}.seg`;
}

export function recordBytes(payloadLength: number): number {
  return (recordHeaderBytes + payloadLength + 7) & ~7;
}

/** 53 bits that tell clusters apart; against mistakes, not against forgery. */
export function clusterHash(clusterId: string): number {
  const bytes = new TextEncoder().encode(clusterId);
  const low = crc32c(bytes);
  return (crc32c(bytes, low) & 0x1f_ffff) * 0x1_0000_0000 + low;
}

export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  bytes.set(magic);
  writeU16(bytes, 8, formatVersion);
  writeU32(bytes, 12, header.keyId);
  writeU64(bytes, 16, header.cluster);
  writeU64(bytes, 24, header.node);
  writeU64(bytes, 32, header.sequence);
  writeU64(bytes, 40, header.firstIndex);
  writeU32(bytes, 48, header.previousCrc);
  writeU32(bytes, 60, crc32c(bytes, 0, 0, 60));
  return bytes;
}

export function decodeHeader(bytes: Uint8Array): DecodedHeader | HeaderFault {
  if (bytes.length < headerBytes || magic.some((byte, at) => bytes[at] !== byte)) return "magic";
  if (readU32(bytes, 60) !== crc32c(bytes, 0, 0, 60)) return "checksum";
  const version = readU16(bytes, 8);
  if (version < 1 || version > formatVersion) return "version";
  const header = {
    version,
    keyId: readU32(bytes, 12),
    cluster: readU64(bytes, 16),
    node: readU64(bytes, 24),
    sequence: readU64(bytes, 32),
    firstIndex: readU64(bytes, 40),
    previousCrc: readU32(bytes, 48),
  };
  return header.keyId === 0 ? header : "key";
}

/** Writes one record at `at` (a multiple of 8, into zeroed bytes) and returns its CRC. `batchOffset` counts from the start of the file. */
export function encodeRecord(
  to: Uint8Array,
  at: number,
  record: LogRecord,
  previousCrc: number,
  batchOffset: number,
): number {
  const end = at + recordHeaderBytes + record.payload.length;
  writeU32(to, at + 4, record.payload.length);
  writeU32(to, at + 8, previousCrc);
  writeU32(to, at + 12, batchOffset);
  to[at + 16] = record.kind;
  writeU64(to, at + 24, record.index);
  writeU64(to, at + 32, record.term);
  to.set(record.payload, at + recordHeaderBytes);
  const crc = crc32c(to, 0, at + 4, end);
  writeU32(to, at, crc);
  return crc;
}

/** The record at `at` when it is whole, else undefined. The payload is a view into `bytes`. Does not look at the chain. */
export function decodeRecord(bytes: Uint8Array, at: number): DecodedRecord | undefined {
  if (at + recordHeaderBytes > bytes.length) return undefined;
  const length = readU32(bytes, at + 4);
  const kind = bytes[at + 16] as number;
  const batchOffset = readU32(bytes, at + 12);
  if (!isKind(kind) || batchOffset > at || length > payloadBytesMax) return undefined;
  const payloadEnd = at + recordHeaderBytes + length;
  const end = at + recordBytes(length);
  const crc = readU32(bytes, at);
  if (end > bytes.length || crc32c(bytes, 0, at + 4, payloadEnd) !== crc) return undefined;
  const index = readU64(bytes, at + 24);
  const term = readU64(bytes, at + 32);
  if (Number.isNaN(index) || Number.isNaN(term)) return undefined;
  const payload = bytes.subarray(at + recordHeaderBytes, payloadEnd);
  return { kind, index, term, payload, crc, previousCrc: readU32(bytes, at + 8), batchOffset, end };
}

const magic = new TextEncoder().encode("IKADALOG");

function isKind(kind: number): kind is RecordKind {
  return kind >= recordKinds.entry && kind <= recordKinds.start;
}

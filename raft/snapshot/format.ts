import type { Index, Term } from "../core/types.js";
import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from "../log/bytes.js";
import { crc32c } from "../log/crc32c.js";

/**
 * Bytes of a snapshot file, all integers little-endian:
 *
 *     header   0 magic "IKADASNP"  8 version u16  10 zero u16  12 key id u32  16 cluster u64  24 index u64
 *              32 term u64  40 zero (20 bytes)  60 CRC u32
 *     chunk    0 CRC u32 of all that follows  4 payload length u32  8 number u32 from 0 on  12 kind u32  16 payload
 *
 * A chunk of the kind `rows` is the state machine's; what is in it is its own business. The last chunk, and the last bytes of a file that is
 * whole, is of the kind `end`; its payload: 0 digest of all chunks before, u64 as two u32  8 the configuration as of
 * `index`, then the offset of this chunk u64, by which one finds it from behind.
 */
export const formatVersion = 1;
export const headerBytes = 64;
export const chunkHeaderBytes = 16;

/** Numbers on disk; never reused. */
export const chunkKinds = { rows: 1, end: 2 } as const;

/** A length above it is damage. One row of the largest entry, with its key, is far below. */
export const payloadBytesMax = 16 * 1024 * 1024;

export interface SnapshotHeader {
  /** 0: payloads are plain. */
  readonly keyId: number;
  readonly cluster: number;
  readonly index: Index;
  readonly term: Term;
}

export interface ChunkHeader {
  readonly crc: number;
  readonly length: number;
  readonly number: number;
  readonly kind: number;
}

export interface SnapshotEnd {
  readonly digest: string;
  readonly configuration: Uint8Array;
}

export function encodeHeader({ keyId, cluster, index, term }: SnapshotHeader): Uint8Array {
  const bytes = new Uint8Array(headerBytes);
  bytes.set(magic);
  writeU16(bytes, 8, formatVersion);
  writeU32(bytes, 12, keyId);
  writeU64(bytes, 16, cluster);
  writeU64(bytes, 24, index);
  writeU64(bytes, 32, term);
  writeU32(bytes, 60, crc32c(bytes, 0, 0, 60));
  return bytes;
}

/** Or what is wrong with it. */
export function decodeHeader(bytes: Uint8Array): SnapshotHeader | string {
  if (bytes.length < headerBytes || magic.some((byte, at) => bytes[at] !== byte)) return "it is no snapshot";
  if (readU32(bytes, 60) !== crc32c(bytes, 0, 0, 60)) return "its header is damaged";
  const version = readU16(bytes, 8);
  if (version !== formatVersion) return `it has format ${version}, this version reads ${formatVersion}`;
  const header = {
    keyId: readU32(bytes, 12),
    cluster: readU64(bytes, 16),
    index: readU64(bytes, 24),
    term: readU64(bytes, 32),
  };
  if (header.keyId !== 0) return `it is encrypted with key ${header.keyId}`;
  return header;
}

export function encodeChunk(number: number, kind: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(chunkHeaderBytes + payload.length);
  writeU32(bytes, 4, payload.length);
  writeU32(bytes, 8, number);
  writeU32(bytes, 12, kind);
  bytes.set(payload, chunkHeaderBytes);
  writeU32(bytes, 0, crc32c(bytes, 0, 4));
  return bytes;
}

export function decodeChunkHeader(bytes: Uint8Array): ChunkHeader | undefined {
  if (bytes.length < chunkHeaderBytes) return undefined;
  const [crc, length, number, kind] = [0, 4, 8, 12].map((at) => readU32(bytes, at)) as [number, number, number, number];
  return length > payloadBytesMax ? undefined : { crc, length, number, kind };
}

/** Of a whole chunk, header included. */
export function isChunkWhole(bytes: Uint8Array, { crc, length }: ChunkHeader): boolean {
  return bytes.length === chunkHeaderBytes + length && crc32c(bytes, 0, 4) === crc;
}

export function encodeEnd({ digest, configuration }: SnapshotEnd, offset: number): Uint8Array {
  const payload = new Uint8Array(16 + configuration.length);
  writeU32(payload, 0, Number.parseInt(digest.slice(8), 16));
  writeU32(payload, 4, Number.parseInt(digest.slice(0, 8), 16));
  payload.set(configuration, 8);
  writeU64(payload, 8 + configuration.length, offset);
  return payload;
}

export function decodeEnd(payload: Uint8Array): SnapshotEnd | undefined {
  if (payload.length < 16) return undefined;
  const digest = digits(readU32(payload, 4)) + digits(readU32(payload, 0));
  return { digest, configuration: payload.slice(8, payload.length - 8) };
}

/** Length of the chunk header and payload that hold this configuration. */
export function endBytes(configuration: Uint8Array): number {
  return chunkHeaderBytes + 16 + configuration.length;
}

/**
 * What the chunks so far add up to: two multiply-and-xor lanes over their checksums. Equal for equal states at one index, on whatever
 * member; against accidents, not against forgery.
 */
export class ChunkDigest {
  #high = 0x9e3779b1 | 0;
  #low = 0x85ebca77 | 0;

  add(crc: number, length: number): void {
    for (const word of [crc, length]) {
      this.#high = rotate(Math.imul(this.#high ^ word, 0x85ebca6b), 15);
      this.#low = rotate(Math.imul(this.#low + word, 0xc2b2ae35), 13) ^ this.#high;
    }
  }

  /** 16 hexadecimal digits. */
  text(): string {
    return digits(this.#high >>> 0) + digits(this.#low >>> 0);
  }
}

const magic = new TextEncoder().encode("IKADASNP");

function digits(word: number): string {
  return word.toString(16).padStart(8, "0");
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

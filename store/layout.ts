import { ByteWriter } from "../src/base/byte-writer.js";

/**
 * The key space on disk. One ordered map, because a batch is atomic only inside one; the first byte says what a row is,
 * the second (for `s`, `k`, `r`) which keyspace it belongs to. All numbers in keys are 8 bytes, big endian, so that
 * byte order is number order.
 *
 *     m                                             → Meta: format, key id, applied index and term
 *     s <keyspace>                                  → KeyspaceMeta: revision, compact revision
 *     k <keyspace> <escaped key> 00 01 <revision>   → Record: one version of one key; the only place of a value
 *     r <keyspace> <revision> <operation no, 2 B>   → the key that this operation of this revision changed; operation 0's row has a stamp
 *                                                     behind it, which rows of format 1 lack: 00 01 <time, ms> <who asked, UTF-8>
 *     l <keyspace> <lease>                          → Lease
 *     c <client id>                                 → Answers: the exactly-once table's row of one client
 *     i                                             → index of a snapshot that is replacing all other rows; they mean nothing until it is gone
 *
 * Keys are strings and ordered by UTF-16 code units in memory. Each code unit is written as UTF-8 would write it (so a
 * surrogate pair takes 6 bytes), which keeps that order in bytes; a zero byte becomes 00 FF and 00 01 ends the key, so
 * that a key sorts before all keys it is a prefix of, and no key's versions mix with another's.
 */
export const formatVersion = 2;

/** Ikada's objects. */
export const objectKeyspace = 0;
/** Of the services under etcd's names. */
export const etcdKeyspace = 1;

/** Code units of the longest key. Group, kind, namespace and name of an object stay far below. */
export const keyLengthMax = 2048;

const tags = {
  meta: 0x6d,
  keyspace: 0x73,
  version: 0x6b,
  revision: 0x72,
  client: 0x63,
  lease: 0x6c,
  install: 0x69,
} as const;
const kinds: ReadonlyMap<number | undefined, keyof typeof tags> = new Map(
  Object.entries(tags).map(([kind, tag]) => [tag, kind as keyof typeof tags]),
);
const terminator = [0x00, 0x01] as const;
const numberBytes = 8;

export function metaKey(): Uint8Array {
  return Uint8Array.of(tags.meta);
}

export function installKey(): Uint8Array {
  return Uint8Array.of(tags.install);
}

/** Every row there can be: tags are ASCII. */
export function allRows(): { from: Uint8Array; to: Uint8Array } {
  return { from: new Uint8Array(0), to: Uint8Array.of(0x80) };
}

/** What a row is. @throws Error when no version up to this one wrote such rows. */
export function rowKind(row: Uint8Array): keyof typeof tags {
  const kind = kinds.get(row[0]);
  if (kind === undefined) throw new Error(`not a row of the store: ${hex(row)}`);
  return kind;
}

export function keyspaceKey(keyspace: number): Uint8Array {
  return Uint8Array.of(tags.keyspace, keyspace);
}

/** The row of one version of `key`. */
export function versionKey(keyspace: number, key: string, revision: number, into = new ByteWriter()): Uint8Array {
  into.byte(tags.version).byte(keyspace);
  writeEscaped(into, key);
  return into.byte(terminator[0]).byte(terminator[1]).number(revision).take();
}

/** All versions of `key` up to `revision`. */
export function versionsOf(keyspace: number, key: string, revision: number): { from: Uint8Array; to: Uint8Array } {
  return { from: versionKey(keyspace, key, 0), to: versionKey(keyspace, key, revision + 1) };
}

/** Where the versions of keys that start with `prefix` begin. */
export function versionsFrom(keyspace: number, prefix: string): Uint8Array {
  return writeEscaped(new ByteWriter().byte(tags.version).byte(keyspace), prefix).take();
}

/** Behind the last version of `key`, and before any other key. */
export function versionsAfter(keyspace: number, key: string): Uint8Array {
  const into = writeEscaped(new ByteWriter().byte(tags.version).byte(keyspace), key);
  return into
    .byte(terminator[0])
    .byte(terminator[1] + 1)
    .take();
}

/** Behind all versions of all keys that start with `prefix`. */
export function versionsTo(keyspace: number, prefix: string): Uint8Array {
  return successor(versionsFrom(keyspace, prefix));
}

/** @throws Error when the bytes are no version row. */
export function parseVersionKey(row: Uint8Array): { key: string; revision: number } {
  const end = row.length - numberBytes - terminator.length;
  if (row[0] !== tags.version || end < 2 || row[end] !== terminator[0] || row[end + 1] !== terminator[1])
    throw new Error(`not a version row: ${hex(row)}`);
  return { key: parseEscaped(row, 2, end), revision: parseNumber(row, end + terminator.length) };
}

export function revisionKey(
  keyspace: number,
  revision: number,
  operation: number,
  into = new ByteWriter(),
): Uint8Array {
  into.byte(tags.revision).byte(keyspace).number(revision);
  return into
    .byte(operation >>> 8)
    .byte(operation)
    .take();
}

export function parseRevisionKey(row: Uint8Array): { revision: number; operation: number } {
  if (row[0] !== tags.revision || row.length !== 2 + numberBytes + 2)
    throw new Error(`not a revision row: ${hex(row)}`);
  return {
    revision: parseNumber(row, 2),
    operation: ((row[2 + numberBytes] ?? 0) << 8) | (row[2 + numberBytes + 1] ?? 0),
  };
}

/** When a revision was made, and by whom. */
export interface Stamp {
  /** Milliseconds since 1970; 0 when it is not known. Never falls from one revision to the next. */
  readonly timeMs: number;
  readonly origin: string;
}

export const noStamp: Stamp = { timeMs: 0, origin: "" };

/** The value of a revision row. */
export function changeBytes(key: string, stamp?: Stamp, into = new ByteWriter()): Uint8Array {
  writeEscaped(into, key);
  if (stamp) {
    into.byte(terminator[0]).byte(terminator[1]).number(stamp.timeMs);
    for (const byte of new TextEncoder().encode(stamp.origin)) into.byte(byte);
  }
  return into.take();
}

export function parseChangeBytes(bytes: Uint8Array): { readonly key: string; readonly stamp: Stamp | undefined } {
  const end = stampStart(bytes);
  const key = parseEscaped(bytes, 0, end);
  const originAt = end + terminator.length + numberBytes;
  if (bytes.length < originAt) return { key, stamp: undefined };
  const origin = new TextDecoder().decode(bytes.subarray(originAt));
  return { key, stamp: { timeMs: parseNumber(bytes, end + terminator.length), origin } };
}

/** Inside of a key a zero byte is followed by FF. */
function stampStart(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(terminator[0]); at !== -1; at = bytes.indexOf(terminator[0], at + 2))
    if (bytes[at + 1] === terminator[1]) return at;
  return bytes.length;
}

export function leaseKey(keyspace: number, lease: number): Uint8Array {
  return new ByteWriter().byte(tags.lease).byte(keyspace).number(lease).take();
}

/** @throws Error when the bytes are no lease row. */
export function parseLeaseKey(row: Uint8Array): number {
  if (row[0] !== tags.lease || row.length !== 2 + numberBytes) throw new Error(`not a lease row: ${hex(row)}`);
  return parseNumber(row, 2);
}

/** All leases of a keyspace. */
export function leaseRange(keyspace: number): { from: Uint8Array; to: Uint8Array } {
  return { from: Uint8Array.of(tags.lease, keyspace), to: Uint8Array.of(tags.lease, keyspace + 1) };
}

export function clientKey(client: string): Uint8Array {
  const id = new TextEncoder().encode(client);
  const row = new Uint8Array(1 + id.length);
  row[0] = tags.client;
  row.set(id, 1);
  return row;
}

export function parseClientKey(row: Uint8Array): string {
  if (row[0] !== tags.client) throw new Error(`not a client row: ${hex(row)}`);
  return new TextDecoder("utf-8", { fatal: true }).decode(row.subarray(1));
}

/** All client rows. */
export function clientRange(): { from: Uint8Array; to: Uint8Array } {
  return { from: Uint8Array.of(tags.client), to: Uint8Array.of(tags.client + 1) };
}

/** The smallest row behind all rows that start with `row`. */
function successor(row: Uint8Array): Uint8Array {
  const next = row.slice();
  for (let at = next.length - 1; at >= 0; at -= 1) {
    const byte = next[at] ?? 0;
    if (byte < 0xff) {
      next[at] = byte + 1;
      return next.subarray(0, at + 1);
    }
  }
  throw new Error("no row is behind this one");
}

function writeEscaped(into: ByteWriter, key: string): ByteWriter {
  for (let at = 0; at < key.length; at += 1) {
    const unit = key.charCodeAt(at);
    if (unit === 0) into.byte(0x00).byte(0xff);
    else if (unit < 0x80) into.byte(unit);
    else if (unit < 0x800) into.byte(0xc0 | (unit >> 6)).byte(0x80 | (unit & 0x3f));
    else
      into
        .byte(0xe0 | (unit >> 12))
        .byte(0x80 | ((unit >> 6) & 0x3f))
        .byte(0x80 | (unit & 0x3f));
  }
  return into;
}

function parseEscaped(row: Uint8Array, from: number, to: number): string {
  let key = "";
  for (let at = from; at < to; at += 1) {
    const byte = row[at] ?? 0;
    if (byte === 0) {
      key += "\0";
      at += 1;
    } else if (byte < 0x80) key += String.fromCharCode(byte);
    else if (byte < 0xe0) {
      key += String.fromCharCode(((byte & 0x1f) << 6) | ((row[at + 1] ?? 0) & 0x3f));
      at += 1;
    } else {
      const high = (byte & 0x0f) << 12;
      key += String.fromCharCode(high | (((row[at + 1] ?? 0) & 0x3f) << 6) | ((row[at + 2] ?? 0) & 0x3f));
      at += 2;
    }
  }
  return key;
}

function parseNumber(row: Uint8Array, at: number): number {
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

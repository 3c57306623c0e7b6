import { encodeChunk } from "../../raft/snapshot/format.js";
import { crc32c } from "../../raft/log/crc32c.js";
import { readU16, readU32, writeU16, writeU32 } from "../../raft/log/bytes.js";
import { IkadaError } from "../../src/base/errors.js";
import type { BackupAbout } from "../store.js";

/**
 * Bytes of a backup, all integers little-endian:
 *
 *     header   0 magic "IKADABAK"  8 version u16  10 zero u16  12 key id u32  16 zero (44 bytes)  60 CRC u32
 *     chunks   as in a Raft snapshot (raft/snapshot/format.ts), numbered from 0 on: one `about`, any number of `rows`, one `end`
 *     digest   SHA-256 of all bytes before, 32 bytes, which end the file
 *
 * `about` and `end` are JSON: what it is a backup of, and how much there has to be. `rows` are the state machine's rows in key order, the same
 * as in a Raft snapshot: both keyspaces with the kept history, leases, and the exactly-once table.
 */
export const backupVersion = 1;
export const backupHeaderBytes = 64;
export const digestBytes = 32;

/** Numbers on disk; never reused, and none of a Raft snapshot's (1 `rows`, 2 `end`) with another meaning. */
export const backupChunkKinds = { rows: 1, about: 3, end: 4 } as const;

/** How much there is between the first row and the last. */
export interface BackupTotals {
  readonly chunks: number;
  readonly rows: number;
  /** Of keys and values. */
  readonly rowBytes: number;
}

export function encodeBackupHeader(): Uint8Array {
  const bytes = new Uint8Array(backupHeaderBytes);
  bytes.set(magic);
  writeU16(bytes, 8, backupVersion);
  writeU32(bytes, 12, plainKeyId);
  writeU32(bytes, 60, crc32c(bytes, 0, 0, 60));
  return bytes;
}

/** @throws IkadaError Invalid, Damaged, Unsupported */
export function checkBackupHeader(bytes: Uint8Array, name: string): void {
  if (bytes.length < magic.length || magic.some((byte, at) => bytes[at] !== byte))
    throw new IkadaError("Invalid", `${name} is no backup of Ikada`, {
      hint: "`ikada cluster backup FILE` makes one",
    });
  if (bytes.length < backupHeaderBytes) throw truncated(name, bytes.length);
  if (readU32(bytes, 60) !== crc32c(bytes, 0, 0, 60)) throw damaged(name, "its header is damaged");
  const version = readU16(bytes, 8);
  if (version < 1 || version > backupVersion)
    throw new IkadaError(
      "Unsupported",
      `${name} has backup format ${version}, this version of ikada reads format ${backupVersion}`,
      { hint: "use the version of ikada that made it, or a newer one" },
    );
  const keyId = readU32(bytes, 12);
  if (keyId !== plainKeyId)
    throw new IkadaError(
      "Unsupported",
      `${name} is encrypted with key ${keyId}, which this version of ikada cannot do`,
      {
        hint: "use the version of ikada that made it, or a newer one",
      },
    );
}

export function encodeAbout(about: BackupAbout): Uint8Array {
  return encodeChunk(0, backupChunkKinds.about, new TextEncoder().encode(JSON.stringify(about)));
}

/** @throws IkadaError Damaged */
export function decodeAbout(payload: Uint8Array, name: string): BackupAbout {
  const about = decodeJson(payload) as Partial<BackupAbout> | undefined;
  const { clusterId, version, appliedIndex, appliedTerm, timeMs, objects, etcd } = about ?? {};
  const numbers = [appliedIndex, appliedTerm, timeMs].concat(
    [objects, etcd].flatMap((keyspace) => [keyspace?.revision, keyspace?.compactRevision]),
  );
  if (typeof clusterId !== "string" || typeof version !== "string" || !numbers.every(isCount))
    throw damaged(name, "what it says of itself makes no sense");
  return about as BackupAbout;
}

export function encodeBackupEnd(number: number, totals: BackupTotals): Uint8Array {
  return encodeChunk(number, backupChunkKinds.end, new TextEncoder().encode(JSON.stringify(totals)));
}

/** Undefined for what no version up to this one wrote. */
export function decodeBackupEnd(payload: Uint8Array): BackupTotals | undefined {
  const totals = decodeJson(payload) as Partial<BackupTotals> | undefined;
  return [totals?.chunks, totals?.rows, totals?.rowBytes].every(isCount) ? (totals as BackupTotals) : undefined;
}

/** The file ends where more has to be. */
export function truncated(name: string, bytes: number): IkadaError {
  return damaged(name, `it ends after ${bytes} bytes and is not whole`);
}

export function damaged(name: string, fault: string): IkadaError {
  return new IkadaError("Damaged", `the backup ${name} can't be used: ${fault}`, {
    hint: "take another backup; of a damaged one nothing is restored",
  });
}

/** A chunk of rows. */
export function encodeRowsChunk(number: number, payload: Uint8Array): Uint8Array {
  return encodeChunk(number, backupChunkKinds.rows, payload);
}

const magic = new TextEncoder().encode("IKADABAK");
/** No encryption yet; the field is there so that it can come without a new format. */
const plainKeyId = 0;

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function decodeJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload)) as unknown;
  } catch {
    return undefined; // Told by the caller, who knows of what it is.
  }
}

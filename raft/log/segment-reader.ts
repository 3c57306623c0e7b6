import { IkadaError } from "../../src/base/errors.js";
import type { Index } from "../core/types.js";
import { isZero, readU32 } from "./bytes.js";
import type { DecodedHeader, DecodedRecord } from "./format.js";
import { decodeHeader, decodeRecord, headerBytes, recordHeaderBytes, recordKinds, segmentPath } from "./format.js";
import type { Marker } from "./marker.js";
import type { LogIdentity } from "./segment-writer.js";

/** A segment as it was read. */
export interface SegmentFile {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

export interface SegmentContent {
  /** CRC of the last record, or the header's when there is none. */
  readonly lastCrc: number;
  /** Offset behind the last whole record. */
  readonly end: number;
  /** The highest index of an entry in it; 0 when there is none. */
  readonly highestIndex: Index;
  /** What proves that a record at `end`, now broken or gone, had been durable. */
  readonly fault: string | undefined;
}

/**
 * Walks over one segment. A broken place is a torn write, which nobody was told of, unless something proves that it had
 * been durable: the marker, or a valid record of a later write (a later segment is compared by the caller).
 * `add` takes each record in order and returns what is wrong with it.
 */
export function readSegment(
  { sequence, bytes }: SegmentFile,
  { version, previousCrc }: DecodedHeader,
  marker: Marker,
  add: (record: DecodedRecord) => string | undefined,
): SegmentContent {
  let end = headerBytes;
  let batchOffset = version === 1 ? headerBytes : 0;
  let lastCrc = previousCrc;
  let highestIndex = 0;
  let markerSeen = marker.sequence !== sequence || marker.offset <= headerBytes;
  const content = (fault: string | undefined): SegmentContent => ({ lastCrc, end, highestIndex, fault });
  for (let record = decodeRecord(bytes, end); record; record = decodeRecord(bytes, end)) {
    if (record.previousCrc !== lastCrc) return content("the record does not continue the one before it");
    if (record.batchOffset !== end && record.batchOffset !== batchOffset)
      return content("the record belongs to no durable write");
    const fault = add(record);
    if (fault !== undefined) return content(fault);
    if (isEntry(record)) highestIndex = Math.max(highestIndex, record.index);
    ({ batchOffset, end } = record);
    lastCrc = record.crc;
    markerSeen ||= end === marker.offset && lastCrc === marker.crc;
  }
  if (!markerSeen) return content(`records up to offset ${marker.offset} were durable and are gone`);
  const later = findLaterWrite(bytes, end);
  return content(later === undefined ? undefined : `a broken record before a valid one at offset ${later}`);
}

/**
 * True when the bytes can be those of a segment whose first write was cut short: nothing that it needs to be read, and
 * no record of a later write.
 */
export function isUnfinished(bytes: Uint8Array): boolean {
  const header = decodeHeader(bytes);
  if (header === "version" || header === "key") return false;
  if (typeof header === "object" && (header.version === 1 || decodeRecord(bytes, headerBytes))) return false;
  return findLaterWrite(bytes, 0) === undefined;
}

/**
 * The header, or what is wrong with it.
 * @throws IkadaError when the segment is another member's, or another version wrote it
 */
export function readHeader(
  { sequence, bytes }: SegmentFile,
  identity: LogIdentity,
): DecodedHeader | { readonly fault: string } {
  const header = decodeHeader(bytes);
  if (header === "version" || header === "key")
    throw new IkadaError("Unsupported", `${segmentPath(sequence)}: written by another version (unknown ${header})`, {
      hint: "Start the version of ikada that wrote this data folder, or a newer one.",
    });
  if (typeof header === "string") return { fault: `the header's ${header} is wrong` };
  if (header.cluster !== identity.cluster || header.node !== identity.node)
    throw new IkadaError(
      "BadRequest",
      `${segmentPath(sequence)}: belongs to member ${header.node}${header.cluster === identity.cluster ? "" : " of another cluster"}, not to member ${identity.node} of this one`,
      { hint: "Give each replica the data folder that it made itself." },
    );
  return header.sequence === sequence ? header : { fault: `this is segment ${header.sequence}` };
}

/** Offset behind the last byte that is not zero, `from` at least. */
export function lastNonZero(bytes: Uint8Array, from: number): number {
  let end = bytes.length;
  const step = 4096;
  while (end - step >= from && isZero(bytes, end - step, end)) end -= step;
  while (end > from && bytes[end - 1] === 0) end--;
  return end;
}

/** Offset of a whole record behind `broken` that belongs to a write which began behind `broken`. */
function findLaterWrite(bytes: Uint8Array, broken: number): number | undefined {
  for (let at = (broken + 8) & ~7; at + recordHeaderBytes <= bytes.length; at += 8) {
    const batchOffset = readU32(bytes, at + 12);
    if (batchOffset > broken && batchOffset <= at && decodeRecord(bytes, at)) return at;
  }
  return undefined;
}

function isEntry({ kind }: DecodedRecord): boolean {
  return kind === recordKinds.entry || kind === recordKinds.confChangeEntry;
}

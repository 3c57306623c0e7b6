import { IkadaError } from "../../src/base/errors.js";
import { isZero, readU32 } from "./bytes.js";
import type { DecodedRecord, SegmentHeader } from "./format.js";
import { decodeHeader, decodeRecord, headerBytes, recordHeaderBytes, segmentPath } from "./format.js";
import type { Marker } from "./marker.js";

export interface SegmentContent {
  /** CRC of the last record, or the header's when there is none. */
  readonly lastCrc: number;
  /** Offset behind the last whole record. */
  readonly end: number;
  /** Offset behind the last byte that is not zero: above `end` when a torn write has to be cut. */
  readonly dirtyEnd: number;
}

export interface ReadSegmentOptions {
  readonly sequence: number;
  /** What the header has to say. */
  readonly expected: Omit<SegmentHeader, "firstIndex">;
  /** False when a later segment exists: it was begun after everything in this one had become durable. */
  readonly mayBeTorn: boolean;
  readonly marker: Marker;
  /** Takes each record in order and returns what is wrong with it. */
  readonly add: (record: DecodedRecord) => string | undefined;
}

/**
 * Walks over one segment. A broken place at the end is a torn write, which nobody was told of, unless
 * something proves that it had been durable: a later segment, a valid record of a later write, or the marker.
 * @throws IkadaError Internal when the segment is damaged
 */
export function readSegment(bytes: Uint8Array, options: ReadSegmentOptions): SegmentContent {
  const { sequence, marker } = options;
  checkHeader(bytes, options);
  let at = headerBytes;
  let batchOffset = headerBytes;
  let lastCrc = options.expected.previousCrc;
  let markerSeen = marker.sequence !== sequence || marker.offset === headerBytes;
  for (let record = decodeRecord(bytes, at); record; record = decodeRecord(bytes, at)) {
    if (record.previousCrc !== lastCrc) throw damaged(sequence, at, "the record does not continue the one before it");
    if (record.batchOffset !== at && record.batchOffset !== batchOffset)
      throw damaged(sequence, at, "the record belongs to no durable write");
    const fault = options.add(record);
    if (fault !== undefined) throw damaged(sequence, at, fault);
    ({ batchOffset } = record);
    at = record.end;
    lastCrc = record.crc;
    markerSeen ||= at === marker.offset && lastCrc === marker.crc;
  }
  const dirtyEnd = lastNonZero(bytes, at);
  if (!markerSeen) throw damaged(sequence, at, `records up to offset ${marker.offset} were durable and are gone`);
  if (!options.mayBeTorn && dirtyEnd > at) throw damaged(sequence, at, "a broken record before a later segment");
  const later = findLaterWrite(bytes, at);
  if (later !== undefined) throw damaged(sequence, at, `a broken record before a valid one at offset ${later}`);
  return { lastCrc, end: at, dirtyEnd };
}

/**
 * True when the bytes can be those of a segment whose creation was cut short: no whole header and no
 * record. Records are written only when the header is durable.
 */
export function isUnfinished(bytes: Uint8Array): boolean {
  const header = decodeHeader(bytes);
  return (header === "magic" || header === "checksum") && findLaterWrite(bytes, 0) === undefined;
}

/** An error that names file and place, and what to do about it. */
export function damaged(sequence: number, offset: number, fault: string): IkadaError {
  return damagedFile(segmentPath(sequence), `offset ${offset}: ${fault}`);
}

export function damagedFile(path: string, fault: string): IkadaError {
  return new IkadaError("Internal", `the Raft log is damaged: ${path}, ${fault}`, {
    hint:
      "Leave this replica stopped; the others serve without it while they are a majority. Keep the folder, check the disk, " +
      "and do not start the replica on an emptied folder: one that forgot its vote or its entries can make the cluster lose acknowledged writes.",
  });
}

function checkHeader(bytes: Uint8Array, options: ReadSegmentOptions): void {
  const { sequence, expected } = options;
  const header = decodeHeader(bytes);
  if (header === "version" || header === "key")
    throw new IkadaError("Unsupported", `${segmentPath(sequence)}: written by another version (unknown ${header})`, {
      hint: "Start the version of ikada that wrote this data folder, or a newer one.",
    });
  if (typeof header === "string") throw damaged(sequence, 0, `the header's ${header} is wrong`);
  if (header.cluster !== expected.cluster || header.node !== expected.node)
    throw new IkadaError(
      "BadRequest",
      `${segmentPath(sequence)}: belongs to member ${header.node}${header.cluster === expected.cluster ? "" : " of another cluster"}, not to member ${expected.node} of this one`,
      { hint: "Give each replica the data folder that it made itself." },
    );
  if (header.sequence !== sequence) throw damaged(sequence, 0, `this is segment ${header.sequence}`);
  if (header.previousCrc !== expected.previousCrc)
    throw damaged(sequence, 0, "the segment does not continue the one before it; records before it are gone");
}

/** Offset of a whole record behind `broken` that belongs to a write which began behind `broken`. */
function findLaterWrite(bytes: Uint8Array, broken: number): number | undefined {
  for (let at = (broken + 8) & ~7; at + recordHeaderBytes <= bytes.length; at += 8) {
    const batchOffset = readU32(bytes, at + 12);
    if (batchOffset > broken && batchOffset <= at && decodeRecord(bytes, at)) return at;
  }
  return undefined;
}

function lastNonZero(bytes: Uint8Array, from: number): number {
  let end = bytes.length;
  const step = 4096;
  while (end - step >= from && isZero(bytes, end - step, end)) end -= step;
  while (end > from && bytes[end - 1] === 0) end--;
  return end;
}

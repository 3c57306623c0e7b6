import type { Index } from "../core/types.js";
import { readU64 } from "./bytes.js";
import { unflippedRecord } from "./flipped-bit.js";
import type { DecodedRecord } from "./format.js";
import { decodeHeader, decodeRecord, headerBytes, recordHeaderBytes, recordKinds } from "./format.js";
import type { Marker } from "./marker.js";
import type { Damage, Examination } from "./examine.js";
import type { LogContent } from "./replay.js";
import type { SegmentFile } from "./segment-reader.js";
import { decodeStart } from "./start-record.js";
import { newerVote, type Vote } from "./vote-file.js";

/**
 * Entries that may be acknowledged beyond the last durable marker. When the end of a log is gone, this bounds what was in it; the
 * log lets nobody hear of more (raft-log.ts).
 */
export const entriesBeyondMarkerMax = 16_384;

/**
 * What a member that has lost records from `damage` on must still keep to: a vote at least as new as theirs, and an
 * index at or below which everything lies that it may have acknowledged. Undefined when none can be named: then only a marker of
 * version 1 knows that there was more.
 */
export function whatWasLost(
  files: readonly SegmentFile[],
  { damage, content, position }: Pick<Examination, "content" | "position"> & { readonly damage: Damage },
  marker: Marker,
): Vote | undefined {
  const evidence = new Evidence(content, marker);
  for (const { sequence, bytes } of files) {
    if (sequence < damage.sequence) continue;
    const isCut = sequence === damage.sequence && damage.offset > headerBytes;
    if (isCut) evidence.scan(sequence, bytes, damage.offset, position.lastCrc);
    else evidence.scan(sequence, bytes, headerBytes, headerCrc(bytes));
  }
  return evidence.sum();
}

function headerCrc(bytes: Uint8Array): number | undefined {
  const header = decodeHeader(bytes);
  return typeof header === "object" ? header.previousCrc : undefined;
}

class Evidence {
  readonly #marker: Marker;
  #vote: Vote;
  /** The log's last index as of the last record that was seen. */
  #lastIndex: Index;
  /** Whether the marker's place was seen, or it is in front of the damage. */
  #markerSeen: boolean;

  constructor({ before, entries, hardState }: LogContent, marker: Marker) {
    this.#marker = marker;
    this.#lastIndex = entries.at(-1)?.index ?? before.index;
    this.#vote = { term: hardState.term, vote: hardState.vote, recoverTo: hardState.commit };
    this.#markerSeen = marker.sequence === 0;
  }

  /** Takes every whole record from `from` on, and those of which one bit is flipped, where the CRC of the one before is known. */
  scan(sequence: number, bytes: Uint8Array, from: number, previousCrc: number | undefined): void {
    let chain = previousCrc;
    const { sequence: markerSequence, offset, crc } = this.#marker;
    this.#markerSeen ||= markerSequence < sequence || (markerSequence === sequence && offset <= from);
    for (let at = from; at + recordHeaderBytes <= bytes.length;) {
      const record = decodeRecord(bytes, at) ?? this.#unflipped(bytes, at, chain);
      if (record) {
        this.#take(record);
        this.#markerSeen ||= markerSequence === sequence && record.end === offset && record.crc === crc;
        chain = record.crc;
        at = record.end;
      } else {
        chain = undefined;
        at += 8;
      }
    }
  }

  sum(): Vote | undefined {
    const { lastIndex } = this.#marker;
    if (!this.#markerSeen && lastIndex === undefined) return undefined;
    const beyond = this.#markerSeen ? 0 : (lastIndex ?? 0) + entriesBeyondMarkerMax;
    // At least 1, since 0 says that nothing was lost.
    return { ...this.#vote, recoverTo: Math.max(1, this.#vote.recoverTo, this.#lastIndex, beyond) };
  }

  #unflipped(bytes: Uint8Array, at: number, chain: number | undefined): DecodedRecord | undefined {
    return chain === undefined ? undefined : unflippedRecord(bytes, at, chain);
  }

  #take({ kind, index, term, payload }: DecodedRecord): void {
    switch (kind) {
      case recordKinds.entry:
      case recordKinds.confChangeEntry:
        this.#lastIndex = index;
        this.#see(term, 0, 0);
        return;
      case recordKinds.hardState:
        if (payload.length === 16) this.#lastIndex = readU64(payload, 8);
        this.#see(term, readU64(payload, 0), index);
        return;
      case recordKinds.snapshot:
      case recordKinds.configuration:
        if (kind === recordKinds.snapshot) this.#lastIndex = index;
        this.#see(term, 0, index);
        return;
      case recordKinds.start: {
        const hardState = decodeStart(payload)?.hardState;
        this.#lastIndex = index;
        if (hardState) this.#see(hardState.term, hardState.vote, hardState.commit);
      }
    }
  }

  #see(term: number, vote: number, commit: Index): void {
    const recoverTo = Math.max(this.#vote.recoverTo, commit);
    this.#vote = { ...newerVote(this.#vote, { term, vote, recoverTo }), recoverTo };
  }
}

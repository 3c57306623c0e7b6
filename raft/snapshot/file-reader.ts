import type { Disk, Done, Finished } from "../../src/base/env.js";
import type { Index, Term } from "../core/types.js";
import { readU64 } from "../log/bytes.js";
import type { SnapshotPoint } from "../log/log-point.js";
import type { SnapshotHeader } from "./format.js";
import {
  ChunkDigest,
  chunkHeaderBytes,
  chunkKinds,
  decodeChunkHeader,
  decodeEnd,
  decodeHeader,
  headerBytes,
  isChunkWhole,
} from "./format.js";

/** A file that is whole to the last byte. */
export interface SnapshotFile {
  readonly index: Index;
  readonly term: Term;
  readonly configuration: Uint8Array;
  readonly bytes: number;
  readonly digest: string;
}

export interface Examined {
  /** So much from the start is as it was written. */
  readonly validBytes: number;
  readonly file: SnapshotFile | undefined;
  /** Why there is no `file`. */
  readonly fault: string;
}

/** Gets the payload of each chunk of rows, in order, and asks for the next by `done`. */
export type VisitRows = (payload: Uint8Array, done: Finished) => void;

/**
 * Reads a snapshot file from its start to its end or to the first byte that is missing or damaged, one chunk in memory at a time.
 * `done` has an error only when the disk or `visit` has failed.
 */
export function examineSnapshot(
  disk: Disk,
  path: string,
  cluster: number,
  visit: VisitRows,
  done: Done<Examined>,
): void {
  disk.read(path, 0, headerBytes, (error, bytes) => {
    if (error) return done(error, nothing);
    const header = decodeHeader(bytes);
    if (typeof header === "string") return done(null, { ...nothing, fault: header });
    if (header.cluster !== cluster) return done(null, { ...nothing, fault: "it is another cluster's" });
    return new Examination(disk, path, header, visit, done).next();
  });
}

/** For who only wants to know whether a file is whole. */
export const visitNothing: VisitRows = (_payload, done) => done(null);

const nothing: Examined = { validBytes: 0, file: undefined, fault: "" };

class Examination {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #header: SnapshotHeader;
  readonly #visit: VisitRows;
  readonly #done: Done<Examined>;
  readonly #digest = new ChunkDigest();
  #offset = headerBytes;
  #number = 0;

  constructor(disk: Disk, path: string, header: SnapshotHeader, visit: VisitRows, done: Done<Examined>) {
    this.#disk = disk;
    this.#path = path;
    this.#header = header;
    this.#visit = visit;
    this.#done = done;
  }

  next(): void {
    this.#disk.read(this.#path, this.#offset, chunkHeaderBytes, (error, head) => {
      if (error) return this.#done(error, nothing);
      const header = decodeChunkHeader(head);
      if (!header || header.number !== this.#number) return this.#stop(`it ends or is damaged at byte ${this.#offset}`);
      return this.#disk.read(this.#path, this.#offset, chunkHeaderBytes + header.length, (chunkError, chunk) => {
        if (chunkError) return this.#done(chunkError, nothing);
        if (!isChunkWhole(chunk, header)) return this.#stop(`the chunk at byte ${this.#offset} is damaged`);
        const payload = chunk.subarray(chunkHeaderBytes);
        if (header.kind === chunkKinds.end) return this.#end(payload, chunk.length);
        if (header.kind !== chunkKinds.rows) return this.#stop(`a chunk of unknown kind ${header.kind}`);
        this.#digest.add(header.crc, header.length);
        this.#number += 1;
        this.#offset += chunk.length;
        return this.#visit(payload, (visitError) => (visitError ? this.#done(visitError, nothing) : this.next()));
      });
    });
  }

  #end(payload: Uint8Array, length: number): void {
    const end = decodeEnd(payload);
    const digest = this.#digest.text();
    if (!end || end.digest !== digest) return this.#stop("its digest is not that of its chunks");
    const bytes = this.#offset + length;
    return this.#disk.size(this.#path, (error, size) => {
      if (error) return this.#done(error, nothing);
      if (size !== bytes) return this.#stop(`${size - bytes} bytes follow its end`);
      const { index, term } = this.#header;
      const file = { index, term, configuration: end.configuration, bytes, digest };
      return this.#done(null, { validBytes: bytes, file, fault: "" });
    });
  }

  #stop(fault: string): void {
    this.#done(null, { validBytes: this.#offset, file: undefined, fault });
  }
}

/** Where the log goes on behind a complete file, read from its end alone; undefined when that is damaged. */
export function readSnapshotEnd(
  disk: Disk,
  path: string,
  cluster: number,
  done: Done<SnapshotPoint | undefined>,
): void {
  const fail = (error: Error): void => done(error, undefined);
  disk.size(path, (sizeError, size) => {
    if (sizeError) return fail(sizeError);
    if (size < headerBytes + chunkHeaderBytes) return done(null, undefined);
    return disk.read(path, 0, headerBytes, (headError, head) => {
      if (headError) return fail(headError);
      const header = decodeHeader(head);
      if (typeof header === "string" || header.cluster !== cluster) return done(null, undefined);
      return disk.read(path, size - 8, 8, (placeError, place) => {
        if (placeError) return fail(placeError);
        const offset = readU64(place, 0);
        if (!(offset >= headerBytes && offset < size)) return done(null, undefined);
        return disk.read(path, offset, size - offset, (error, chunk) => {
          if (error) return fail(error);
          const chunkHeader = decodeChunkHeader(chunk);
          if (chunkHeader?.kind !== chunkKinds.end || !isChunkWhole(chunk, chunkHeader)) return done(null, undefined);
          const end = decodeEnd(chunk.subarray(chunkHeaderBytes));
          if (!end) return done(null, undefined);
          return done(null, { index: header.index, term: header.term, configuration: end.configuration });
        });
      });
    });
  });
}

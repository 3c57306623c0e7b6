import type { Disk, Finished } from "../../src/base/env.js";
import { invariant } from "../../src/base/errors.js";
import type { Index, Term } from "../core/types.js";
import { completePath, makingPath, prune, snapshotFolder } from "./files.js";
import { ChunkDigest, chunkKinds, encodeChunk, encodeEnd, encodeHeader, endBytes } from "./format.js";

/** A file with all its rows, not yet complete: its end is written by who knows the configuration as of its index. */
export interface WrittenSnapshot {
  readonly index: Index;
  readonly term: Term;
  readonly bytes: number;
  readonly chunks: number;
  readonly digest: string;
}

/** Writes the rows of a new snapshot to `makingPath`, chunk after chunk. Nothing of it counts before `completeSnapshot`. */
export class SnapshotWriter {
  readonly #disk: Disk;
  readonly #header: Uint8Array;
  readonly #index: Index;
  readonly #term: Term;
  readonly #digest = new ChunkDigest();
  #bytes = 0;
  #chunks = 0;
  #busy = false;

  constructor(disk: Disk, identity: { readonly cluster: number; readonly index: Index; readonly term: Term }) {
    this.#disk = disk;
    this.#index = identity.index;
    this.#term = identity.term;
    this.#header = encodeHeader({ keyId: 0, ...identity });
  }

  /** Begins with an empty file. */
  open(done: Finished): void {
    const then = (next: () => void): Finished => {
      return (error) => (error ? done(error) : next());
    };
    const writeHeader = then(() => {
      this.#bytes = this.#header.length;
      this.#disk.write(makingPath, 0, this.#header, done);
    });
    this.#disk.makeFolder(
      snapshotFolder,
      then(() => this.#disk.remove(makingPath, writeHeader)),
    );
  }

  /** One at a time. */
  add(payload: Uint8Array, done: Finished): void {
    invariant(!this.#busy, "chunks are written one after the other");
    this.#busy = true;
    const chunk = encodeChunk(this.#chunks, chunkKinds.rows, payload);
    this.#digest.add(new DataView(chunk.buffer).getUint32(0, true), payload.length);
    this.#disk.write(makingPath, this.#bytes, chunk, (error) => {
      this.#busy = false;
      if (error) return done(error);
      this.#chunks += 1;
      this.#bytes += chunk.length;
      return done(null);
    });
  }

  get written(): WrittenSnapshot {
    const [index, term, bytes, chunks] = [this.#index, this.#term, this.#bytes, this.#chunks];
    return { index, term, bytes, chunks, digest: this.#digest.text() };
  }
}

/** Gives the file its end, makes it durable, and only then its name. Returns the length it has then. */
export function completeSnapshot(
  disk: Disk,
  written: WrittenSnapshot,
  configuration: Uint8Array,
  done: Finished,
): number {
  const { index, term, bytes, chunks, digest } = written;
  const end = encodeChunk(chunks, chunkKinds.end, encodeEnd({ digest, configuration }, bytes));
  const finish: Finished = (error) => (error ? done(error) : nameSnapshot(disk, makingPath, index, term, done));
  disk.write(makingPath, bytes, end, (error) => (error ? done(error) : disk.sync(makingPath, finish)));
  return bytes + endBytes(configuration);
}

/** The last step of making or receiving: `path` is whole and synced. */
export function nameSnapshot(disk: Disk, path: string, index: Index, term: Term, done: Finished): void {
  disk.rename(path, completePath(index, term), (error) => {
    if (error) return done(error);
    return disk.syncFolder(snapshotFolder, (syncError) => (syncError ? done(syncError) : prune(disk, done)));
  });
}

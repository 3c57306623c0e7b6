import type { SeededRandom } from "./random.js";

/** One change of a file's bytes that no sync has covered yet. */
export interface FileChange {
  /** Orders completions over the whole disk. */
  readonly order: number;
  readonly offset: number;
  /** Undefined for a truncation to `offset`. */
  readonly bytes: Uint8Array | undefined;
}

/** A growing array of bytes; gaps read as zeros. */
export class Image {
  #bytes: Uint8Array;
  length: number;

  constructor(bytes = new Uint8Array(0), length = 0) {
    this.#bytes = bytes;
    this.length = length;
  }

  copy(): Image {
    return new Image(this.#bytes.slice(0, this.length), this.length);
  }

  read(offset: number, length: number): Uint8Array {
    return this.#bytes.slice(offset, Math.min(this.length, offset + length));
  }

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  flip(offset: number, bit: number): void {
    if (offset < this.length) this.#bytes[offset] = (this.#bytes[offset] ?? 0) ^ (1 << bit);
  }

  apply(change: FileChange): void {
    const { offset, bytes } = change;
    if (bytes === undefined) return this.#resize(offset);
    if (offset + bytes.length > this.length) this.#resize(offset + bytes.length);
    this.#bytes.set(bytes, offset);
  }

  #resize(length: number): void {
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    if (length < this.length) this.#bytes.fill(0, length, this.length);
    this.length = length;
  }
}

/** How a power cut treats what was not synced. */
export interface CrashLoss {
  /** Only a process died: what was written stays in the page cache, and is still not durable. */
  readonly processOnly: boolean;
  /** Of what was not synced: nothing stays, a prefix stays, or any subset. */
  readonly keep: "nothing" | "prefix" | "subset";
  /** Probability that a kept write is torn, and at which boundary. */
  readonly tearRate: number;
  readonly tearBytes: 1 | 512;
}

/** What a path names: the bytes that reads see, the bytes that a power cut leaves, and the changes between them. */
export class SimulatedFile {
  cached = new Image();
  durable = new Image();
  changes: FileChange[] = [];

  change(change: FileChange): void {
    this.cached.apply(change);
    this.changes.push(change);
  }

  /** Makes durable all changes up to `order`. */
  sync(order: number): void {
    let count = 0;
    for (const change of this.changes) {
      if (change.order > order) break;
      this.durable.apply(change);
      count++;
    }
    this.changes.splice(0, count);
  }

  /** The power cut: what remains of the changes, in their order. */
  lose(random: SeededRandom, loss: CrashLoss): void {
    const kept = loss.keep === "nothing" ? 0 : loss.keep === "prefix" ? random.int(this.changes.length + 1) : Infinity;
    this.changes.forEach((change, position) => {
      if (position >= kept || (loss.keep === "subset" && random.chance(0.5))) return;
      for (const part of random.chance(loss.tearRate) ? tear(random, change, loss.tearBytes) : [change]) {
        this.durable.apply(part);
      }
    });
    this.cached = this.durable.copy();
    this.changes = [];
  }
}

/** Some sectors of a write, or its first bytes. */
export function tear(random: SeededRandom, change: FileChange, boundaryBytes: number): FileChange[] {
  const { bytes, offset, order } = change;
  if (bytes === undefined || bytes.length === 0) return [];
  if (boundaryBytes === 1) return [{ order, offset, bytes: bytes.subarray(0, random.int(bytes.length)) }];
  const parts: FileChange[] = [];
  for (let at = 0; at < bytes.length;) {
    // Sectors are the disk's, not the write's: cut at multiples of the file's offset.
    const end = Math.min(bytes.length, at + boundaryBytes - ((offset + at) % boundaryBytes));
    if (random.chance(0.5)) parts.push({ order, offset: offset + at, bytes: bytes.subarray(at, end) });
    at = end;
  }
  return parts;
}

import { limits } from "../src/base/limits.js";
import type { Stamp } from "./layout.js";
import type { KeyRecord, Revision, WatchBatch } from "./store.js";

/** How much of the past is kept in memory; more is kept only while the disk does not have it yet. */
export interface RecentBounds {
  readonly eventsMax: number;
  readonly bytesMax: number;
}

/** What one transaction did, when, and for whom. */
export interface Stamped {
  readonly batch: WatchBatch;
  readonly stamp: Stamp;
}

/**
 * The last changes, in memory: watches that resume and lists at a recent revision need no disk, and since nothing is
 * dropped before the disk has it, memory and disk together always hold every revision from the compact revision on.
 */
export class RecentBatches {
  readonly #bounds: RecentBounds;
  #batches: Stamped[] = [];
  #head = 0;
  #start: Revision;
  #written: Revision;
  #events = 0;
  #bytes = 0;

  constructor(
    revision: Revision,
    bounds: RecentBounds = { eventsMax: limits.watchQueueEventsMax, bytesMax: limits.watchQueueBytesMax },
  ) {
    this.#bounds = bounds;
    this.#start = revision;
    this.#written = revision;
  }

  /** Every batch of a later revision is here; every batch up to it is on disk. */
  get start(): Revision {
    return this.#start;
  }

  /** Revisions have no gaps: `batch.revision` follows the last one's. */
  push(batch: WatchBatch, stamp: Stamp): void {
    this.#batches.push({ batch, stamp });
    this.#events += batch.events.length;
    this.#bytes += bytesOf(batch);
    this.#trim();
  }

  /** The disk has everything up to `revision`. */
  written(revision: Revision): void {
    this.#written = revision;
    this.#trim();
  }

  /** Batches of revisions greater than `revision`, which must not be before `start`. */
  *after(revision: Revision): Generator<WatchBatch, void, undefined> {
    for (const { batch } of this.stampedAfter(revision)) yield batch;
  }

  /** The same, with when they were made and by whom. */
  *stampedAfter(revision: Revision): Generator<Stamped, void, undefined> {
    for (let at = this.#head + (revision - this.#start); at < this.#batches.length; at += 1) {
      const stamped = this.#batches[at];
      if (stamped) yield stamped;
    }
  }

  /** The newest revision of here that was made at or before `timeMs`; undefined when all were made later. */
  revisionAt(timeMs: number): Revision | undefined {
    let [low, high] = [this.#head, this.#batches.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#batches[middle]!.stamp.timeMs <= timeMs) low = middle + 1;
      else high = middle;
    }
    return low > this.#head ? this.#batches[low - 1]!.batch.revision : undefined;
  }

  /** What keys changed after `revision` were at `revision`; undefined for those that did not exist then. */
  before(revision: Revision): Map<string, KeyRecord | undefined> {
    const records = new Map<string, KeyRecord | undefined>();
    for (const batch of this.after(revision))
      for (const event of batch.events) if (!records.has(event.key)) records.set(event.key, event.previous);
    return records;
  }

  #trim(): void {
    while (this.#events > this.#bounds.eventsMax || this.#bytes > this.#bounds.bytesMax) {
      const oldest = this.#batches[this.#head];
      if (!oldest || oldest.batch.revision > this.#written) break;
      this.#head += 1;
      this.#start = oldest.batch.revision;
      this.#events -= oldest.batch.events.length;
      this.#bytes -= bytesOf(oldest.batch);
    }
    // Moves the rest down only when half is gone, so that dropping costs O(1) on average.
    if (this.#head > 64 && this.#head * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(this.#head);
      this.#head = 0;
    }
  }
}

function bytesOf(batch: WatchBatch): number {
  let bytes = 0;
  for (const event of batch.events) bytes += event.key.length + event.record.value.length + 64;
  return bytes;
}

import type { Done, Finished } from "../src/base/env.js";

/**
 * An ordered map of bytes on disk: RocksDB (store/rocks) or the simulator's. Keys compare by bytes.
 * A batch is atomic. Batches become durable in order: after a crash a prefix of them is there, at
 * least up to the last `flush` that completed. Nothing else is promised about the tail.
 */
export interface KeyValue extends KeyValueReader {
  /**
   * Applies puts, then deletes, as one atomic step. Batches take effect in the order of the calls. Of one that failed nothing is there, but
   * one that was written behind it may have taken effect: who cares waits for the first.
   */
  write(batch: KeyValueBatch, done: Finished): void;
  get(key: Uint8Array, done: Done<Uint8Array | undefined>): void;
  /** Up to `limit` pairs with from <= key < to, ascending, or descending from the end when `reverse`. */
  scan(range: KeyRange, done: Done<readonly KeyValuePair[]>): void;
  /** When it completes, every batch completed before is durable. */
  flush(done: Finished): void;
  /**
   * What is there now, to be read while writes go on: all of each batch that has completed, nothing of one written after
   * this call. It keeps the disk from reclaiming space, so it is closed soon; the owner closes it before the store.
   */
  view(): KeyValueView;
  close(): Promise<void>;
}

export interface KeyValueReader {
  get(key: Uint8Array, done: Done<Uint8Array | undefined>): void;
  scan(range: KeyRange, done: Done<readonly KeyValuePair[]>): void;
}

export interface KeyValueView extends KeyValueReader {
  /** Calls after it are refused. Idempotent. */
  close(): void;
}

export interface KeyValueBatch {
  readonly puts: readonly KeyValuePair[];
  readonly deletes: readonly Uint8Array[];
}

export interface KeyValuePair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly limit: number;
  readonly reverse?: boolean;
}

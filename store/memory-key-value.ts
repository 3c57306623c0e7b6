import type { Done, Finished } from "../src/base/env.js";
import type { KeyRange, KeyValue, KeyValueBatch, KeyValuePair, KeyValueView } from "./key-value.js";
import { SortedMap } from "./sorted-map.js";

/** Runs a function soon, after the present call has returned. */
export type Defer = (run: () => void) => void;

/** A `KeyValue` without a disk, for one process that keeps nothing. The contract suite holds it to what RocksDB does. */
export class MemoryKeyValue implements KeyValue {
  readonly #pairs: SortedMap<KeyValuePair>;
  readonly #defer: Defer;
  #closed = false;

  constructor(defer: Defer = microtask, pairs = new SortedMap<KeyValuePair>()) {
    this.#defer = defer;
    this.#pairs = pairs;
  }

  write(batch: KeyValueBatch, done: Finished): void {
    if (this.#closed) return this.#refuse(done);
    for (const { key, value } of batch.puts)
      this.#pairs.set(latin(key), { key: new Uint8Array(key), value: new Uint8Array(value) });
    for (const key of batch.deletes) this.#pairs.delete(latin(key));
    this.#defer(() => done(null));
  }

  get(key: Uint8Array, done: Done<Uint8Array | undefined>): void {
    if (this.#closed) return this.#refuse((error) => done(error, undefined));
    const found = this.#pairs.get(latin(key))?.value;
    this.#defer(() => done(null, found));
  }

  scan(range: KeyRange, done: Done<readonly KeyValuePair[]>): void {
    if (this.#closed) return this.#refuse((error) => done(error, []));
    const found = this.#pairs.between(latin(range.from), latin(range.to), range.limit, range.reverse ?? false);
    this.#defer(() => done(null, found));
  }

  flush(done: Finished): void {
    if (this.#closed) return this.#refuse(done);
    this.#defer(() => done(null));
  }

  view(): KeyValueView {
    const copy = new MemoryKeyValue(this.#defer, this.#pairs.copy());
    if (this.#closed) void copy.close();
    return {
      get: (key, done) => copy.get(key, done),
      scan: (range, done) => copy.scan(range, done),
      close: () => void copy.close(),
    };
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #refuse(done: Finished): void {
    this.#defer(() => done(new Error("the key-value store is closed")));
  }
}

export function microtask(run: () => void): void {
  void Promise.resolve().then(run);
}

/** Bytes as a string whose code-unit order is the bytes' order. */
function latin(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

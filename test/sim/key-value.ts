import type { Done, Finished } from "../../src/base/env.js";
import type { KeyRange, KeyValue, KeyValueBatch, KeyValuePair, KeyValueView } from "../../store/key-value.js";
import type { CrashLoss } from "./disk-file.js";
import type { Process, World } from "./world.js";

export interface KeyValueFaults {
  latencyUsMin: number;
  latencyUsMax: number;
  flushUsMin: number;
  flushUsMax: number;
  /** Probability that a write or a flush fails; the write did nothing. */
  errorRate: number;
}

/** What undoes one batch: the values before it, undefined for a key that was not there. */
type Undo = readonly { readonly key: string; readonly before: Uint8Array | undefined }[];

/**
 * RocksDB as its contract (store/key-value.ts) describes it: batches are atomic and take effect in the order of the
 * calls; a power cut leaves a prefix of them, at least up to the last flush that completed.
 */
export class SimulatedKeyValue {
  readonly faults: KeyValueFaults;
  /** Told of each failed request, before its caller. */
  onError: () => void = () => undefined;
  readonly #world: World;
  readonly #values = new Map<string, Uint8Array>();
  /** All keys in order; rebuilt when asked for after a key came or went. */
  #sortedKeys: string[] | undefined = [];
  /** One for each batch that a power cut may take back, oldest first. */
  #undos: Undo[] = [];
  /** Batches whose call was made and that did not take effect yet, oldest first. */
  #queue: { readonly batch: KeyValueBatch; readonly done: Finished }[] = [];
  /** Batches that ever took effect; `#undos` holds the last ones of them. */
  #written = 0;

  constructor(world: World, faults: KeyValueFaults) {
    this.#world = world;
    this.faults = faults;
  }

  /** The database as a process's present incarnation sees it. */
  open(process: Process): KeyValue {
    const epoch = process.epoch;
    const request = (latencyUs: number, run: () => void): void => {
      if (process.epoch === epoch) this.#world.after(latencyUs, run, process);
    };
    return {
      write: (batch, done) => {
        if (process.epoch !== epoch) return;
        this.#queue.push({ batch, done });
        request(this.#latency(), () => this.#writeFirst());
      },
      get: (key, done) => request(this.#latency(), () => done(null, this.#values.get(toText(key))?.slice())),
      scan: (range, done) => request(this.#latency(), () => this.#scan(range, done)),
      flush: (done) => {
        const written = this.#written;
        const { flushUsMin, flushUsMax } = this.faults;
        request(this.#world.random.between(flushUsMin, flushUsMax), () => {
          if (this.#fails()) return done(new Error("IO error: the flush failed"));
          this.#undos = this.#undos.slice(Math.max(0, this.#undos.length - (this.#written - written)));
          return done(null);
        });
      },
      view: () => this.#view(request),
      close: () => Promise.resolve(),
    };
  }

  /** Values never change, so a copy of the table is a view. */
  #view(request: (latencyUs: number, run: () => void) => void): KeyValueView {
    const frozen = new SimulatedKeyValue(this.#world, this.faults);
    for (const [key, value] of this.#values) frozen.#values.set(key, value);
    frozen.#sortedKeys = undefined;
    let isOpen = true;
    const ask = (done: Finished, run: () => void): void =>
      request(this.#latency(), isOpen ? run : () => done(new Error("the view is closed")));
    return {
      get: (key, done) =>
        ask(
          (error) => done(error, undefined),
          () => done(null, frozen.#values.get(toText(key))?.slice()),
        ),
      scan: (range, done) =>
        ask(
          (error) => done(error, []),
          () => frozen.#scan(range, done),
        ),
      close: () => {
        isOpen = false;
      },
    };
  }

  /** To be called when the process has ended. */
  crash(loss: CrashLoss): void {
    const { random } = this.#world;
    const entered = random.int(this.#queue.length + 1);
    for (const { batch } of this.#queue.slice(0, entered)) this.#apply(batch);
    this.#queue = [];
    // A binding may hold its write-ahead log in its own memory: the tail is lost by the end of a process alone as well.
    const lost = loss.keep === "nothing" ? this.#undos.length : random.int(this.#undos.length + 1);
    for (let count = 0; count < lost; count++) this.#takeBack();
  }

  /** Number of pairs. */
  get size(): number {
    return this.#values.size;
  }

  #writeFirst(): void {
    const first = this.#queue.shift();
    if (!first) return undefined;
    if (this.#fails()) return first.done(new Error("IO error: the write failed"));
    this.#apply(first.batch);
    return first.done(null);
  }

  #fails(): boolean {
    if (!this.#world.random.chance(this.faults.errorRate)) return false;
    this.onError();
    return true;
  }

  #apply(batch: KeyValueBatch): void {
    const undo: { key: string; before: Uint8Array | undefined }[] = [];
    for (const { key, value } of batch.puts) {
      const text = toText(key);
      undo.push({ key: text, before: this.#values.get(text) });
      this.#set(text, value.slice());
    }
    for (const key of batch.deletes) {
      const text = toText(key);
      undo.push({ key: text, before: this.#values.get(text) });
      this.#set(text, undefined);
    }
    this.#undos.push(undo);
    this.#written++;
  }

  #takeBack(): void {
    const undo = this.#undos.pop();
    if (!undo) return;
    this.#written--;
    for (const { key, before } of undo.toReversed()) this.#set(key, before);
  }

  #set(key: string, value: Uint8Array | undefined): void {
    if (this.#values.has(key) !== (value !== undefined)) this.#sortedKeys = undefined;
    if (value) this.#values.set(key, value);
    else this.#values.delete(key);
  }

  #scan(range: KeyRange, done: Done<readonly KeyValuePair[]>): void {
    // Latin-1 code units compare as bytes do.
    this.#sortedKeys ??= [...this.#values.keys()].sort();
    const keys = this.#sortedKeys;
    const from = lowerBound(keys, toText(range.from));
    const to = lowerBound(keys, toText(range.to));
    const selected = range.reverse
      ? keys.slice(Math.max(from, to - range.limit), Math.max(from, to)).toReversed()
      : keys.slice(from, Math.min(to, from + range.limit));
    done(
      null,
      selected.map((key) => ({ key: toBytes(key), value: (this.#values.get(key) as Uint8Array).slice() })),
    );
  }

  #latency(): number {
    return this.#world.random.between(this.faults.latencyUsMin, this.faults.latencyUsMax);
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function toBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

import RocksDB from "rocksdb-native";
import type { Done, Finished } from "../../src/base/env.js";
import type { KeyRange, KeyValue, KeyValueBatch, KeyValuePair, KeyValueView } from "../key-value.js";

/** A group of waiting batches is written as one; more than this at once would only add to the latency of the first. */
const groupBytesMax = 8 * 1024 * 1024;
/** A few small batches wait so long (ms) for each other: nobody waits for them, and a write costs far more than what is in it. */
const gatherMs = 10;
const gatheredMax = 3;
const gatheredBytesMax = 64 * 1024;
/** Pairs that cross from native code at once. */
const pairsPerRead = 256;

interface Waiting {
  readonly batch: KeyValueBatch;
  readonly done: Finished;
}

/**
 * `KeyValue` on RocksDB. The binding has no synced write and runs concurrent writes in any order, hence:
 *
 * 1. One write is under way at a time; batches that come meanwhile, or shortly before, are joined, in order, into the next one.
 * 2. Only `flush` makes durable. It moves the memtable into a synced table file; a write-ahead log that a power cut
 *    has torn is cut at the first bad record ("point in time"), which leaves a prefix.
 * 3. After a failed write or flush nothing is known about the files: every later call gets that error.
 * 4. A call after `close` is refused here, because in native code it could end the process.
 */
export class RocksKeyValue implements KeyValue {
  readonly #database: RocksDB;
  readonly #waiting: Waiting[] = [];
  #writing = false;
  #gathering: NodeJS.Timeout | undefined;
  readonly #busy = new Set<Promise<void>>();
  #broken: Error | undefined;
  #closing: Promise<void> | undefined;

  private constructor(database: RocksDB) {
    this.#database = database;
  }

  /** Opens or creates the database in the folder `path`. Only one process can have it open. */
  static async open(path: string): Promise<RocksKeyValue> {
    const database = new RocksDB(path, {
      createIfMissing: true,
      // Start write-back early and in small pieces, so that a flush never has much to wait for.
      bytesPerSync: 1024 * 1024,
      maxBackgroundJobs: 2,
      walRecoveryMode: RocksDB.constants.walRecoveryMode.POINT_IN_TIME,
    });
    try {
      await database.ready();
    } catch (cause) {
      throw new Error(`cannot open the state database in ${path}: ${(cause as Error).message}`, { cause });
    }
    return new RocksKeyValue(database);
  }

  write(batch: KeyValueBatch, done: Finished): void {
    if (this.#refused(done)) return;
    this.#waiting.push({ batch, done });
    if (this.#writing) return;
    if (this.#waiting.length >= gatheredMax || bytesOf(batch) >= gatheredBytesMax) this.#startWriting();
    else this.#gathering ??= setTimeout(() => this.#startWriting(), gatherMs);
  }

  get(key: Uint8Array, done: Done<Uint8Array | undefined>): void {
    if (this.#refused((error) => done(error, undefined))) return;
    this.#answer(read(this.#database, key), done, undefined);
  }

  scan(range: KeyRange, done: Done<readonly KeyValuePair[]>): void {
    if (this.#refused((error) => done(error, []))) return;
    this.#answer(scan(this.#database, range), done, []);
  }

  flush(done: Finished): void {
    if (this.#refused(done)) return;
    const flushed = this.#database.flush().catch((error: unknown) => {
      throw this.#break(error);
    });
    this.#answer(flushed, (error) => done(error), undefined);
  }

  view(): KeyValueView {
    let isOpen = !this.#closing;
    const session = isOpen ? this.#database.snapshot() : this.#database;
    const refused = (done: Finished): boolean => {
      if (isOpen) return this.#refused(done);
      queueMicrotask(() => done(new Error("the view of the state database is closed")));
      return true;
    };
    return {
      get: (key, done) => {
        if (!refused((error) => done(error, undefined))) this.#answer(read(session, key), done, undefined);
      },
      scan: (range, done) => {
        if (!refused((error) => done(error, []))) this.#answer(scan(session, range), done, []);
      },
      close: () => {
        if (isOpen && !this.#closing) this.#track(session.close());
        isOpen = false;
      },
    };
  }

  /** Waits for calls under way. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#gathering) this.#startWriting();
    while (this.#busy.size > 0) await Promise.all(this.#busy);
    await this.#database.close();
  }

  #startWriting(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#writing = true;
    this.#track(this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    // Batches of the same turn go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      const error = this.#broken ?? (await this.#writeGroup(group));
      for (const { done } of group) report(() => done(error ?? null));
    }
    this.#writing = false;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { batch } of this.#waiting) {
      if (bytes >= groupBytesMax) break;
      bytes += bytesOf(batch);
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeGroup(group: readonly Waiting[]): Promise<Error | undefined> {
    const operations = group.reduce((sum, { batch }) => sum + batch.puts.length + batch.deletes.length, 0);
    try {
      const writer = this.#database.write({ capacity: Math.max(1, operations), autoDestroy: true });
      for (const { batch } of group) {
        for (const { key, value } of batch.puts) writer.tryPut(key, value);
        for (const key of batch.deletes) writer.tryDelete(key);
      }
      await writer.flush();
      return undefined;
    } catch (error) {
      return this.#break(error);
    }
  }

  #break(cause: unknown): Error {
    const { message } = cause as Error;
    this.#broken ??= new Error(`the state database failed: ${message}`, { cause });
    return this.#broken;
  }

  #refused(done: Finished): boolean {
    const error = this.#closing ? new Error("the state database is closed") : this.#broken;
    if (!error) return false;
    queueMicrotask(() => done(error));
    return true;
  }

  #answer<T>(result: Promise<T>, done: Done<T>, none: T): void {
    this.#track(answer(result, done, none));
  }

  #track(work: Promise<void>): void {
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }
}

function bytesOf({ puts }: KeyValueBatch): number {
  return puts.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}

async function read(database: RocksDB, key: Uint8Array): Promise<Uint8Array | undefined> {
  return (await database.get(key)) ?? undefined;
}

async function scan(database: RocksDB, range: KeyRange): Promise<KeyValuePair[]> {
  const { from, to, limit, reverse = false } = range;
  const pairs: KeyValuePair[] = [];
  if (limit < 1) return pairs;
  const capacity = Math.min(limit, pairsPerRead);
  const found = database.iterator({ gte: from, lt: to }, { limit, reverse, capacity });
  for await (const { key, value } of found) pairs.push({ key, value });
  return pairs;
}

async function answer<T>(result: Promise<T>, done: Done<T>, none: T): Promise<void> {
  let value = none;
  let failure: Error | null = null;
  try {
    value = await result;
  } catch (error) {
    failure = error as Error;
  }
  report(() => done(failure, value));
}

/** A callback that throws is a fault of its owner: it must end the process, not stop the writes behind it. */
function report(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

import assert from "node:assert/strict";
import type { KeyRange, KeyValue, KeyValuePair, KeyValueReader } from "../../../store/key-value.js";

/** One store under test. */
export interface Subject {
  readonly keyValue: KeyValue;
  /** Lets pending work go on when the test drives time; absent when time goes by itself. */
  readonly settle?: () => void;
  readonly end: () => Promise<void>;
}

/** What every `KeyValue` promises (store/key-value.ts). `processLifetime`: it ends with its process and is never closed. */
export function keyValueContract(name: string, open: () => Promise<Subject>, processLifetime = false): void {
  describe(`key-value contract: ${name}`, () => {
    let subject: Subject;
    let calls: Calls;

    beforeEach(async () => {
      subject = await open();
      calls = new Calls(subject.keyValue, subject.settle);
    });
    afterEach(() => subject.end());

    it("answers undefined for a missing key and an empty list for an empty range", async () => {
      assert.equal(await calls.get("a"), undefined);
      assert.deepEqual(await calls.scan("a", "z"), []);
    });

    it("puts, replaces and deletes", async () => {
      await calls.write({ a: "1", b: "2" });
      await calls.write({ a: "3" }, ["b", "missing"]);
      assert.equal(await calls.get("a"), "3");
      assert.equal(await calls.get("b"), undefined);
    });

    it("applies deletes of a batch after its puts", async () => {
      await calls.write({ a: "1", b: "2" }, ["a"]);
      assert.deepEqual(await calls.scan("a", "z"), ["b=2"]);
    });

    it("keeps empty values", async () => {
      await calls.write({ a: "" });
      assert.equal(await calls.get("a"), "");
    });

    it("orders keys by bytes, also above 0x7f and with zeros", async () => {
      const keys = ["\x00", "\x00\x00", "a", "a\x00", "a\x01", "a\x7f", "a\x80", "a\xff", "a\xff\xff", "b"];
      await calls.write(Object.fromEntries([...keys].reverse().map((key) => [key, "v"])));
      assert.deepEqual(
        await calls.scan("\x00", "c"),
        keys.map((key) => `${key}=v`),
      );
    });

    it("scans from the first key to the last, without it, within the limit, in both directions", async () => {
      await calls.write({ a: "1", b: "2", c: "3", d: "4" });
      assert.deepEqual(await calls.scan("b", "d"), ["b=2", "c=3"]);
      assert.deepEqual(await calls.scan("a", "z", 3), ["a=1", "b=2", "c=3"]);
      assert.deepEqual(await calls.scan("a", "d", 2, true), ["c=3", "b=2"]);
      assert.deepEqual(await calls.scan("bb", "cc", 9, true), ["c=3"]);
      assert.deepEqual(await calls.scan("d", "a"), []);
      assert.deepEqual(await calls.scan("a", "z", 0), []);
    });

    it("scans more pairs than one native read holds", async () => {
      const keys = Array.from({ length: 1000 }, (_, at) => `k${String(at).padStart(4, "0")}`);
      await calls.write(Object.fromEntries(keys.map((key) => [key, key])));
      const all = await calls.scan("k", "l", 5000);
      assert.deepEqual(
        all,
        keys.map((key) => `${key}=${key}`),
      );
      assert.equal((await calls.scan("k", "l", 512)).length, 512);
      assert.equal((await calls.scan("k", "l", 999, true)).at(-1), "k0001=k0001");
    });

    it("lets batches take effect in the order of the calls, also while earlier ones are under way", async () => {
      const wide = Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`wide${at}`, "x"]));
      const completed: number[] = [];
      const write = async (at: number): Promise<void> => {
        // Wide ones take longer to prepare than the narrow ones behind them.
        await calls.write({ ...(at % 20 === 0 ? wide : {}), last: String(at), [`key${at}`]: "" });
        completed.push(at);
      };
      const writes: Promise<void>[] = [];
      for (let at = 0; at < 200; at += 1) {
        writes.push(write(at));
        await new Promise(setImmediate);
      }
      await Promise.all(writes);
      assert.deepEqual(completed, [...completed.keys()]);
      assert.equal(await calls.get("last"), "199");
      assert.equal((await calls.scan("key", "kez", 999)).length, 200);
    });

    it("completes writes in the order of the calls, and nothing before its call has returned", async () => {
      const order: number[] = [];
      let returned = false;
      const late = (done: () => void) => (): void => {
        assert.ok(returned);
        done();
      };
      const { keyValue } = subject;
      const range = { from: encode("a"), to: encode("b"), limit: 1 };
      const calling = [0, 1, 2].map((at) =>
        calls.call<undefined>((done) => {
          const batch = { puts: [{ key: encode("a"), value: encode(String(at)) }], deletes: [] };
          keyValue.write(
            batch,
            late(() => done(null, void order.push(at))),
          );
        }),
      );
      calling.push(
        calls.call<undefined>((done) =>
          keyValue.get(
            encode("a"),
            late(() => done(null, undefined)),
          ),
        ),
      );
      calling.push(
        calls.call<undefined>((done) =>
          keyValue.scan(
            range,
            late(() => done(null, undefined)),
          ),
        ),
      );
      calling.push(calls.call<undefined>((done) => keyValue.flush(late(() => done(null, undefined)))));
      returned = true;
      await Promise.all(calling);
      assert.deepEqual(order, [0, 1, 2]);
    });

    it("keeps its own copy of what was written", async () => {
      const value = encode("kept");
      const batch = { puts: [{ key: encode("a"), value }], deletes: [] };
      await calls.call<undefined>((done) => subject.keyValue.write(batch, (error) => done(error, undefined)));
      value.fill(0);
      assert.equal(await calls.get("a"), "kept");
    });

    it("flushes", async () => {
      await calls.write({ a: "1" });
      await calls.flush();
      await calls.flush();
      assert.equal(await calls.get("a"), "1");
    });

    it("shows a view what was there when it was opened, whatever is written meanwhile", async () => {
      await calls.write({ a: "1", b: "2", c: "3" });
      const view = subject.keyValue.view();
      const seen = new Calls(view, subject.settle);
      const first = seen.scan("a", "z", 1);
      await calls.write({ a: "9", d: "4" }, ["b"]);
      assert.deepEqual(await first, ["a=1"]);
      assert.deepEqual(await seen.scan("a", "z"), ["a=1", "b=2", "c=3"]);
      assert.deepEqual(await seen.scan("a", "z", 2, true), ["c=3", "b=2"]);
      assert.equal(await seen.get("b"), "2");
      assert.equal(await seen.get("d"), undefined);
      assert.deepEqual(await calls.scan("a", "z"), ["a=9", "c=3", "d=4"]);
      view.close();
      view.close();
      await assert.rejects(seen.get("a"), /closed/);
      await assert.rejects(seen.scan("a", "b"), /closed/);
      assert.equal(await calls.get("a"), "9");
    });

    if (!processLifetime)
      it("refuses calls after close instead of running them", async () => {
        await subject.keyValue.close();
        await subject.keyValue.close();
        await assert.rejects(calls.get("a"), /closed/);
        await assert.rejects(calls.write({ a: "1" }), /closed/);
        await assert.rejects(calls.scan("a", "b"), /closed/);
        await assert.rejects(calls.flush(), /closed/);
      });
  });
}

/** Calls by promise and with text for bytes (Latin-1). */
export class Calls {
  readonly #reader: KeyValueReader;
  readonly #settle: (() => void) | undefined;

  /** Of a view only the reads are there. */
  constructor(reader: KeyValueReader, settle?: () => void) {
    this.#reader = reader;
    this.#settle = settle;
  }

  call<T>(start: (done: (error: Error | null, result: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      start((error, result) => (error ? reject(error) : resolve(result)));
      if (this.#settle) setImmediate(this.#settle);
    });
  }

  write(puts: Record<string, string>, deletes: readonly string[] = []): Promise<void> {
    const pairs = Object.entries(puts).map(([key, value]) => ({ key: encode(key), value: encode(value) }));
    return this.call((done) =>
      (this.#reader as KeyValue).write({ puts: pairs, deletes: deletes.map(encode) }, (error) =>
        done(error, undefined),
      ),
    );
  }

  async get(key: string): Promise<string | undefined> {
    const value = await this.call<Uint8Array | undefined>((done) => this.#reader.get(encode(key), done));
    return value && decode(value);
  }

  async scan(from: string, to: string, limit = 100, reverse = false): Promise<string[]> {
    const range: KeyRange = { from: encode(from), to: encode(to), limit, reverse };
    const pairs = await this.call<readonly KeyValuePair[]>((done) => this.#reader.scan(range, done));
    return pairs.map(({ key, value }) => `${decode(key)}=${decode(value)}`);
  }

  flush(): Promise<void> {
    return this.call((done) => (this.#reader as KeyValue).flush((error) => done(error, undefined)));
  }
}

function encode(text: string): Uint8Array {
  return Uint8Array.from(text, (unit) => unit.charCodeAt(0));
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { ByteWriter } from "../../src/base/byte-writer.js";
import { WireReader } from "../../src/base/wire.js";
import { readEtcdCommand, writeEtcdCommand } from "../../store/etcd/codec.js";
import { rangeIn } from "../../store/etcd/execute.js";
import type { EtcdCommand, EtcdCompare, EtcdOperation, EtcdOutcome, EtcdTxn } from "../../store/etcd.js";
import { Keyspace } from "../../store/keyspace.js";
import { noStamp } from "../../store/layout.js";
import { openLocalStore } from "../../store/local-store.js";
import { MemoryKeyValue } from "../../store/memory-key-value.js";
import type { Replica } from "../../store/replica.js";
import type { KeyRecord, WatchBatch } from "../../store/store.js";
import { load } from "./harness.js";
import { drain, ManualEnv } from "./manual-env.js";
import { bytes, text } from "./requests.js";

const put = (key: string, value: string, lease = 0): EtcdOperation => ({
  type: "put",
  key,
  value: bytes(value),
  lease,
});
const remove = (key: string, end = ""): EtcdOperation => ({ type: "delete", range: { key, end } });
const range = (key: string, end = "", limit = 0): EtcdOperation => ({
  type: "range",
  range: { key, end },
  limit,
  countOnly: false,
});
const txn = (success: EtcdOperation[], compares: EtcdCompare[] = [], failure: EtcdOperation[] = []): EtcdTxn => ({
  compares,
  success,
  failure,
});
const values = (records: readonly KeyRecord[]): string[] => records.map((record) => `${record.key}=${text(record)}`);

describe("the keyspace of etcd's services", () => {
  let env: ManualEnv;
  let keyValue: MemoryKeyValue;
  let store: Replica;

  beforeEach(async () => {
    env = new ManualEnv();
    keyValue = new MemoryKeyValue();
    store = await openLocalStore(env, { keyValue });
  });

  const run = (...operations: EtcdOperation[]): Promise<EtcdOutcome> => runTxn(txn(operations));
  const runTxn = (one: EtcdTxn): Promise<EtcdOutcome> => store.etcd.execute({ type: "txn", txn: one }, "test");
  const read = async (key: string, end = "", revision = 0): Promise<readonly KeyRecord[]> =>
    (await store.etcd.range({ key, end, revision, limit: 0, countOnly: false })).records;
  const responses = async (outcome: Promise<EtcdOutcome>) => {
    const { result } = await outcome;
    assert.equal(result.type, "txn");
    return result.type === "txn" ? result.responses : [];
  };

  it("has revisions of its own", async () => {
    await store.write({ txns: [{ compares: [], success: [], failure: [] }], origin: "" });
    assert.equal((await run(put("a", "1"))).revision, 1);
    assert.equal((await run(put("b", "1"), put("c", "1"))).revision, 2);
    assert.equal((await run(range("a"))).revision, 2);
    assert.equal(store.revision(), 0);
    assert.deepEqual(values(await read("\0", "\0")), ["a=1", "b=1", "c=1"]);
    assert.equal(store.peek("a"), undefined);
  });

  it("runs operations in order, and each sees what those before it did", async () => {
    const [first, , last] = await responses(run(range("k"), put("k", "new"), range("a", "z")));
    assert.deepEqual(first?.type === "range" && [...first.records], []);
    assert.deepEqual(last?.type === "range" && values(last.records), ["k=new"]);
    const [removed, again] = await responses(run(remove("a", "z"), range("k")));
    assert.deepEqual(removed?.type === "delete" && values(removed.previous), ["k=new"]);
    assert.equal(again?.type === "range" && again.count, 0);
  });

  it("compares all before it changes anything, also for transactions inside", async () => {
    await run(put("k", "1"));
    const inner: EtcdTxn = txn(
      [put("inner", "yes")],
      [{ range: { key: "k", end: "" }, operator: "=", target: "value", operand: bytes("1") }],
      [put("inner", "no")],
    );
    const outer = txn([put("k", "2"), { type: "txn", txn: inner }]);
    const [, nested] = await responses(runTxn(outer));
    assert.equal(nested?.type === "txn" && nested.succeeded, true);
    assert.deepEqual(values(await read("inner", "")), ["inner=yes"]);
  });

  it("compares a missing key as one of zeros, whose value is like no other", async () => {
    const compare = async (one: EtcdCompare): Promise<boolean> => {
      const { result } = await runTxn(txn([], [one]));
      return result.type === "txn" && result.succeeded;
    };
    const missing = { key: "none", end: "" };
    assert.equal(await compare({ range: missing, operator: "=", target: "version", operand: 0 }), true);
    assert.equal(await compare({ range: missing, operator: ">", target: "createRevision", operand: 0 }), false);
    assert.equal(await compare({ range: missing, operator: "!=", target: "value", operand: bytes("x") }), false);
    await run(put("a1", "x"), put("a2", "y"));
    const both = { key: "a", end: "b" };
    assert.equal(await compare({ range: both, operator: "=", target: "version", operand: 1 }), true);
    assert.equal(await compare({ range: both, operator: ">", target: "value", operand: bytes("x") }), false);
    assert.equal(await compare({ range: both, operator: "<", target: "value", operand: bytes("ya") }), true);
  });

  it("keeps a value or a lease on request, and refuses it for a key that is not there", async () => {
    await store.etcd.execute({ type: "grant", lease: 7, ttlSeconds: 60 }, "test");
    await run(put("k", "1", 7));
    await run({ type: "put", key: "k", value: bytes("2"), lease: undefined });
    const [record] = await read("k", "");
    assert.deepEqual([text(record), record?.lease, record?.version], ["2", 7, 2]);
    await run({ type: "put", key: "k", value: undefined, lease: 0 });
    const [later] = await read("k", "");
    assert.deepEqual([text(later), later?.lease], ["2", undefined]);
    const refused = await run(put("other", "x"), { type: "put", key: "none", value: undefined, lease: 0 });
    assert.deepEqual(refused.result, { type: "refused", reason: "KeyNotFound" });
    assert.equal((await read("other", "")).length, 0, "nothing was done");
  });

  it("removes a lease's keys in one revision when it is revoked", async () => {
    const grant: EtcdCommand = { type: "grant", lease: 7, ttlSeconds: 60 };
    assert.deepEqual((await store.etcd.execute(grant, "test")).result, { type: "done" });
    assert.deepEqual((await store.etcd.execute(grant, "test")).result, { type: "refused", reason: "LeaseExists" });
    assert.deepEqual((await run(put("k", "1", 8))).result, { type: "refused", reason: "LeaseNotFound" });
    await run(put("a", "1", 7), put("b", "1", 7), put("c", "1"));
    await run(put("b", "2"));
    assert.deepEqual(store.etcd.leases.keys(7), ["a"]);
    const { revision } = await store.etcd.execute({ type: "revoke", lease: 7 }, "test");
    assert.equal(revision, 3);
    assert.deepEqual(values(await read("a", "z")), ["b=2", "c=1"]);
    assert.deepEqual(store.etcd.leases.ids(), []);
  });

  it("is the same after a restart, with its leases", async () => {
    await store.etcd.execute({ type: "grant", lease: 7, ttlSeconds: 60 }, "test");
    await store.etcd.execute({ type: "grant", lease: 9, ttlSeconds: 60 }, "test");
    await run(put("a\xff", "1", 7), put("b", "1"));
    await run(remove("b"));
    await store.etcd.execute({ type: "revoke", lease: 9 }, "test");
    await drain();
    const state = await load(keyValue);
    assert.equal(state.digest(), store.digest());
    assert.deepEqual([state.leases.ids(), state.leases.keys(7)], [[7], ["a\xff"]]);
    assert.equal(state.etcd.get("a\xff")?.lease, 7);
  });

  it("reads the past, watches from it, and is compacted by itself", async () => {
    for (const value of ["1", "2", "3", "4"]) await run(put(`k${value}`, value));
    await run(remove("k2"));
    const past = (revision: number): Promise<string[]> => read("k", "l", revision).then(values);
    assert.deepEqual(await past(2), ["k1=1", "k2=2"]);
    assert.deepEqual(await past(5), ["k1=1", "k3=3", "k4=4"]);
    await assert.rejects(past(6), { reason: "Invalid" });
    const batches: WatchBatch[] = [];
    const observer = { onBatch: (batch: WatchBatch) => void batches.push(batch), onError: assert.ifError };
    store.etcd.watch({ key: "k2", end: "k4" }, 1, observer);
    await env.advance(10);
    const seen = batches.flatMap(({ events }) => events.map(({ type, key }) => `${type} ${key}`));
    assert.deepEqual(seen, ["put k2", "put k3", "delete k2"]);
    await store.etcd.compact(4);
    await env.advance(10_000);
    await assert.rejects(past(3), { reason: "Compacted" });
    assert.deepEqual(await past(4), ["k1=1", "k2=2", "k3=3", "k4=4"]);
    assert.equal(store.compactRevision(), 0);
  });

  it("finds all keys from one on, in the past and in watches", async () => {
    for (const key of ["a", "\0x", "b"]) await run(put(key, "1"));
    await run(put("c", "1"));
    for (const [key, expected] of [
      ["\0", ["\0x", "a", "b"]],
      ["\0y", ["a", "b"]],
      ["b", ["b"]],
    ] as const) {
      const range = { key, end: "\0" };
      const past = await read(key, "\0", 3);
      assert.deepEqual(
        past.map((record) => record.key),
        expected,
      );
      const seen: string[] = [];
      const onBatch = ({ events }: WatchBatch): void => void seen.push(...events.map((event) => event.key));
      store.etcd.watch(range, 0, { onBatch, onError: assert.ifError });
      await env.advance(10);
      assert.deepEqual(seen.sort(), [...expected, "c"].sort());
    }
    const hash = await store.etcd.hashAt(0);
    await run(put("d", "1"));
    assert.equal(await store.etcd.hashAt(4), hash);
  });

  it("counts all of a range and gives as many as are wanted, now and in the past", async () => {
    for (const key of ["a", "b", "c", "d"]) await run(put(key, "1"));
    await run(remove("b"));
    const asked = { key: "a", end: "d", limit: 0, countOnly: false };
    const read = async (revision: number, more: { limit?: number; countOnly?: boolean }): Promise<unknown> => {
      const { records, count } = await store.etcd.range({ ...asked, ...more, revision });
      return [records.map(({ key }) => key).join(""), count];
    };
    for (const [revision, keys] of [
      [0, "ac"],
      [4, "abc"],
    ] as const) {
      assert.deepEqual(await read(revision, {}), [keys, keys.length]);
      assert.deepEqual(await read(revision, { limit: 1 }), ["a", keys.length]);
      assert.deepEqual(await read(revision, { limit: keys.length }), [keys, keys.length]);
      assert.deepEqual(await read(revision, { limit: 9 }), [keys, keys.length]);
      assert.deepEqual(await read(revision, { countOnly: true }), ["", keys.length]);
    }
    const [, all] = await responses(run(put("x", "1"), { ...range("a", "\0", 2), countOnly: true } as EtcdOperation));
    assert.deepEqual(all, { type: "range", records: [], count: 4 });
    assert.deepEqual(await store.etcd.range({ ...asked, end: "", revision: 0, countOnly: true }), {
      records: [],
      count: 1,
    });
  });

  it("looks at no more records than a limit asks for", () => {
    let looks = 0;
    class Counting extends Keyspace {
      override between(from: string, to: string, limit: number): KeyRecord[] {
        const found = super.between(from, to, limit);
        looks += found.length;
        return found;
      }
    }
    const keyspace = new Counting(1, { rows: new ByteWriter(1024), put: () => undefined });
    keyspace.transact(noStamp, () => {
      for (let at = 0; at < 100; at += 1) keyspace.put(`k${at}`, bytes("1"));
    });
    const found = rangeIn(keyspace, { key: "k", end: "l", limit: 3, countOnly: false });
    assert.deepEqual([found.records.length, found.count, looks], [3, 100, 3]);
    assert.equal(rangeIn(keyspace, { key: "k", end: "l", limit: 0, countOnly: true }).count, 100);
    assert.equal(looks, 3);
  });

  it("refuses puts above its quota until enough is removed", async () => {
    store = await openLocalStore(env, { etcdQuotaBytes: 1000 });
    await run(put("a", "x".repeat(600)));
    await run(put("b", "x".repeat(600)));
    await assert.rejects(run(put("c", "x")), { reason: "QuotaExceeded" });
    await run(remove("a"));
    await run(put("c", "x"));
  });
});

describe("a command of etcd's services", () => {
  const key = fc.string({
    maxLength: 5,
    unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
  });
  const operation: fc.Arbitrary<EtcdOperation> = fc.oneof(
    fc.record({
      type: fc.constant("range" as const),
      range: fc.record({ key, end: key }),
      limit: fc.nat(),
      countOnly: fc.boolean(),
    }),
    fc.record({
      type: fc.constant("put" as const),
      key,
      value: fc.option(fc.uint8Array({ maxLength: 9 }), { nil: undefined }),
      lease: fc.option(fc.maxSafeNat(), { nil: undefined }),
    }),
    fc.record({ type: fc.constant("delete" as const), range: fc.record({ key, end: key }) }),
  );
  const operator = fc.constantFrom("=" as const, "!=" as const, "<" as const, ">" as const);
  const compare: fc.Arbitrary<EtcdCompare> = fc.oneof(
    fc.record({
      range: fc.record({ key, end: key }),
      operator,
      target: fc.constantFrom("version" as const, "createRevision" as const, "modRevision" as const, "lease" as const),
      operand: fc.maxSafeNat(),
    }),
    fc.record({
      range: fc.record({ key, end: key }),
      operator,
      target: fc.constant("value" as const),
      operand: fc.uint8Array({ maxLength: 9 }),
    }),
  );
  const flat = fc.record({
    compares: fc.array(compare, { maxLength: 3 }),
    success: fc.array(operation, { maxLength: 3 }),
    failure: fc.array(operation, { maxLength: 3 }),
  });
  const nested = flat.chain((inner) =>
    flat.map(({ compares, success, failure }) => {
      const inside: EtcdOperation = { type: "txn", txn: inner };
      return { compares, success, failure: [...failure, inside] };
    }),
  );
  const command: fc.Arbitrary<EtcdCommand> = fc.oneof(
    fc.record({ type: fc.constant("txn" as const), txn: nested }),
    fc.record({ type: fc.constant("grant" as const), lease: fc.maxSafeNat(), ttlSeconds: fc.nat() }),
    fc.record({ type: fc.constant("revoke" as const), lease: fc.oneof(fc.constant(0), fc.maxSafeNat()) }),
    fc.record({ type: fc.constant("revoke" as const), lease: fc.nat(), term: fc.integer({ min: 1, max: 2 ** 40 }) }),
  );

  it("is read back as it was written", () => {
    fc.assert(
      fc.property(command, (given) => {
        const into = new ByteWriter();
        writeEtcdCommand(into, given);
        const read = readEtcdCommand(1, new WireReader(into.take()));
        assert.deepEqual(JSON.parse(JSON.stringify(read, plain)), JSON.parse(JSON.stringify(given, plain)));
      }),
      { numRuns: 300 },
    );
  });
});

function plain(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? [...value] : value;
}

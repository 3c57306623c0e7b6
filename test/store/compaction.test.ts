import assert from "node:assert/strict";
import * as fc from "fast-check";
import { IkadaError } from "../../src/base/errors.js";
import type { KeyValue, KeyValuePair } from "../../store/key-value.js";
import { allRows, parseRevisionKey, parseVersionKey } from "../../store/layout.js";
import { openLocalStore } from "../../store/local-store.js";
import { MemoryKeyValue } from "../../store/memory-key-value.js";
import { Replica } from "../../store/replica.js";
import { scanAll } from "../../store/scan.js";
import type { Change, Txn, WriteRequest } from "../../store/store.js";
import { collect, load, openRig, ScriptedConsensus, tinyRecent } from "./harness.js";
import { drain, ManualEnv } from "./manual-env.js";
import { arbitraryTxn, keys, Model, prefixes } from "./model.js";
import { put, remove } from "./requests.js";

const requests = fc.array(fc.array(arbitraryTxn, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 15 });

interface Filled {
  readonly env: ManualEnv;
  readonly keyValue: MemoryKeyValue;
  readonly replica: Replica;
  readonly model: Model;
}

/** Each request is made a second after the one before. */
async function filled(all: readonly (readonly Txn[])[]): Promise<Filled> {
  const env = new ManualEnv();
  const keyValue = new MemoryKeyValue();
  const state = await load(keyValue);
  const consensus = new ScriptedConsensus();
  const onFatal = (error: Error): void => {
    throw error;
  };
  const replica = new Replica({ env, keyValue, state, onFatal, recent: tinyRecent });
  consensus.connect(replica);
  replica.connect(consensus);
  const model = new Model();
  for (const [at, txns] of all.entries()) {
    await env.advance(1000);
    const written = replica.write({ txns, origin: `writer ${at}` });
    consensus.commit();
    await written;
    for (const txn of txns) model.run(txn);
  }
  await drain();
  return { env, keyValue, replica, model };
}

function request(...txns: Txn[]): WriteRequest {
  return { txns, origin: "test" };
}

describe("compaction", () => {
  it("forgets what is below, and keeps every revision from there on as it was", async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.nat(), fc.nat(), async (all, first, second) => {
        const env = new ManualEnv();
        const keyValue = new MemoryKeyValue();
        const store = await openLocalStore(env, { keyValue });
        const model = new Model();
        for (const txns of all) {
          await store.write({ txns, origin: "" });
          for (const txn of txns) model.run(txn);
        }
        for (const chance of [first, second]) {
          const start = chance % (model.revision + 1);
          await store.compact(start);
          await env.advance(10_000);
          await assertKept(store, model, store.compactRevision());
          assert.deepEqual(await rowsOf(keyValue), expectedRows(model, store.compactRevision()));
        }
        const state = await load(keyValue);
        assert.equal(state.digest(), store.digest());
        assert.equal(state.compactRevision, Math.max(first % (model.revision + 1), second % (model.revision + 1)));
      }),
      { numRuns: 60 },
    );
  });

  it("goes on with the removal after a restart in its midst", async () => {
    const keyValue = new MemoryKeyValue();
    const first = await openLocalStore(new ManualEnv(), { keyValue });
    for (let at = 0; at < 400; at += 1) await first.write(request(put(`k${at % 3}`, String(at))));
    await first.compact(390);
    await drain();
    const left = (await rowsOf(keyValue)).length;
    assert.ok(left > 200, "the first turn alone has run");
    await first.close();
    const env = new ManualEnv();
    const second = await openLocalStore(env, { keyValue });
    await env.advance(10_000);
    // The changes from 390 on, their versions, and each other key's version before them.
    assert.equal((await rowsOf(keyValue)).length, 11 + 11 + 2);
    assert.equal(second.usage().rowBytes, (await load(keyValue)).objects.writtenBytes);
  });

  it("ends a watch that is still below it, and none that is not", async () => {
    const { env, replica, consensus, keyValue } = await openRig({ recent: tinyRecent });
    for (let at = 0; at < 300; at += 1) void replica.write(request(put("k", String(at))));
    consensus.commit();
    await drain();
    const [old, live] = [collect(replica, "", 0), collect(replica, "", 300)];
    void replica.compact(299);
    consensus.commit();
    await env.advance(10_000);
    assert.equal((old.errors[0] as IkadaError).reason, "Compacted");
    assert.deepEqual(live.errors, []);
    assert.equal((await rowsOf(keyValue.inner)).length, 4);
  });

  it("refuses a revision that is still to come", async () => {
    const { replica } = await openRig();
    await assert.rejects(replica.compact(1), { reason: "BadRequest" });
    await assert.rejects(replica.compact(-1), { reason: "BadRequest" });
  });

  it("is the same on a replica that has not removed anything yet", async () => {
    const { replica, consensus } = await openRig();
    void replica.write(request(put("a", "1"), put("a", "2"), put("a", "3")));
    consensus.commit();
    const before = replica.digest();
    void replica.compact(2);
    consensus.commit();
    await drain();
    assert.equal(replica.compactRevision(), 2);
    assert.notEqual(replica.digest(), before);
  });
});

describe("when a revision was made", () => {
  it("is found by its time, in memory and on disk, until it is compacted", async () => {
    const env = new ManualEnv();
    const { replica, consensus } = await openRig({ env, recent: tinyRecent });
    const times: number[] = [];
    for (let at = 1; at <= 20; at += 1) {
      await env.advance(1000);
      times[at] = env.clock.now();
      void replica.write(request(put("k", String(at))));
      consensus.commit();
    }
    await drain();
    assert.equal(await replica.revisionAt(times[1]! - 1), 0);
    for (let at = 1; at <= 20; at += 1) {
      assert.equal(await replica.revisionAt(times[at]!), at);
      assert.equal(await replica.revisionAt(times[at]! + 999), at);
    }
    void replica.compact(5);
    consensus.commit();
    await env.advance(10_000);
    assert.equal(await replica.revisionAt(times[5]!), 5);
    await assert.rejects(replica.revisionAt(times[5]! - 1), { reason: "Compacted" });
    void replica.compact(20);
    consensus.commit();
    await env.advance(10_000);
    assert.equal(await replica.revisionAt(times[20]!), 20);
    await assert.rejects(replica.revisionAt(times[19]!), { reason: "Compacted" });
  });

  it("does not fall, though clocks do", async () => {
    const env = new ManualEnv();
    const { replica, consensus } = await openRig({ env });
    const write = (value: string): void => {
      void replica.write(request(put("k", value)));
      consensus.commit();
    };
    await env.advance(60_000);
    const later = env.clock.now();
    write("1");
    env.jump(-30_000);
    write("2");
    assert.equal(await replica.revisionAt(later - 1), 0);
    assert.equal(await replica.revisionAt(later), 2);
  });
});

describe("the changes of a key", () => {
  it("are all that are kept, newest first, in pages, with time and writer", async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.integer({ min: 1, max: 3 }), async (all, limit) => {
        const { replica, model } = await filled(all);
        const made = changesOf(model);
        for (const key of keys) {
          const changes: Change[] = [];
          let before: number | undefined;
          for (let more = true; more;) {
            const page = await replica.changes({ key, limit, ...(before !== undefined && { before }) });
            assert.ok(page.changes.length <= limit);
            changes.push(...page.changes);
            before = changes.at(-1)?.record.modRevision;
            ({ more } = page);
          }
          assert.deepEqual(
            changes.map(({ record }) => record),
            made.filter((record) => record.key === key),
          );
          for (const { record, timeMs, origin } of changes) {
            assert.ok((await replica.revisionAt(timeMs - 1)) < record.modRevision);
            assert.match(origin, /^writer \d+$/);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  for (const [where, recent] of [
    ["memory", undefined],
    ["disk", tinyRecent],
  ] as const)
    it(`end with the state at the compact revision, from ${where}`, async () => {
      await fc.assert(
        fc.asyncProperty(requests, fc.nat(), fc.boolean(), async (all, chance, removed) => {
          const { env, replica, consensus } = await openRig(recent && { recent });
          const model = new Model();
          for (const txns of all) {
            void replica.write({ txns, origin: "" });
            for (const txn of txns) model.run(txn);
          }
          consensus.commit();
          const start = chance % (model.revision + 1);
          void replica.compact(start);
          consensus.commit();
          await env.advance(removed ? 10_000 : 0);
          for (const key of keys) {
            const { changes } = await replica.changes({ key, limit: 1000 });
            const kept = changesOf(model).filter(
              (record) =>
                record.key === key &&
                (record.modRevision > start || model.at(start).get(key)?.modRevision === record.modRevision),
            );
            assert.deepEqual(
              changes.map(({ record }) => record),
              kept,
            );
          }
        }),
        { numRuns: 40 },
      );
    });

  it("begin with the state at the compact revision", async () => {
    const { env, replica, consensus } = await openRig({ recent: tinyRecent });
    for (const value of ["1", "2", "3", "4", "5"]) void replica.write(request(put("k", value)));
    void replica.write(request(remove("k")));
    void replica.write(request(put("k", "7"), put("other", "8")));
    consensus.commit();
    await drain();
    const revisions = async (): Promise<number[]> =>
      (await replica.changes({ key: "k", limit: 10 })).changes.map(({ record }) => record.modRevision);
    assert.deepEqual(await revisions(), [7, 6, 5, 4, 3, 2, 1]);
    void replica.compact(4);
    consensus.commit();
    assert.deepEqual(await revisions(), [7, 6, 5, 4]);
    await env.advance(10_000);
    assert.deepEqual(await revisions(), [7, 6, 5, 4]);
    void replica.compact(6);
    consensus.commit();
    assert.deepEqual(await revisions(), [7]);
    await assert.rejects(replica.changes({ key: "k", limit: 1, before: 5 }), { reason: "Compacted" });
  });
});

/** Newest first. */
function changesOf(model: Model): Change["record"][] {
  return model.log.flatMap(({ events }) => events.map(({ record }) => record)).reverse();
}

async function assertKept(store: Replica, model: Model, start: number): Promise<void> {
  for (let revision = 0; revision <= model.revision; revision += 1)
    for (const prefix of prefixes) {
      const range = store.range({ prefix, limit: 100, revision });
      if (revision < start) await assert.rejects(range, { reason: "Compacted" });
      else assert.deepEqual((await range).records, model.range(prefix, revision));
    }
}

/** What stays: the changes from `start` on, the versions that they made, and those that were live at `start`. */
function expectedRows(model: Model, start: number): string[] {
  const rows: string[] = [];
  for (const { revision, events } of model.log)
    for (const [operation, { record }] of events.entries()) {
      if (revision >= start) rows.push(`r ${revision} ${operation}`);
      if (revision > start || model.at(start).get(record.key)?.modRevision === revision)
        rows.push(`k ${record.key} ${revision}`);
    }
  return rows.sort();
}

/** The rows of versions and revisions that are on disk. */
async function rowsOf(keyValue: KeyValue): Promise<string[]> {
  const pairs: KeyValuePair[] = [];
  await new Promise<void>((resolve, reject) =>
    scanAll(
      keyValue,
      allRows(),
      (pair) => pairs.push(pair) > 0,
      (error) => (error ? reject(error) : resolve()),
    ),
  );
  const named = pairs.map(({ key }) => {
    if (key[0] === 0x6b) return `k ${parseVersionKey(key).key} ${parseVersionKey(key).revision}`;
    return key[0] === 0x72 ? `r ${parseRevisionKey(key).revision} ${parseRevisionKey(key).operation}` : "";
  });
  return named.filter((name) => name !== "").sort();
}

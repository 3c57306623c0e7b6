import assert from "node:assert/strict";
import * as fc from "fast-check";
import { IkadaError } from "../../src/base/errors.js";
import type { KeyRecord, Store, Txn } from "../../store/store.js";
import { MemoryKeyValue } from "../../store/memory-key-value.js";
import { openLocalStore } from "../../store/local-store.js";
import { type Collected, collect, openRig, tinyRecent } from "./harness.js";
import { ManualEnv, drain } from "./manual-env.js";
import { Model, arbitraryTxn, prefixes } from "./model.js";
import { put } from "./requests.js";

const requests = fc.array(fc.array(arbitraryTxn, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 15 });

describe("history", () => {
  for (const [where, recent] of [
    ["memory", undefined],
    ["disk", tinyRecent],
  ] as const) {
    it(`lists every revision in pages as it was, from ${where}`, async () => {
      await fc.assert(
        fc.asyncProperty(requests, fc.integer({ min: 1, max: 4 }), async (all, limit) => {
          const { replica, model } = await filled(all, recent);
          for (let revision = 0; revision <= model.revision; revision += 1)
            for (const prefix of prefixes)
              assert.deepEqual(await pages(replica, prefix, limit, revision), model.range(prefix, revision));
        }),
        { numRuns: 25 },
      );
    });

    it(`gives a watch from every revision what came after it, from ${where}`, async () => {
      await fc.assert(
        fc.asyncProperty(requests, async (all) => {
          const { replica, model, env } = await filled(all, recent);
          const watches: [string, number, Collected][] = [];
          for (let revision = 0; revision <= model.revision; revision += 1)
            for (const prefix of prefixes) watches.push([prefix, revision, collect(replica, prefix, revision)]);
          await env.advance(100);
          for (const [prefix, revision, watch] of watches) {
            assert.deepEqual(watch.errors, []);
            assert.deepEqual(watch.batches, model.changes(prefix, revision));
            assert.equal(watch.progress, model.revision);
          }
        }),
        { numRuns: 25 },
      );
    });
  }

  it("joins the present without a gap or a repeat while writes go on and the disk is behind", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(arbitraryTxn, fc.constantFrom("hold", "release", "step", "watch", "none")), {
          minLength: 5,
          maxLength: 40,
        }),
        fc.nat(),
        async (steps, chance) => {
          const { env, keyValue, consensus, replica } = await openRig({ recent: tinyRecent });
          const model = new Model();
          const watches: [string, number, Collected][] = [];
          for (const [at, [txn, action]] of steps.entries()) {
            replica.writeThen({ txns: [txn], origin: "test" }, assert.ifError);
            consensus.commit();
            model.run(txn);
            if (action === "hold") keyValue.holding = true;
            if (action === "release") keyValue.release();
            if (action === "step") await env.advance(0);
            const from = replica.revision() === 0 ? 0 : (chance + at) % (replica.revision() + 1);
            const prefix = prefixes[(chance + at) % prefixes.length] ?? "";
            if (action === "watch") watches.push([prefix, from, collect(replica, prefix, from)]);
          }
          keyValue.release();
          await env.advance(100);
          for (const [prefix, from, watch] of watches) {
            assert.deepEqual(watch.errors, []);
            assert.deepEqual(watch.batches, model.changes(prefix, from));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("outlives a restart", async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (all) => {
        const env = new ManualEnv();
        const keyValue = new MemoryKeyValue();
        const first = await openLocalStore(env, { keyValue });
        const model = new Model();
        await fill(first, model, all);
        const digest = first.digest();
        await first.close();
        const second = await openLocalStore(env, { keyValue });
        assert.equal(second.digest(), digest);
        assert.deepEqual([...second.peekPrefix("")], model.range("", model.revision));
        const watch = collect(second, "", 0);
        await fill(second, model, all);
        await env.advance(100);
        assert.deepEqual(watch.batches, model.changes("", 0));
        for (let revision = 0; revision <= model.revision; revision += 1)
          assert.deepEqual(await pages(second, "", 100, revision), model.range("", revision));
      }),
      { numRuns: 15 },
    );
  });

  it("closes a watch that falls further behind, with the revision to resume from", async () => {
    const { env, replica, consensus } = await openRig({ recent: tinyRecent });
    const model = new Model();
    const writeMany = async (): Promise<void> => {
      const txns = Array.from({ length: 200 }, (_, at) => put(`k${at % 7}`, "v"));
      for (const txn of txns) model.run(txn);
      replica.writeThen({ txns, origin: "test" }, assert.ifError);
      consensus.commit();
      await drain();
    };
    await writeMany();
    const slow = collect(replica, "", 0);
    for (let at = 0; at < 80; at += 1) {
      await writeMany();
      await env.step();
    }
    const error = slow.errors[0];
    assert.ok(error instanceof IkadaError && error.reason === "SlowWatcher");
    assert.equal(error.details.revision, slow.batches.at(-1)?.revision);
    assert.equal(replica.counts().watches, 0);
    const resumed = collect(replica, "", error.details.revision ?? 0);
    await env.advance(100);
    assert.deepEqual([...slow.batches, ...resumed.batches], model.changes("", 0));
  });

  it("pages through more than one read of the disk, and never splits a revision", async () => {
    const env = new ManualEnv();
    const { replica, consensus } = await openRig({ env, recent: tinyRecent });
    const model = new Model();
    const value = new Uint8Array(10);
    for (let at = 0; at < 9; at += 1) {
      const success = Array.from({ length: 300 }, (_, key) => {
        return { type: "put" as const, key: `k/${(at * 100 + key) % 1000}`, value, revisionAt: -1 };
      });
      const txn = { compares: [], success, failure: [] };
      model.run(txn);
      replica.writeThen({ txns: [txn], origin: "test" }, assert.ifError);
      consensus.commit();
      await drain();
    }
    const all = collect(replica, "k/", 2);
    const few = collect(replica, "k/99", 0);
    await env.advance(1000);
    assert.deepEqual(all.batches, model.changes("k/", 2));
    assert.deepEqual(few.batches, model.changes("k/99", 0));
    for (const revision of [3, 5, 9])
      assert.deepEqual(await pages(replica, "k/", 77, revision), model.range("k/", revision));
  });
});

async function filled(
  all: readonly (readonly Txn[])[],
  recent: typeof tinyRecent | undefined,
): Promise<{ replica: Store; model: Model; env: ManualEnv }> {
  const { replica, consensus, env } = await openRig(recent ? { recent } : {});
  const model = new Model();
  for (const txns of all) {
    replica.writeThen({ txns, origin: "test" }, assert.ifError);
    consensus.commit();
    for (const txn of txns) model.run(txn);
  }
  await drain();
  return { replica, model, env };
}

async function fill(store: Store, model: Model, all: readonly (readonly Txn[])[]): Promise<void> {
  for (const txns of all) {
    const results = await store.write({ txns, origin: "test" });
    assert.deepEqual(
      results,
      txns.map((txn) => model.run(txn)),
    );
  }
}

async function pages(store: Store, prefix: string, limit: number, revision: number): Promise<KeyRecord[]> {
  const records: KeyRecord[] = [];
  for (let more = true; more;) {
    const after = records.at(-1)?.key;
    const page = await store.range({ prefix, limit, revision, ...(after === undefined ? {} : { after }) });
    assert.ok(page.records.length <= limit && (page.records.length === limit || !page.more));
    records.push(...page.records);
    ({ more } = page);
  }
  return records;
}

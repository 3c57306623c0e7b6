import assert from "node:assert/strict";
import type { EtcdCommand } from "../../store/etcd.js";
import { CompactionPolicy } from "../../store/compaction-policy.js";
import { openLocalStore } from "../../store/local-store.js";
import type { Replica } from "../../store/replica.js";
import { ManualEnv } from "./manual-env.js";
import { put, remove } from "./requests.js";

const hourMs = 3_600_000;
const plenty = 2 ** 40;

/** One change an hour. */
async function write(env: ManualEnv, store: Replica, hours: number, bytes = 10): Promise<void> {
  for (let hour = 0; hour < hours; hour += 1) {
    await store.write({ txns: [put("k", "x".repeat(bytes))], origin: "" });
    await env.advance(hourMs);
  }
}

describe("the policy of compaction", () => {
  it("keeps the history of the last day", async () => {
    const env = new ManualEnv();
    const store = await openLocalStore(env);
    const policy = new CompactionPolicy(env, store, { historyMs: 24 * hourMs, historyBytes: plenty });
    await write(env, store, 20);
    assert.equal(store.compactRevision(), 0);
    await write(env, store, 20);
    // Revision 1 was made at hour 0.
    assert.equal(store.compactRevision(), 17);
    policy.close();
    await write(env, store, 3);
    assert.equal(store.compactRevision(), 17);
  });

  it("keeps no more than there is space for, and then some less", async () => {
    const env = new ManualEnv();
    const store = await openLocalStore(env);
    const policy = new CompactionPolicy(env, store, { historyMs: 1000 * hourMs, historyBytes: 100_000 });
    let most = 0;
    for (let at = 0; at < 60; at += 1) {
      await write(env, store, 1, 10_000);
      const { liveBytes, rowBytes } = store.usage();
      most = Math.max(most, rowBytes - liveBytes);
    }
    assert.ok(most > 60_000 && most < 111_000, `${most} bytes`);
    assert.ok(store.compactRevision() > 45);
    policy.close();
  });

  it("asks again after a compaction that failed", async () => {
    const env = new ManualEnv();
    const store = await openLocalStore(env);
    let refusals = 2;
    const flaky = {
      revision: () => store.revision(),
      compactRevision: () => store.compactRevision(),
      usage: () => store.usage(),
      revisionAtThen: store.revisionAtThen.bind(store),
      compactThen: (...[revision, done]: Parameters<Replica["compactThen"]>) =>
        refusals-- > 0 ? done(new Error("no leader"), undefined) : store.compactThen(revision, done),
    };
    const policy = new CompactionPolicy(env, flaky, { historyMs: hourMs, historyBytes: plenty });
    await write(env, store, 3);
    assert.equal(store.compactRevision(), 3);
    assert.ok(refusals < 0);
    policy.close();
  });
});

describe("the policy of compaction, for the keyspace of etcd's services", () => {
  const putOne: EtcdCommand = {
    type: "txn",
    txn: {
      compares: [],
      success: [{ type: "put", key: "k", value: new Uint8Array(10_000), lease: 0 }],
      failure: [],
    },
  };

  it("keeps its history as long, and leaves the objects' alone", async () => {
    const env = new ManualEnv();
    const store = await openLocalStore(env);
    const policy = new CompactionPolicy(env, store.etcd, { historyMs: 24 * hourMs, historyBytes: plenty });
    await write(env, store, 5);
    for (let hour = 0; hour < 40; hour += 1) {
      await store.etcd.execute(putOne, "test");
      await env.advance(hourMs);
    }
    assert.equal(store.etcd.compactRevision(), 17);
    assert.equal(store.compactRevision(), 0);
    await assert.rejects(store.etcd.range({ key: "k", end: "", revision: 16, limit: 0, countOnly: false }), {
      reason: "Compacted",
    });
    assert.equal(
      (await store.etcd.range({ key: "k", end: "", revision: 17, limit: 0, countOnly: false })).records.length,
      1,
    );
    policy.close();
  });

  it("keeps no more of it than there is space for", async () => {
    const env = new ManualEnv();
    const store = await openLocalStore(env);
    const policy = new CompactionPolicy(env, store.etcd, { historyMs: 1000 * hourMs, historyBytes: 100_000 });
    for (let hour = 0; hour < 60; hour += 1) {
      await store.etcd.execute(putOne, "test");
      await env.advance(hourMs);
    }
    assert.ok(store.etcd.compactRevision() > 45, `${store.etcd.compactRevision()}`);
    policy.close();
  });
});

describe("the quota", () => {
  it("refuses what creates or grows, until enough is deleted", async () => {
    const env = new ManualEnv();
    const store = await openLocalStore(env, { quotaBytes: 20_000 });
    const puts = (key: string, bytes: number): Promise<unknown> =>
      store.write({ txns: [put(key, "x".repeat(bytes))], origin: "" });
    for (const key of ["a", "b", "c"]) await puts(key, 8_000);
    await assert.rejects(puts("d", 1), { reason: "QuotaExceeded" });
    await assert.rejects(puts("a", 8_000 + 4_097), { reason: "QuotaExceeded" });
    await puts("a", 8_100);
    await store.write({ txns: [remove("b")], origin: "" });
    await puts("d", 1);
  });
});

import assert from "node:assert/strict";
import { Lessor } from "../../store/etcd/lessor.js";
import { openLocalStore } from "../../store/local-store.js";
import type { Replica } from "../../store/replica.js";
import { drain, ManualEnv } from "./manual-env.js";
import { bytes } from "./requests.js";

describe("the leader's clock of leases", () => {
  let env: ManualEnv;
  let store: Replica;

  beforeEach(async () => {
    env = new ManualEnv();
    store = await openLocalStore(env);
  });

  const grant = (lease: number, ttlSeconds: number): Promise<unknown> =>
    store.etcd.execute({ type: "grant", lease, ttlSeconds }, "test");

  it("revokes a lease that has run out, with its keys", async () => {
    const lessor = new Lessor(env, store.etcd, 1);
    await grant(7, 10);
    const put = { type: "put", key: "k", value: bytes("x"), lease: 7 } as const;
    await store.etcd.execute({ type: "txn", txn: { compares: [], success: [put], failure: [] } }, "test");
    await env.advance(9_000);
    assert.equal(lessor.remainingSeconds(7), 1);
    assert.equal(lessor.renew(7), 10);
    await env.advance(9_900);
    assert.deepEqual(store.etcd.leases.keys(7), ["k"]);
    await env.advance(1_100);
    assert.deepEqual(store.etcd.leases.ids(), []);
    const left = await store.etcd.range({ key: "k", end: "", revision: 0, limit: 0, countOnly: true });
    assert.equal(left.count, 0);
    assert.equal(lessor.renew(7), undefined);
    assert.equal(lessor.remainingSeconds(7), undefined);
    lessor.close();
  });

  it("gives each lease its whole time anew when it begins to lead", async () => {
    await grant(7, 10);
    const before = new Lessor(env, store.etcd, 1);
    await env.advance(9_000);
    before.close();
    const lessor = new Lessor(env, store.etcd, 1);
    assert.equal(lessor.remainingSeconds(7), 10);
    await env.advance(9_900);
    assert.deepEqual(store.etcd.leases.ids(), [7]);
    await env.advance(1_000);
    assert.deepEqual(store.etcd.leases.ids(), []);
    lessor.close();
    await drain();
  });

  it("ends nothing in the log of another leader", async () => {
    await grant(7, 10);
    // Entries of a local store are of term 1.
    const deposed = new Lessor(env, store.etcd, 2);
    await env.advance(30_000);
    assert.deepEqual(store.etcd.leases.ids(), [7]);
    deposed.close();
    const { result } = await store.etcd.execute({ type: "revoke", lease: 7, term: 2 }, "test");
    assert.deepEqual(result, { type: "refused", reason: "NotLeader" });
  });

  it("tries again when a revocation fails, and revokes nothing any more once it is closed", async () => {
    await grant(7, 2);
    let failures = 2;
    const flaky: ConstructorParameters<typeof Lessor>[1] = {
      get leases() {
        return store.etcd.leases;
      },
      executeThen: (command, origin, done) =>
        failures-- > 0
          ? done(new Error("no leader"), undefined as never)
          : store.etcd.executeThen(command, origin, done),
    };
    const lessor = new Lessor(env, flaky, 1);
    await env.advance(4_000);
    assert.deepEqual(store.etcd.leases.ids(), []);
    await grant(8, 2);
    lessor.close();
    await env.advance(60_000);
    assert.deepEqual(store.etcd.leases.ids(), [8]);
  });
});

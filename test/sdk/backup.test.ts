import assert from "node:assert/strict";
import { BackupBudget } from "../../sdk/backup.js";
import { Client } from "../../sdk/index.js";
import { keyOfObject, storeKey } from "../../src/objects/keys.js";
import { eventually, TestCluster, tokens, wrapped } from "../server/harness.js";
import { configMap } from "../server/objects.js";

const namespace = "default";

describe("a call to a server that hangs", () => {
  let cluster: TestCluster;
  let client: Client;
  afterEach(async () => {
    await client.close();
    await cluster.close();
  });

  /** Server 1 takes what it is asked and never answers; `before` whether the write then happens all the same. */
  async function start(before: boolean): Promise<number[]> {
    const asked: number[] = [];
    cluster = await TestCluster.start(2, {
      storeOf: (store, id) =>
        wrapped(store, {
          write: async (request, write) => {
            asked.push(id);
            if (id !== 1) return write(request);
            if (before) await write(request);
            return new Promise(() => undefined);
          },
        }),
    });
    cluster.leader = 1;
    const endpoints = [1, 2].map((id) => cluster.addresses[id - 1]?.api ?? "");
    client = await Client.connect({ endpoints, ca: cluster.authority.certificate, token: tokens.admin });
    // Asks server 1 from now on.
    await client.get("namespaces", "default");
    return asked;
  }

  for (const before of [false, true]) {
    it(`is answered by another one${before ? ", and done once although the first had done it" : ""}`, async () => {
      const asked = await start(before);
      const revision = cluster.store.revision();
      const { object } = await client.create(configMap("a"), { deadlineMs: 5_000 });
      assert.equal(object.metadata.name, "a");
      assert.deepEqual(asked, before ? [1] : [1, 2]);
      assert.equal(cluster.store.revision(), revision + 1);
    });
  }

  it("gives the second one's refusal at once", async () => {
    await start(true);
    await client.create(configMap("a"), { deadlineMs: 5_000 });
    await assert.rejects(client.create(configMap("a"), { deadlineMs: 5_000 }), { reason: "AlreadyExists" });
  });

  it("that is refused by the second one is not done by the first one afterwards", async () => {
    let goOn: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const late: Promise<unknown>[] = [];
    cluster = await TestCluster.start(2, {
      storeOf: (store, id) =>
        wrapped(store, {
          write: async (request, write) => {
            if (id !== 1 || request.origin !== "admin:alice") return write(request);
            // Cut off: it hears nothing of the caller's end, and goes on when the network does.
            const writing = held.then(() => store.write(request));
            late.push(writing);
            return writing;
          },
        }),
    });
    cluster.leader = 1;
    const seed = (text: string): Promise<void> =>
      cluster.seed(configMap("a", { text }, { uid: `uid-${text}`, creationTimestamp: "2026-01-01T00:00:00Z" }));
    await seed("old");
    const endpoints = [1, 2].map((id) => cluster.addresses[id - 1]?.api ?? "");
    client = await Client.connect({ endpoints, ca: cluster.authority.certificate, token: tokens.admin });
    await client.get("namespaces", "default");
    const updating = client.update(configMap("a", { text: "refused" }), { deadlineMs: 5_000 });
    await eventually(() => late.length === 1);
    const key = storeKey(keyOfObject(configMap("a")));
    const removal = { compares: [], success: [{ type: "delete" as const, key }], failure: [] };
    await cluster.store.write({ txns: [removal], origin: "test" });
    await assert.rejects(updating, { reason: "NotFound" });
    await seed("new");
    goOn?.();
    await Promise.all(late);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { data } = await client.configMaps.get("a", { namespace });
    assert.deepEqual([data?.["text"], late.length], ["new", 1]);
  });

  it("ends at the caller's signal while both are asked", async () => {
    await start(false);
    cluster.leader = 2;
    const controller = new AbortController();
    const writing = client.create(configMap("b"), { signal: controller.signal });
    controller.abort();
    await assert.rejects(writing, { reason: "Cancelled" });
    await assert.rejects(client.get("configmaps", "b", { namespace }), { reason: "NotFound" });
  });
});

describe("the budget of second questions", () => {
  it("is spent by a server that is slow for everybody, and earned again by answers", () => {
    const budget = new BackupBudget();
    let spent = 0;
    while (budget.spend()) spent += 1;
    assert.equal(spent, 20);
    for (let call = 0; call < 9; call++) budget.earn();
    assert.equal(budget.spend(), false);
    for (let call = 0; call < 2; call++) budget.earn();
    assert.equal(budget.spend(), true);
  });
});

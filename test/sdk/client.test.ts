import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { Client, IkadaError } from "../../sdk/index.js";
import type { AnyObject, ConnectOptions, Deployment } from "../../sdk/index.js";
import { changesToTxn, noChanges } from "../../src/objects/transaction.js";
import { eventually, TestCluster, tokens, wrapped } from "../server/harness.js";
import { configMap } from "../server/objects.js";

const namespace = "default";

describe("the client library", () => {
  const clusters: TestCluster[] = [];
  const clients: Client[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
    for (const cluster of clusters.splice(0)) await cluster.close();
  });

  async function start(count: number, more: Parameters<typeof TestCluster.start>[1] = {}): Promise<TestCluster> {
    const cluster = await TestCluster.start(count, more);
    clusters.push(cluster);
    return cluster;
  }

  async function connect(cluster: TestCluster, servers = [1, 2], token: string = tokens.admin): Promise<Client> {
    const endpoints = servers.map((id) => cluster.addresses[id - 1]?.api ?? "");
    const client = await Client.connect({ endpoints, ca: cluster.authority.certificate, token });
    clients.push(client);
    return client;
  }

  it("does all verbs with types", async () => {
    const client = await connect(await start(1), [1]);
    const spec: Deployment["spec"] = {
      replicas: 2,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "hello:1" }] } },
    };
    const applied = await client.deployments.apply({ metadata: { name: "web", namespace }, spec });
    assert.equal(applied.created, true);
    assert.equal(applied.object.spec.replicas, 2);
    assert.equal((await client.scale("deploy", "web", 4, { namespace })).changed, true);
    const scale = await client.getScale("deploy", "web", { namespace });
    assert.equal(scale.spec.replicas, 4);
    const scaled = await client.updateScale("deploy", { ...scale, spec: { replicas: 5 } }, { dryRun: true });
    assert.equal(scaled.object.spec.replicas, 5);
    const read = await client.deployments.get("web", { namespace });
    assert.equal(read.spec.replicas, 4);
    const patched = await client.deployments.patch("web", { spec: { paused: true } }, { namespace });
    assert.equal(patched.object.spec.paused, true);
    const operations = [{ op: "replace", path: "/spec/paused", value: false }];
    const json = await client.deployments.patch("web", operations, { namespace, type: "json" });
    assert.equal(json.object.spec.paused, false);
    const order = { "$setElementOrder/containers": [{ name: "web" }] };
    const dry = await client.deployments.patch(
      "web",
      { spec: { template: { spec: { ...order, containers: [{ name: "web", image: "hello:2" }] } } } },
      { namespace, type: "strategic", dryRun: true },
    );
    assert.equal(dry.object.spec.template.spec?.containers[0]?.image, "hello:2");
    assert.equal(dry.object.metadata.resourceVersion, json.object.metadata.resourceVersion);
    await assert.rejects(client.deployments.update(read), { reason: "Conflict" });
    const made = Number(applied.object.metadata.resourceVersion);
    const changes: string[] = [];
    for await (const { type, revision } of client.deployments.history("web", { namespace, pageSize: 1 }))
      changes.push(`${type} ${revision - made}`);
    assert.deepEqual(changes, ["changed 3", "changed 2", "changed 1", "created 0"]);
    assert.ok((await client.revisionAt(new Date(Date.now() + 60_000))) >= made + 3);
    const undone = await client.deployments.undo("web", made, { namespace, dryRun: true });
    assert.equal(undone.object.spec.replicas, 2);
    const names: string[] = [];
    for (let at = 0; at < 5; at++) await client.create(configMap(`c-${at}`));
    for await (const object of client.configMaps.list({ namespace, pageSize: 2 })) names.push(object.metadata.name);
    assert.deepEqual(names, ["c-0", "c-1", "c-2", "c-3", "c-4"]);
    const page = await client.configMaps.listPage({ namespace, pageSize: 4 });
    const deleted = await client.configMaps.delete("c-0", { namespace });
    assert.equal((await client.configMaps.get("c-0", { namespace, revision: page.revision })).metadata.name, "c-0");
    const past = await client.configMaps.listPage({ namespace, revision: page.revision, continue: page.next });
    assert.deepEqual([past.objects[0]?.metadata.name, past.revision, past.next], ["c-4", page.revision, ""]);
    const now = await client.configMaps.listPage({ namespace, notOlderThan: page.revision });
    assert.equal(now.objects.length, 4);
    await assert.rejects(client.configMaps.get("c-1", { namespace, revision: 1, notOlderThan: 1 }), /either/);
    const fieldSelector = "metadata.name!=c-1";
    const tried = await client.configMaps.deleteCollection({ namespace, fieldSelector, dryRun: true });
    const gone = await client.configMaps.deleteCollection({ namespace, fieldSelector });
    assert.deepEqual(gone, tried);
    assert.deepEqual(
      gone.map(({ name, state }) => `${name} ${state}`),
      ["c-2 removed", "c-3 removed", "c-4 removed"],
    );
    assert.equal(deleted.removed, true);
    assert.equal(deleted.object?.metadata.name, "c-0");
    assert.equal((await client.clusterStatus()).leader, 1);
  });

  it("gives the server's errors as they are, at once", async () => {
    const cluster = await start(1);
    const client = await connect(cluster, [1]);
    await assert.rejects(client.get("pods", "none", { namespace }), (error: unknown) => {
      assert.ok(error instanceof IkadaError);
      assert.equal(error.reason, "NotFound");
      assert.equal(error.details.object, 'pods "none"');
      return true;
    });
    const stranger = await connect(cluster, [1], "no such token");
    await assert.rejects(stranger.get("pods", "none", { namespace }), { reason: "Unauthenticated" });
    const large = configMap("large", { a: "x".repeat(5 * 1024 * 1024) });
    await assert.rejects(client.create(large), { reason: "TooLarge" });
  });

  it("ends calls at their deadline, at their signal and when it is closed", async () => {
    const cluster = await start(1);
    const client = await connect(cluster, [1]);
    await cluster.kill(1);
    await assert.rejects(client.get("pods", "x", { namespace, deadlineMs: 200 }), { reason: "Deadline" });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await assert.rejects(client.get("pods", "x", { namespace, signal: controller.signal }), { reason: "Cancelled" });
    const closing = client.get("pods", "x", { namespace });
    setTimeout(() => void client.close(), 50);
    await assert.rejects(closing, { reason: "Cancelled" });
    await assert.rejects(client.get("pods", "x", { namespace }), { reason: "Cancelled" });
    const ca = cluster.authority.certificate;
    const wrong: ConnectOptions[] = [
      { endpoints: [], ca, token: "" },
      { endpoints: ["127.0.0.1:1"], ca: "ca.pem", token: "" },
      { endpoints: ["127.0.0.1:1"], ca },
      { endpoints: ["127.0.0.1:1"], ca, identity: { certificate: ca, key: "alice.key" } },
    ];
    for (const options of wrong) await assert.rejects(Client.connect(options), { reason: "BadRequest" });
  });

  it("says who did not answer in time", async () => {
    const cluster = await start(1);
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    await once(silent, "listening");
    try {
      const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const ca = cluster.authority.certificate;
      const client = await Client.connect({ endpoints: [address], ca, token: tokens.admin });
      clients.push(client);
      await assert.rejects(client.get("pods", "x", { namespace, deadlineMs: 300 }), (error: unknown) => {
        assert.ok(error instanceof IkadaError);
        assert.equal(error.reason, "Deadline");
        assert.equal(error.message, `${address} did not answer in time`);
        assert.match(error.details.hint ?? "", /ikada cluster status/);
        return true;
      });
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });

  it("comes with a certificate instead of a token", async () => {
    const cluster = await start(1);
    const endpoints = [cluster.addresses[0]!.api];
    const identity = await cluster.identity("user", "alice");
    const client = await Client.connect({ endpoints, ca: cluster.authority.certificate, identity });
    clients.push(client);
    assert.equal((await client.create(configMap("a"))).created, true);
    const nobody = await cluster.identity("user", "nobody");
    const stranger = await Client.connect({ endpoints, ca: cluster.authority.certificate, identity: nobody });
    clients.push(stranger);
    await assert.rejects(stranger.get("configmaps", "a", { namespace }), { reason: "Unauthenticated" });
  });

  it("ends a watch at its deadline", async () => {
    const client = await connect(await start(1), [1]);
    const read = async () => {
      for await (const event of client.configMaps.watch({ namespace, deadlineMs: 200 })) void event;
    };
    await assert.rejects(read(), { reason: "Deadline" });
  });

  it("asks the leader once a server has named it, and others when it is gone", async () => {
    const seen: number[] = [];
    const cluster = await start(3, {
      storeOf: (store, id) => wrapped(store, { barrier: () => void seen.push(id) }),
    });
    cluster.leader = 3;
    // Only the first is configured: the others are learned.
    const client = await connect(cluster, [1]);
    await client.create(configMap("a"));
    for (let at = 0; at < 3; at++) await client.get("configmaps", "a", { namespace });
    assert.deepEqual(seen.slice(-3), [3, 3, 3]);
    cluster.leader = 2;
    await cluster.kill(3);
    await client.get("configmaps", "a", { namespace });
    await client.get("configmaps", "a", { namespace });
    assert.equal(seen.at(-1), 2);
  });

  it("asks the endpoints alone that it is pinned to, whoever leads", async () => {
    const seen: number[] = [];
    const cluster = await start(3, {
      storeOf: (store, id) => wrapped(store, { barrier: () => void seen.push(id) }),
    });
    cluster.leader = 3;
    const endpoints = [cluster.addresses[0]!.api];
    const ca = cluster.authority.certificate;
    const client = await Client.connect({ endpoints, ca, token: tokens.admin, pinned: true });
    clients.push(client);
    await client.create(configMap("a"));
    for (let at = 0; at < 3; at++) await client.get("configmaps", "a", { namespace });
    assert.deepEqual(seen.slice(-3), [1, 1, 1]);
  });

  it("loses and doubles nothing of a watch whose server dies among the events of one transaction", async () => {
    const cluster = await start(2);
    const client = await connect(cluster, [1, 2]);
    const given: string[] = [];
    const bookmarks: number[] = [];
    const controller = new AbortController();
    const watching = (async () => {
      for await (const event of client.watch("configmaps", { namespace, signal: controller.signal })) {
        if (event.type === "BOOKMARK") bookmarks.push(event.revision);
        else given.push(`${event.type} ${event.object.metadata.name}`);
        // The reader is slow, so that the stream breaks somewhere in the middle.
        if (event.type === "ADDED") await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    await eventually(() => bookmarks.length > 0);
    const batch = (first: number) => Array.from({ length: 60 }, (_, at) => `w-${first + at}`);
    await together(cluster, batch(0));
    await eventually(() => given.length > 20);
    await cluster.kill(1);
    await together(cluster, batch(100));
    await eventually(() => given.length >= 120);
    await client.delete("configmaps", "w-0", { namespace });
    await eventually(() => given.includes("DELETED w-0"));
    controller.abort();
    await assert.rejects(watching, { reason: "Cancelled" });
    const expected = [...batch(0), ...batch(100)].map((name) => `ADDED ${name}`).sort();
    assert.deepEqual(given.slice(0, 120).sort(), expected);
    assert.equal(given.length, 121);
  });

  it("says Compacted when it can't go on from where it was", async () => {
    const cluster = await start(1, {
      storeOf: (store) =>
        wrapped(store, {
          watch: () => {
            throw new IkadaError("Compacted", "too old", { revision: 9 });
          },
        }),
    });
    const client = await connect(cluster, [1]);
    const read = async () => {
      for await (const event of client.configMaps.watch({ namespace, revision: 1 })) void event;
    };
    await assert.rejects(read(), { reason: "Compacted" });
  });

  it("writes once although the server dies after the commit and before the answer", async () => {
    const killed: Promise<void>[] = [];
    let armed = false;
    const cluster = await start(2, {
      storeOf: (store, id) =>
        wrapped(store, {
          write: async (request, write) => {
            const results = await write(request);
            if (id === 1 && armed) {
              armed = false;
              killed.push(cluster.kill(1));
              await killed[0];
            }
            return results;
          },
        }),
    });
    const client = await connect(cluster, [1, 2]);
    // Asks server 1 from now on.
    await client.get("namespaces", "default");
    for (const [name, act] of Object.entries(acts(client))) {
      const before = cluster.store.revision();
      armed = true;
      await act();
      assert.equal(cluster.store.revision(), before + 1, name);
      if (killed.length > 0) break;
    }
    assert.equal(killed.length, 1);
    const names: string[] = [];
    for await (const object of client.configMaps.list({ namespace })) names.push(object.metadata.name);
    assert.equal(names.length, 1);
  });

  it("answers a repeat of every verb with success when only the answer was lost", async () => {
    let lose = false;
    const cluster = await start(2, {
      storeOf: (store) =>
        wrapped(store, {
          write: async (request, write) => {
            const results = await write(request);
            if (!lose) return results;
            lose = false;
            throw new IkadaError("Deadline", "the answer got lost");
          },
        }),
    });
    const client = await connect(cluster, [1, 2]);
    for (const [name, act] of Object.entries(acts(client))) {
      const before = cluster.store.revision();
      lose = true;
      await act();
      assert.equal(cluster.store.revision(), before + 1, name);
    }
  });

  it("keeps many writes at once within what the store remembers", async () => {
    const cluster = await start(1);
    const client = await connect(cluster, [1]);
    await Promise.all(Array.from({ length: 200 }, (_, at) => client.create(configMap(`many-${at}`))));
    let count = 0;
    for await (const object of client.list("configmaps", { namespace })) count += object.metadata.name ? 1 : 0;
    assert.equal(count, 200);
  });
});

/** One write of each verb on one object. */
function acts(client: Client): Record<string, () => Promise<unknown>> {
  const generated = {
    ...configMap("", { a: "1" }),
    metadata: { generateName: "g-", namespace },
  } as unknown as AnyObject;
  let name = "";
  return {
    create: async () => {
      ({ name } = (await client.create(generated)).object.metadata);
    },
    update: () => client.update(configMap(name, { a: "2" })),
    patch: () => client.patch("configmaps", name, { data: { b: "1" } }, { namespace }),
    apply: () => client.apply(configMap(name, { c: "1" })),
    delete: async () => assert.equal((await client.delete("configmaps", name, { namespace })).removed, true),
  };
}

/** All these ConfigMaps by one transaction, at one revision. */
async function together(cluster: TestCluster, names: readonly string[]): Promise<void> {
  const creates = names.map((name) => configMap(name, {}, { uid: `uid-${name}` }));
  await cluster.store.write({ txns: [changesToTxn({ ...noChanges, creates })], origin: "test" });
}

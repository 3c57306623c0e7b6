import assert from "node:assert/strict";
import { Client, IkadaError, type ConfigMap, type Mutable } from "../../sdk/index.js";
import { TestCluster, tokens } from "../server/harness.js";
import { configMap, deployment } from "../server/objects.js";

const namespace = "default";

describe("modify", () => {
  let cluster: TestCluster;
  let client: Client;
  beforeEach(async () => {
    cluster = await TestCluster.start(1);
    const endpoints = cluster.addresses.map(({ api }) => api);
    client = await Client.connect({ endpoints, ca: cluster.authority.certificate, token: tokens.admin });
    await client.create(configMap("a", { count: "0" }));
  });
  afterEach(async () => {
    await client.close();
    await cluster.close();
  });

  const count = (copy: Mutable<ConfigMap>) => {
    copy.data = { count: String(Number(copy.data?.["count"]) + 1) };
  };

  it("loses no change of many at once", async () => {
    const writers = Array.from({ length: 8 }, () => client.configMaps.modify("a", count, { namespace, triesMax: 100 }));
    await Promise.all(writers);
    const { data } = await client.configMaps.get("a", { namespace });
    assert.deepEqual(data, { count: "8" });
  });

  it("gives up after so many tries, and says how many", async () => {
    let calls = 0;
    // Somebody else is faster each time.
    const interceptors = [
      async ({ method }: { readonly method: string }, next: () => Promise<unknown>) => {
        await next();
        if (method !== "Resources/Get") return;
        calls += 1;
        await client.configMaps.patch("a", { data: { other: String(calls) } }, { namespace });
      },
    ];
    const endpoints = cluster.addresses.map(({ api }) => api);
    const ca = cluster.authority.certificate;
    const slow = await Client.connect({ endpoints, ca, token: tokens.admin, interceptors });
    try {
      await assert.rejects(slow.configMaps.modify("a", count, { namespace, triesMax: 3 }), (error: unknown) => {
        assert.ok(error instanceof IkadaError);
        assert.equal(error.reason, "Conflict");
        assert.match(error.message, /\(tried 3 times\)$/);
        return true;
      });
      assert.equal(calls, 3);
      await assert.rejects(
        slow.configMaps.modify("a", count, { namespace, triesMax: 1_000, deadlineMs: 300 }),
        (error: unknown) =>
          error instanceof IkadaError && error.reason === "Deadline" && /tried \d+ times/.test(error.message),
      );
    } finally {
      await slow.close();
    }
  });

  it("writes nothing when nothing is changed, and what is returned in place of the copy", async () => {
    const before = cluster.store.revision();
    const same = await client.configMaps.modify("a", () => undefined, { namespace });
    assert.deepEqual([same.changed, same.object.data, cluster.store.revision()], [false, { count: "0" }, before]);
    const { object } = await client.configMaps.modify("a", (copy) => ({ ...copy, data: { b: "1" } }), { namespace });
    assert.deepEqual(object.data, { b: "1" });
    const later = await client.configMaps.modify("a", async (copy) => await Promise.resolve({ ...copy, data: {} }), {
      namespace,
    });
    assert.deepEqual(later.object.data, {});
    const never = () => new Promise<void>(() => undefined);
    await assert.rejects(client.configMaps.modify("a", never, { namespace, deadlineMs: 50 }), { reason: "Deadline" });
  });

  it("refuses a change that makes another object of it", async () => {
    const changes = {
      "metadata.name": (copy: Mutable<ConfigMap>) => void (copy.metadata.name = "b"),
      "metadata.resourceVersion": (copy: Mutable<ConfigMap>) => void delete copy.metadata.resourceVersion,
      "metadata.uid": (copy: Mutable<ConfigMap>) => void (copy.metadata.uid = "x"),
      kind: (copy: Mutable<ConfigMap>) => void (copy.kind = "Secret"),
    };
    for (const [field, change] of Object.entries(changes)) {
      await assert.rejects(client.configMaps.modify("a", change, { namespace }), (error: unknown) => {
        assert.ok(error instanceof IkadaError);
        assert.equal(error.reason, "BadRequest");
        assert.deepEqual(
          error.details.faults?.map((fault) => fault.field),
          [field],
        );
        return true;
      });
    }
  });

  it("takes a uid as a precondition, and changes a status alone", async () => {
    await assert.rejects(client.configMaps.modify("a", count, { namespace, uid: "gone" }), { reason: "NotFound" });
    await client.create(deployment("web", 2));
    const status = await client.deployments.modifyStatus(
      "web",
      (copy) => {
        copy.spec.replicas = 9;
        copy.status = { replicas: 1 };
      },
      { namespace },
    );
    assert.deepEqual([status.object.spec.replicas, status.object.status?.replicas], [2, 1]);
  });
});

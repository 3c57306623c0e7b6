import assert from "node:assert/strict";
import { Client, Resource, ScalableResource, StatusResource } from "../../sdk/index.js";
import { kinds } from "../../src/api/registry.js";
import { TestCluster, tokens } from "../server/harness.js";

const namespace = "default";

describe("typed clients", () => {
  let cluster: TestCluster;
  let client: Client;
  before(async () => {
    cluster = await TestCluster.start(1);
    const endpoints = cluster.addresses.map(({ api }) => api);
    client = await Client.connect({ endpoints, ca: cluster.authority.certificate, token: tokens.admin });
  });
  after(async () => {
    await client.close();
    await cluster.close();
  });

  it("are there for every kind, with its subresources", () => {
    const wanted = kinds.map(({ plural, hasStatus, hasScale }) => {
      const type = hasScale ? ScalableResource : hasStatus ? StatusResource : Resource;
      return [plural, type.name];
    });
    const found = Object.entries(client).flatMap(([name, value]) =>
      value instanceof Resource ? [[name.toLowerCase(), value.constructor.name]] : [],
    );
    assert.deepEqual(Object.fromEntries(found), Object.fromEntries(wanted));
  });

  it("write statuses and scales with their types, and nothing else by them", async () => {
    const labels = { app: "web" };
    const template = { metadata: { labels }, spec: { containers: [{ name: "web", image: "web:1" }] } };
    const spec = { replicas: 2, selector: { matchLabels: labels }, template };
    const { object } = await client.deployments.create({ metadata: { name: "web", namespace }, spec });
    const updated = await client.deployments.updateStatus({ ...object, status: { replicas: 1 } });
    assert.deepEqual([updated.object.status?.replicas, updated.object.spec.replicas], [1, 2]);
    await assert.rejects(client.deployments.updateStatus({ ...object, status: { replicas: 7 } }), {
      reason: "Conflict",
    });
    const applied = await client.deployments.applyStatus({
      metadata: { name: "web", namespace },
      status: { readyReplicas: 1 },
    });
    assert.deepEqual([applied.object.status?.replicas, applied.object.status?.readyReplicas], [1, 1]);
    const patched = await client.deployments.patchStatus("web", { status: { replicas: 2 } }, { namespace });
    assert.equal(patched.object.status?.replicas, 2);
    const scaled = await client.deployments.scale("web", 3, { namespace, currentReplicas: 2 });
    assert.equal(scaled.object.spec.replicas, 3);
    const scale = await client.deployments.getScale("web", { namespace });
    const again = await client.deployments.updateScale({ ...scale, spec: { replicas: 4 } });
    assert.equal(again.object.spec.replicas, 4);
    assert.equal((await client.deployments.table({ namespace })).rows.length, 1);
  });
});

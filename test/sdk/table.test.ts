import assert from "node:assert/strict";
import { Client } from "../../sdk/index.js";
import { TestCluster, tokens } from "../server/harness.js";
import { configMap, deployment } from "../server/objects.js";

const namespace = "default";

describe("a table of objects", () => {
  let cluster: TestCluster;
  const clients: Client[] = [];
  before(async () => {
    cluster = await TestCluster.start(1);
  });
  after(async () => {
    for (const client of clients) await client.close();
    await cluster.close();
  });

  async function connect(token: string): Promise<Client> {
    const endpoints = cluster.addresses.map(({ api }) => api);
    const client = await Client.connect({ endpoints, ca: cluster.authority.certificate, token });
    clients.push(client);
    return client;
  }

  it("has the columns and cells of the kind, of a page after the other, with selectors", async () => {
    const client = await connect(tokens.admin);
    for (let at = 0; at < 5; at += 1)
      await client.create(configMap(`c${at}`, { k: "v" }, { labels: { at: `${at % 2}` } }));
    const all = await client.table("configmaps", { namespace, pageSize: 2 });
    assert.deepEqual(
      all.columns.map(({ name }) => name),
      ["Name", "Data", "Age"],
    );
    assert.deepEqual(
      all.rows.map(({ name, namespace, cells }) => [name, namespace, ...cells.slice(0, 2)]),
      [
        ["c0", namespace, "c0", "1"],
        ["c1", namespace, "c1", "1"],
        ["c2", namespace, "c2", "1"],
        ["c3", namespace, "c3", "1"],
        ["c4", namespace, "c4", "1"],
      ],
    );
    assert.match(all.rows[0]!.cells[2]!, /^\d+s$/);
    assert.deepEqual(all.rows[0]!.labels, {});
    const odd = await client.table("cm", { namespace, labelSelector: "at=1", labels: true });
    assert.deepEqual(
      odd.rows.map(({ name, labels }) => [name, labels]),
      [
        ["c1", { at: "1" }],
        ["c3", { at: "1" }],
      ],
    );
    assert.deepEqual((await client.table("cm", { namespace, labelSelector: "at=7" })).rows, []);
  });

  it("has more columns when wide, and is of one object by name", async () => {
    const client = await connect(tokens.admin);
    await client.create(deployment("web", 2));
    const [narrow, wide] = await Promise.all([
      client.table("deploy", { namespace }),
      client.table("deploy", { namespace, wide: true, name: "web" }),
    ]);
    assert.ok(wide.columns.length > narrow.columns.length);
    assert.ok(wide.rows[0]!.cells.includes("hello:1"));
    assert.equal(wide.rows[0]!.cells.length, wide.columns.length);
    await assert.rejects(client.table("deploy", { namespace, name: "absent" }), { reason: "NotFound" });
    await assert.rejects(client.table("deploy", { name: "web" }), { reason: "BadRequest" });
  });

  it("is of a past revision too", async () => {
    const client = await connect(tokens.admin);
    const { object } = await client.create(configMap("past"));
    const revision = Number(object.metadata.resourceVersion);
    await client.configMaps.delete("past", { namespace });
    assert.equal((await client.table("cm", { namespace, name: "past", revision })).rows.length, 1);
    const then = await client.table("cm", { namespace, revision, fieldSelector: "metadata.name=past" });
    assert.equal(then.rows.length, 1);
  });

  it("of Secrets needs the permission to read them", async () => {
    const viewer = await connect(tokens.view);
    assert.equal((await viewer.table("deploy", { namespace })).rows.length, 1);
    await assert.rejects(viewer.table("secrets", { namespace }), { reason: "Forbidden" });
    await assert.rejects(viewer.table("secrets", { namespace, name: "any" }), { reason: "Forbidden" });
  });
});

import assert from "node:assert/strict";
import type * as grpc from "@grpc/grpc-js";
import { ikada } from "#proto/api.js";
import { apiMethods } from "../../../src/host/api-methods.js";
import { callUnary } from "../../../src/host/grpc.js";
import { limits } from "../../../src/base/limits.js";
import { storeKey } from "../../../src/objects/keys.js";
import type { WriteRequest } from "../../../store/store.js";
import { bearer, TestCluster, tokens, wrapped } from "../harness.js";
import { configMap, pod, read } from "../objects.js";
import { Verbs } from "./verbs.js";

const metadata = bearer(tokens.admin);
const configMaps = { group: "", version: "v1", kind: "ConfigMap", namespace: "default" };
const states = ["", "removed", "terminating", "kept"];

describe("delete collection", () => {
  let cluster: TestCluster;
  let verbs: Verbs;
  let client: grpc.Client;
  const entries: WriteRequest[] = [];
  /** What somebody else does in front of the next write. */
  let meanwhile: (() => Promise<unknown>) | undefined;

  before(async () => {
    cluster = await TestCluster.start(1, {
      storeOf: (store) =>
        wrapped(store, {
          write: async (request, write) => {
            entries.push(request);
            const first = meanwhile;
            meanwhile = undefined;
            await first?.();
            return write(request);
          },
        }),
    });
    client = cluster.client("api");
    verbs = new Verbs(client);
  });
  after(() => cluster.close());

  const remove = (request: ikada.api.v1.IDeleteCollectionRequest) =>
    callUnary(client, apiMethods.deleteCollection, { ...configMaps, ...request }, { metadata });
  const told = ({ outcomes }: ikada.api.v1.DeleteCollectionResponse) =>
    outcomes.map(({ name, state }) => `${name} ${states[state ?? 0]}`);
  const labelled = (name: string, app: string, more: object = {}) => configMap(name, {}, { labels: { app }, ...more });
  const isThere = (name: string): boolean =>
    cluster.store.peek(storeKey({ groupKind: "/ConfigMap", namespace: "default", name })) !== undefined;

  it("deletes what matches, page by page, many in one log entry, and tells what became of each", async () => {
    for (let at = 0; at < 5; at += 1) await verbs.create(labelled(`page-${at}`, "page"));
    await verbs.create(labelled("other", "other"));
    entries.length = 0;
    const first = await remove({ labelSelector: "app=page", limit: 3 });
    assert.deepEqual(told(first), ["page-0 removed", "page-1 removed", "page-2 removed"]);
    assert.equal(entries.length, 1);
    await verbs.create(labelled("page-9", "page"));
    const second = await remove({ labelSelector: "app=page", limit: 3, continue: first.continue });
    assert.deepEqual(told(second), ["page-3 removed", "page-4 removed"]);
    assert.deepEqual([second.continue, second.revision], ["", first.revision]);
    assert.ok(isThere("page-9"), "it came to match after the collection was named");
    assert.ok(isThere("other"));
    const again = await remove({ labelSelector: "app=page", limit: 3, revision: first.revision });
    assert.deepEqual(told(again), told(first), "a repeat is answered the same");
    const field = await remove({ fieldSelector: "metadata.name=page-9" });
    assert.deepEqual(told(field), ["page-9 removed"]);
  });

  it("decides each object as its own delete would", async () => {
    await verbs.create(labelled("held", "mixed", { finalizers: ["example.com/hold"] }));
    await verbs.create(labelled("free", "mixed"));
    const dry = await remove({ labelSelector: "app=mixed", options: { dryRun: true } });
    assert.deepEqual(told(dry), ["free removed", "held terminating"]);
    assert.ok(isThere("free"));
    assert.deepEqual(told(await remove({ labelSelector: "app=mixed" })), ["free removed", "held terminating"]);
    assert.ok(read((await verbs.get("cm", "held")).object).metadata.deletionTimestamp);
    entries.length = 0;
    assert.deepEqual(told(await remove({ labelSelector: "app=mixed" })), ["held terminating"]);
    assert.equal(entries.length, 0, "it terminates already");
    await verbs.patch("cm", "held", { metadata: { finalizers: null } });

    await cluster.seed(pod("graceful", "node-1", { metadata: { labels: { app: "pods" } } }));
    const pods = { ...configMaps, kind: "Pod", labelSelector: "app=pods" };
    assert.deepEqual(told(await remove({ ...pods, gracePeriodSeconds: 7 })), ["graceful terminating"]);
    assert.equal(read((await verbs.get("pod", "graceful")).object).metadata.deletionGracePeriodSeconds, 7);
    assert.deepEqual(told(await remove({ ...pods, gracePeriodSeconds: 0 })), ["graceful removed"]);

    await verbs.create(labelled("owner", "owner"));
    await remove({ labelSelector: "app=owner", propagation: "Foreground" });
    assert.deepEqual(read((await verbs.get("cm", "owner")).object).metadata.finalizers, ["foregroundDeletion"]);
    const namespaces = await remove({ kind: "Namespace", namespace: "" });
    assert.deepEqual(told(namespaces), ["default kept"]);
    assert.match(namespaces.outcomes[0]?.reason ?? "", /may not be deleted/);
  });

  it("keeps what has changed, and decides again what changes meanwhile", async () => {
    for (const name of ["a", "b", "c", "d"]) await verbs.create(labelled(name, "race"));
    const revision = cluster.store.revision();
    await verbs.patch("cm", "a", { data: { x: "1" } });
    await verbs.patch("cm", "b", { metadata: { labels: { app: "left" } } });
    await verbs.delete("cm", "c");
    await verbs.create(labelled("c", "race"));
    const unchanged = await remove({ labelSelector: "app=race", revision, onlyUnchanged: true, limit: 3 });
    assert.deepEqual(told(unchanged), ["a kept", "b kept", "c removed"]);
    assert.ok(isThere("c"), "another object has its name now");
    assert.match(unchanged.outcomes[0]?.reason ?? "", /has changed at revision/);
    assert.match(unchanged.outcomes[1]?.reason ?? "", /does not match/);
    const relabel = { labels: { app: "left" } };
    meanwhile = async () => {
      await cluster.seed({ ...read((await verbs.get("cm", "a")).object), data: { x: "2" } });
      const left = read((await verbs.get("cm", "d")).object);
      await cluster.seed({ ...left, metadata: { ...left.metadata, ...relabel } });
    };
    assert.deepEqual(told(await remove({ labelSelector: "app=race", revision })), [
      "a removed",
      "b kept",
      "c removed",
      "d kept",
    ]);
    assert.deepEqual(["a", "b", "c", "d"].map(isThere), [false, true, true, true]);
  });

  it("bounds its log entries by count and bytes", async () => {
    const name = (at: number): string => `many-${String(at).padStart(3, "0")}`;
    for (let at = 0; at < limits.deletePageMax + 5; at += 1)
      await cluster.seed(labelled(name(at), "many", { uid: name(at) }));
    entries.length = 0;
    const first = await remove({ labelSelector: "app=many" });
    assert.equal(first.outcomes.length, limits.deletePageMax);
    assert.equal((await remove({ labelSelector: "app=many", continue: first.continue })).outcomes.length, 5);
    const text = "x".repeat(300 * 1024);
    const seed = async (data: Record<string, string>): Promise<void> => {
      for (const at of [0, 1, 2, 3, 4, 5]) {
        const held = labelled(`large-${at}`, "large", { uid: `large-${at}`, finalizers: ["example.com/hold"] });
        await cluster.seed({ ...held, data });
      }
    };
    await seed({});
    const revision = cluster.store.revision();
    await seed({ text });
    const grown = await remove({ labelSelector: "app=large", revision });
    assert.equal(grown.outcomes.length, 6, "together they were small");
    assert.equal(entries.length, 4);
    assert.notEqual((await remove({ labelSelector: "app=large", options: { dryRun: true } })).continue, "");
    for (const { txns } of entries) {
      const bytes = txns
        .flatMap(({ success }) => success)
        .reduce((sum, put) => sum + (put.type === "put" ? put.value.length : 0), 0);
      assert.ok(bytes <= limits.entryBytesMax / 2, `${bytes} bytes in one entry`);
    }
  });

  it("refuses what makes no sense", async () => {
    await assert.rejects(remove({ namespace: "" }), { reason: "BadRequest" });
    await assert.rejects(remove({ propagation: "Sideways" }), { reason: "BadRequest" });
    await assert.rejects(remove({ labelSelector: "a in b" }), { reason: "BadRequest" });
    await assert.rejects(remove({ continue: "bm9uc2Vuc2U" }), { reason: "BadRequest" });
    await assert.rejects(remove({ revision: cluster.store.revision() + 100 }), { reason: "BadRequest" });
    await assert.rejects(remove({ kind: "Teapot" }), { reason: "UnknownKind" });
    const viewer = callUnary(client, apiMethods.deleteCollection, configMaps, { metadata: bearer(tokens.view) });
    await assert.rejects(viewer, { reason: "Forbidden" });
  });
});

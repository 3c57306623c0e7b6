import assert from "node:assert/strict";
import type { ikada } from "#proto/api.js";
import type { AnyObject } from "../../../src/api/object.js";
import { TestCluster } from "../harness.js";
import { configMap, deployment, pod, read } from "../objects.js";
import { Verbs } from "./verbs.js";

const options = { dryRun: true };

describe("dry runs", () => {
  let cluster: TestCluster;
  let verbs: Verbs;
  before(async () => {
    cluster = await TestCluster.start(1);
    verbs = new Verbs(cluster.client("api"));
    await verbs.create(deployment("web", 2));
    await verbs.create(configMap("map", { a: "1" }));
    await verbs.apply(configMap("applied", { a: "1" }), { fieldManager: "one" });
    await cluster.seed(pod("running", "node-1"));
  });
  after(() => cluster.close());

  /** Runs it and checks that nothing was written. */
  async function dry<T>(run: () => Promise<T>): Promise<T> {
    const revision = cluster.store.revision();
    const answer = await run();
    assert.equal(cluster.store.revision(), revision);
    return answer;
  }

  it("answers each verb as it would be answered, with defaults, and writes nothing", async () => {
    const created = await dry(() => verbs.create(deployment("new", 1), options));
    assert.equal(created.created, true);
    assert.equal(
      (read(created.object).spec as { readonly strategy?: { type: string } }).strategy?.type,
      "RollingUpdate",
    );
    assert.ok(read(created.object).metadata.uid);
    await assert.rejects(verbs.get("deploy", "new"), { reason: "NotFound" });

    const live = read((await verbs.get("deploy", "web")).object);
    const expect = (answer: ikada.api.v1.IWriteResponse, replicas: number): void => {
      assert.equal(answer.changed, true);
      assert.equal(answer.created, false);
      const { metadata, spec } = read(answer.object);
      assert.equal(spec.replicas, replicas);
      assert.equal(metadata.generation, 2);
      assert.equal(metadata.uid, live.metadata.uid);
      assert.equal(metadata.resourceVersion, live.metadata.resourceVersion);
    };
    const wanted = { ...live, spec: { ...live.spec, replicas: 3 } };
    expect(await dry(() => verbs.update(wanted, options)), 3);
    expect(await dry(() => verbs.patch("deploy", "web", { spec: { replicas: 4 } }, { options })), 4);
    expect(await dry(() => verbs.scale("deploy", "web", 5, options)), 5);
    const manifest = { ...deployment("web", 6), metadata: { name: "web", namespace: "default" } };
    const force = { ...options, fieldManager: "alice" };
    expect(await dry(() => verbs.apply(manifest, force)), 6);
    assert.equal((await dry(() => verbs.apply(configMap("fresh"), options))).created, true);
    assert.equal((await dry(() => verbs.scale("deploy", "web", 2, options))).changed, false);
    assert.deepEqual(read((await verbs.get("deploy", "web")).object), live);
  });

  it("tells of a delete whether it would remove at once", async () => {
    assert.equal((await dry(() => verbs.delete("cm", "map", { options }))).removed, true);
    const graceful = await dry(() => verbs.delete("pod", "running", { options, gracePeriodSeconds: 9 }));
    assert.equal(graceful.removed, false);
    assert.equal(read(graceful.object).metadata.deletionGracePeriodSeconds, 9);
    assert.equal(read((await verbs.get("pod", "running")).object).metadata.deletionTimestamp, undefined);
    await verbs.get("cm", "map");
  });

  it("refuses what would be refused", async () => {
    const lost = configMap("lost", {}, { namespace: "nowhere" });
    const wrong = { ...configMap("wrong"), datta: {} } as AnyObject;
    await dry(async () => {
      await assert.rejects(verbs.create(configMap("map"), options), { reason: "AlreadyExists" });
      await assert.rejects(verbs.create(lost, options), { reason: "NotFound" });
      await assert.rejects(verbs.create(wrong, options), { reason: "Invalid" });
      await assert.rejects(verbs.update(configMap("none"), options), { reason: "NotFound" });
      await assert.rejects(verbs.update(configMap("map", {}, { resourceVersion: "1" }), options), {
        reason: "Conflict",
      });
      await assert.rejects(verbs.patch("cm", "map", { metadata: { uid: "other" } }, { options }), {
        reason: "Conflict",
      });
      const theirs = verbs.apply(configMap("applied", { a: "2" }), { ...options, fieldManager: "two" });
      await assert.rejects(theirs, { reason: "FieldConflict" });
      await assert.rejects(verbs.delete("cm", "map", { options, uid: "other" }), { reason: "Conflict" });
      await assert.rejects(verbs.delete("ns", "default", { options }), { reason: "Forbidden" });
      await assert.rejects(verbs.scale("deploy", "web", -1, options), { reason: "BadRequest" });
    });
  });

  it("is not answered by the write that had the same identity", async () => {
    const request = { client: "dry", sequence: 1 };
    await verbs.patch("cm", "map", { data: { a: "2" } }, { options: { request } });
    const tried = await dry(() =>
      verbs.patch("cm", "map", { data: { a: "3" } }, { options: { request, dryRun: true } }),
    );
    assert.deepEqual(read(tried.object).data, { a: "3" });
  });
});

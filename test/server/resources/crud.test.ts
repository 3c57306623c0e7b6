import assert from "node:assert/strict";
import type * as grpc from "@grpc/grpc-js";
import type { AnyObject } from "../../../src/api/object.js";
import { IkadaError } from "../../../src/base/errors.js";
import { apiMethods, leaderHeader } from "../../../src/host/api-methods.js";
import { callUnary } from "../../../src/host/grpc.js";
import { bearer, TestCluster, tokens } from "../harness.js";
import { configMap, deployment, read, wire } from "../objects.js";

const metadata = bearer(tokens.admin);

const reference = (kind: string, name: string, group = "") => ({
  group,
  version: "v1",
  kind,
  namespace: kind === "Namespace" ? "" : "default",
  name,
});

describe("resources over gRPC", () => {
  let cluster: TestCluster;
  let client: grpc.Client;

  before(async () => {
    cluster = await TestCluster.start(1);
    client = cluster.client("api");
  });
  after(() => cluster.close());

  const create = (object: AnyObject, options = {}) =>
    callUnary(client, apiMethods.create, { object: wire(object), options }, { metadata });
  const get = (kind: string, name: string, group = "") =>
    callUnary(client, apiMethods.get, { reference: reference(kind, name, group) }, { metadata });

  it("creates, gets, updates, patches, scales and deletes", async () => {
    const created = await create(deployment("web", 2));
    const first = read(created.object);
    assert.equal(created.created, true);
    assert.equal(first.metadata.generation, 1);
    assert.equal(first.metadata.resourceVersion, String(created.object?.revision));
    assert.equal(created.object?.uid, first.metadata.uid);
    assert.deepEqual(read((await get("Deployment", "web", "apps")).object), first);

    const updated = await callUnary(
      client,
      apiMethods.update,
      { object: wire({ ...first, spec: { ...first.spec, replicas: 3 } }) },
      { metadata },
    );
    assert.equal(read(updated.object).metadata.generation, 2);
    await assert.rejects(callUnary(client, apiMethods.update, { object: wire(first) }, { metadata }), {
      reason: "Conflict",
    });

    const patched = await callUnary(
      client,
      apiMethods.patch,
      {
        reference: reference("Deployment", "web", "apps"),
        json: new TextEncoder().encode('{"metadata":{"annotations":{"a":"b"}}}'),
      },
      { metadata },
    );
    assert.deepEqual(read(patched.object).metadata.annotations, { a: "b" });
    assert.equal(read(patched.object).metadata.generation, 2);

    const scale = (replicas: number, currentReplicas?: number) =>
      callUnary(
        client,
        apiMethods.scale,
        {
          reference: reference("Deployment", "web", "apps"),
          replicas,
          ...(currentReplicas !== undefined && { currentReplicas }),
        },
        { metadata },
      );
    assert.equal(read((await scale(5)).object).spec.replicas, 5);
    assert.equal((await scale(5)).changed, false);
    await assert.rejects(scale(6, 4), { reason: "Conflict" });

    const deleted = await callUnary(
      client,
      apiMethods.delete,
      { reference: reference("Deployment", "web", "apps") },
      { metadata },
    );
    assert.equal(deleted.removed, true);
    await assert.rejects(get("Deployment", "web", "apps"), (error: IkadaError) => {
      assert.equal(error.reason, "NotFound");
      assert.equal(error.details.object, 'deployments.apps "web"');
      return true;
    });
  });

  it("does not write what changes nothing", async () => {
    const made = read((await create(configMap("same", { a: "1" }))).object);
    const revision = cluster.store.revision();
    const again = await callUnary(client, apiMethods.update, { object: wire(made) }, { metadata });
    assert.equal(again.changed, false);
    assert.equal(read(again.object).metadata.resourceVersion, made.metadata.resourceVersion);
    assert.equal(cluster.store.revision(), revision);
  });

  it("applies server-side with ownership and conflicts", async () => {
    const apply = (object: AnyObject, fieldManager: string, force = false) =>
      callUnary(client, apiMethods.apply, { object: wire(object), force, options: { fieldManager } }, { metadata });
    const first = await apply(configMap("owned", { a: "1", b: "1" }), "one");
    assert.equal(first.created, true);
    assert.equal((await apply(configMap("owned", { a: "1", b: "1" }), "one")).changed, false);
    await assert.rejects(apply(configMap("owned", { a: "2" }), "two"), (error: IkadaError) => {
      assert.equal(error.reason, "FieldConflict");
      assert.equal(error.details.faults?.[0]?.field, "data.a");
      return true;
    });
    const forced = await apply(configMap("owned", { a: "2" }), "two", true);
    assert.deepEqual(read(forced.object).data, { a: "2", b: "1" });
    const without = await apply(configMap("owned", {}), "one");
    assert.deepEqual(read(without.object).data, { a: "2" });
  });

  it("stores nothing in a dry run", async () => {
    const revision = cluster.store.revision();
    const dry = await create(configMap("dry", { a: "1" }), { dryRun: true });
    assert.equal(read(dry.object).metadata.name, "dry");
    assert.ok(read(dry.object).metadata.uid);
    assert.equal(cluster.store.revision(), revision);
    await assert.rejects(get("ConfigMap", "dry"), { reason: "NotFound" });
  });

  it("refuses what is wrong with every fault's path", async () => {
    const wrong = deployment("wrong", 1);
    const object = { ...wrong, spec: { ...(wrong["spec"] as object), replicsa: 1, replicas: "x" } };
    await assert.rejects(create(object), (error: IkadaError) => {
      assert.equal(error.reason, "Invalid");
      const fields = (error.details.faults ?? []).map(({ field }) => field).sort();
      assert.deepEqual(fields, ["spec.replicas", "spec.replicsa"]);
      return true;
    });
    await assert.rejects(create(configMap("lost", {}, { namespace: "nowhere" })), { reason: "NotFound" });
    await assert.rejects(create(configMap("pre", {}, { resourceVersion: "3" })), { reason: "BadRequest" });
    await create(configMap("twice"));
    await assert.rejects(create(configMap("twice")), { reason: "AlreadyExists" });
    await assert.rejects(get("ConfigMap", "../secrets/x"), { reason: "BadRequest" });
    await assert.rejects(get("Teapot", "x"), { reason: "UnknownKind" });
    const envelope = { object: { ...wire(configMap("inside")), namespace: "other" } };
    await assert.rejects(callUnary(client, apiMethods.create, envelope, { metadata }), { reason: "BadRequest" });
  });

  it("refuses what is too large before it is parsed", async () => {
    const large = "x".repeat(1024 * 1024 + 1);
    await assert.rejects(create(configMap("large", { large })), (error: IkadaError) =>
      ["Invalid", "TooLarge"].includes(error.reason),
    );
    const message = { json: new Uint8Array(5 * 1024 * 1024) };
    await assert.rejects(callUnary(client, apiMethods.create, { object: message }, { metadata }), {
      code: "RESOURCE_EXHAUSTED",
    });
  });

  it("refuses objects in a namespace that terminates", async () => {
    await cluster.seed({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "ending", uid: "ns-ending", deletionTimestamp: "2026-01-01T00:00:00Z" },
    });
    await assert.rejects(create(configMap("late", {}, { namespace: "ending" })), { reason: "Forbidden" });
  });

  it("writes a status apart from the rest", async () => {
    const made = read((await create(deployment("status", 1))).object);
    const both = { ...made, spec: { ...made.spec, replicas: 9 }, status: { replicas: 4 } };
    const written = await callUnary(
      client,
      apiMethods.update,
      { object: wire(both), subresource: "status" },
      { metadata },
    );
    const after = read(written.object);
    assert.equal(after.spec.replicas, 1);
    assert.deepEqual(after.status, { replicas: 4 });
    assert.equal(after.metadata.generation, 1);
  });

  it("makes names and answers a repeated request as its first try", async () => {
    const generate = { ...configMap("", {}), metadata: { generateName: "job-", namespace: "default" } };
    const options = { request: { client: "tester", sequence: 1 } };
    const first = await create(generate as AnyObject, options);
    const revision = cluster.store.revision();
    const again = await create(generate as AnyObject, options);
    assert.equal(cluster.store.revision(), revision);
    assert.equal(read(again.object).metadata.name, read(first.object).metadata.name);
    assert.equal(read(again.object).metadata.uid, read(first.object).metadata.uid);
    assert.match(read(first.object).metadata.name, /^job-[a-z0-9]{5}$/);
    const other = await create(generate as AnyObject, { request: { client: "tester", sequence: 2 } });
    assert.notEqual(read(other.object).metadata.name, read(first.object).metadata.name);
    const long = { ...configMap("", {}), metadata: { generateName: "x".repeat(70), namespace: "default" } };
    assert.match(read((await create(long as AnyObject)).object).metadata.name, /^x{58}[a-z0-9]{5}$/);
  });

  it("answers repeats of create, update and delete with success", async () => {
    const options = (sequence: number) => ({ request: { client: "repeater", sequence } });
    const made = await create(configMap("repeat", { a: "1" }), options(1));
    const updated = { ...read(made.object), data: { a: "2" } };
    const update = () =>
      callUnary(client, apiMethods.update, { object: wire(updated), options: options(2) }, { metadata });
    const first = await update();
    assert.equal((await create(configMap("repeat", { a: "1" }), options(1))).object?.revision, made.object?.revision);
    assert.equal((await update()).object?.revision, first.object?.revision);
    const remove = () =>
      callUnary(
        client,
        apiMethods.delete,
        { reference: reference("ConfigMap", "repeat"), options: options(3) },
        { metadata },
      );
    const removed = await remove();
    assert.equal(removed.removed, true);
    const again = await remove();
    assert.equal(again.removed, true);
    assert.deepEqual(read(again.object), read(removed.object), "a repeat gives what was removed, too");
    const late = await create(configMap("repeat", { a: "1" }), options(1));
    assert.deepEqual(read(late.object), read(made.object), "a repeat gives what was made, though it is gone since");
    await assert.rejects(
      callUnary(
        client,
        apiMethods.delete,
        { reference: reference("ConfigMap", "repeat"), options: options(4) },
        { metadata },
      ),
      { reason: "NotFound" },
    );
  });

  it("writes past others' changes when the client pinned no revision", async () => {
    await create(configMap("busy"));
    const patch = (key: string) =>
      callUnary(
        client,
        apiMethods.patch,
        {
          reference: reference("ConfigMap", "busy"),
          json: new TextEncoder().encode(JSON.stringify({ data: { [key]: "x" } })),
        },
        { metadata },
      );
    await Promise.all(Array.from({ length: 10 }, (_, at) => patch(`key-${at}`)));
    const { data } = read((await get("ConfigMap", "busy")).object);
    assert.equal(Object.keys(data ?? {}).length, 10);
  });

  it("tells where the leader is, with failures too", async () => {
    const hints: unknown[] = [];
    const onMetadata = (headers: grpc.Metadata) => hints.push(headers.get(leaderHeader)[0]);
    await callUnary(client, apiMethods.kinds, {}, { metadata, onMetadata });
    await assert.rejects(
      callUnary(client, apiMethods.get, { reference: reference("ConfigMap", "none") }, { metadata, onMetadata }),
    );
    assert.deepEqual(hints, [cluster.addresses[0]?.api, cluster.addresses[0]?.api]);
  });

  it("describes its kinds", async () => {
    const { kinds } = await callUnary(client, apiMethods.kinds, {}, { metadata });
    const found = kinds.find(({ kind }) => kind === "Deployment");
    assert.equal(found?.plural, "deployments");
    assert.ok((found?.columns?.length ?? 0) > 2);
  });
});

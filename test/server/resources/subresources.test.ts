import assert from "node:assert/strict";
import type * as grpc from "@grpc/grpc-js";
import { ikada } from "#proto/api.js";
import type { AnyObject } from "../../../src/api/object.js";
import { kinds } from "../../../src/api/registry.js";
import type { Scale } from "../../../src/api/scale.js";
import { apiMethods } from "../../../src/host/api-methods.js";
import { callUnary } from "../../../src/host/grpc.js";
import { bearer, TestCluster, tokens } from "../harness.js";
import { configMap, deployment, pod, read, wire } from "../objects.js";
import { referenceTo, Verbs } from "./verbs.js";

const metadata = bearer(tokens.admin);
const { JSON: JSON_PATCH, STRATEGIC } = ikada.api.v1.PatchRequest.Type;

const job: AnyObject = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "work", namespace: "default" },
  spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "hello:1" }] } } },
};

const daemonSet: AnyObject = { ...deployment("daemon", 1), kind: "DaemonSet" };
delete (daemonSet["spec"] as { replicas?: number }).replicas;
const daemonCounts = { currentNumberScheduled: 1, desiredNumberScheduled: 2, numberMisscheduled: 0, numberReady: 0 };

/** One object of each kind that has a status, and two statuses it may have. */
const samples: Readonly<Record<string, readonly [object: AnyObject, first: object, second: object]>> = {
  Namespace: [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "space" } },
    { phase: "Active" },
    { phase: "Terminating" },
  ],
  Node: [
    { apiVersion: "v1", kind: "Node", metadata: { name: "machine" }, spec: {} },
    { capacity: { cpu: "1" } },
    { capacity: { cpu: "2" } },
  ],
  Pod: [
    { ...pod("single", ""), spec: { containers: [{ name: "main", image: "hello:1" }] } },
    { phase: "Pending" },
    { phase: "Running" },
  ],
  ReplicaSet: [{ ...deployment("set", 1), kind: "ReplicaSet" }, { replicas: 1 }, { replicas: 2 }],
  Job: [job, { active: 1 }, { active: 2, succeeded: 1 }],
  CronJob: [
    {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "cron", namespace: "default" },
      spec: { schedule: "@daily", jobTemplate: { spec: job["spec"] } },
    },
    { lastScheduleTime: "2026-01-01T00:00:00Z" },
    { lastScheduleTime: "2026-01-02T00:00:00Z" },
  ],
  PodDisruptionBudget: [
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "budget", namespace: "default" },
      spec: {},
    },
    { disruptionsAllowed: 1 },
    { disruptionsAllowed: 2 },
  ],
  StatefulSet: [
    { ...deployment("stateful", 1), kind: "StatefulSet" },
    { replicas: 1 },
    { replicas: 2, observedGeneration: 1 },
  ],
  DaemonSet: [daemonSet, daemonCounts, { ...daemonCounts, numberReady: 1 }],
  Deployment: [deployment("deploy", 1), { replicas: 1 }, { replicas: 2, observedGeneration: 1 }],
};

/** Everything but the status and what counts changes. */
function rest(object: AnyObject): unknown {
  const { status: _status, metadata: meta, ...more } = object;
  const { resourceVersion: _revision, managedFields: _managers, ...kept } = meta;
  return { ...more, metadata: kept };
}

describe("subresources", () => {
  let cluster: TestCluster;
  let verbs: Verbs;
  let client: grpc.Client;
  before(async () => {
    cluster = await TestCluster.start(1);
    client = cluster.client("api");
    verbs = new Verbs(client);
  });
  after(() => cluster.close());

  it("has a sample of each kind with a status", () => {
    assert.deepEqual(
      Object.keys(samples).sort(),
      kinds
        .filter(({ hasStatus }) => hasStatus)
        .map(({ kind }) => kind)
        .sort(),
    );
  });

  for (const [kind, [object, first, second]] of Object.entries(samples)) {
    it(`writes a ${kind}'s status without the rest, and the rest without its status`, async () => {
      const { name } = object.metadata;
      await verbs.create(object);
      const get = async (subresource = "") => read((await verbs.get(kind, name, { subresource })).object);
      const made = await get();
      assert.equal(made.metadata.generation, 1);
      const labelled = { ...made, metadata: { ...made.metadata, labels: { by: "status" } } };

      const updated = await verbs.update({ ...labelled, status: first }, {}, "status");
      assert.deepEqual(rest(read(updated.object)), rest(made), "an update of the status changes no label");
      assert.deepEqual((await get("status")).status, { ...made.status, ...first });

      const merge = { metadata: { labels: { by: "status" } }, status: second };
      for (const type of [undefined, STRATEGIC])
        await verbs.patch(kind, name, merge, { subresource: "status", ...(type && { type }) });
      const replace = [
        { op: "add", path: "/metadata/labels", value: { by: "status" } },
        { op: "add", path: "/status", value: first },
      ];
      await verbs.patch(kind, name, replace, { subresource: "status", type: JSON_PATCH });
      assert.deepEqual((await get()).status, first);
      const applied = { apiVersion: object.apiVersion, kind, metadata: made.metadata, status: second } as AnyObject;
      const { managedFields: _server, resourceVersion: _old, ...bare } = applied.metadata;
      const apply = { object: wire({ ...applied, metadata: { ...bare, labels: { by: "status" } } }), force: true };
      await callUnary(client, apiMethods.apply, { ...apply, subresource: "status" }, { metadata });
      const written = await get();
      assert.deepEqual(written.status, { ...first, ...second });
      assert.deepEqual(rest(written), rest(made));
      const managers = (written.metadata.managedFields ?? []).filter((entry) => entry.subresource === "status");
      assert.ok(managers.length > 0);
      for (const entry of managers) assert.deepEqual(Object.keys(entry.fieldsV1), ["f:status"]);

      const whole = { ...written, metadata: { ...written.metadata, annotations: { a: "b" } }, status: first };
      const after = read((await verbs.update(whole)).object);
      assert.deepEqual(after.status, written.status);
      assert.deepEqual(after.metadata.annotations, { a: "b" });
      assert.equal(after.metadata.generation, 1, "metadata are no spec");
      await verbs.patch(kind, name, { status: first });
      await verbs.patch(kind, name, [{ op: "add", path: "/status", value: first }], { type: JSON_PATCH });
      assert.deepEqual((await get()).status, written.status);
    });
  }

  it("counts a generation for each change of the spec, and for nothing else", async () => {
    const generation = async (write: Promise<ikada.api.v1.WriteResponse>) =>
      read((await write).object).metadata.generation;
    assert.equal(await generation(verbs.create(deployment("counted", 1))), 1);
    assert.equal(await generation(verbs.scale("deploy", "counted", 2)), 2);
    assert.equal(await generation(verbs.scale("deploy", "counted", 2)), 2);
    assert.equal(await generation(verbs.patch("deploy", "counted", { metadata: { labels: { a: "b" } } })), 2);
    const status = { status: { observedGeneration: 2 } };
    assert.equal(await generation(verbs.patch("deploy", "counted", status, { subresource: "status" })), 2);
    assert.equal(await generation(verbs.patch("deploy", "counted", { metadata: { generation: 9 } })), 2);
    assert.equal(await generation(verbs.patch("deploy", "counted", { spec: { paused: true } })), 3);
    assert.equal(await generation(verbs.create(configMap("uncounted"))), undefined);
  });

  describe("scale", () => {
    const get = async (): Promise<Scale> =>
      read((await verbs.get("deploy", "scaled", { subresource: "scale" })).object) as unknown as Scale;
    const update = (scale: object, name = "scaled") => {
      const json = new TextEncoder().encode(JSON.stringify(scale));
      const object = { ...referenceTo("deploy", name), json };
      return callUnary(client, apiMethods.update, { object, subresource: "scale" }, { metadata });
    };
    before(() => verbs.create(deployment("scaled", 2)));

    it("is read as a Scale", async () => {
      await verbs.patch("deploy", "scaled", { status: { replicas: 1 } }, { subresource: "status" });
      const { object } = await verbs.get("deploy", "scaled", { subresource: "scale" });
      assert.deepEqual([object?.group, object?.kind], ["autoscaling", "Scale"]);
      const scale = await get();
      assert.deepEqual(scale.spec, { replicas: 2 });
      assert.deepEqual(scale.status, { replicas: 1, selector: "app=scaled" });
      assert.equal(scale.metadata.resourceVersion, String(object?.revision));
      await assert.rejects(verbs.get("pod", "single", { subresource: "scale" }), { reason: "Unsupported" });
      await assert.rejects(verbs.get("cm", "uncounted", { subresource: "status" }), { reason: "Unsupported" });
      await assert.rejects(verbs.get("deploy", "scaled", { subresource: "toString" }), { reason: "Unsupported" });
    });

    it("is updated and patched, and changes spec.replicas alone", async () => {
      const before = read((await verbs.get("deploy", "scaled")).object);
      const scale = await get();
      const answer = await update({ ...scale, spec: { replicas: 3 }, status: { replicas: 77, selector: "a=b" } });
      const written = read(answer.object) as unknown as Scale;
      assert.deepEqual([written.kind, written.spec.replicas, written.status.replicas], ["Scale", 3, 1]);
      await assert.rejects(update({ ...scale, spec: { replicas: 4 } }), { reason: "Conflict" });
      const types: readonly (readonly [object, ikada.api.v1.PatchRequest.Type?])[] = [
        [{ spec: { replicas: 4 }, status: { replicas: 9 } }],
        [
          [
            { op: "test", path: "/spec/replicas", value: 4 },
            { op: "replace", path: "/spec/replicas", value: 5 },
          ],
          JSON_PATCH,
        ],
        [{ spec: { replicas: 6 } }, STRATEGIC],
      ];
      for (const [patch, type] of types)
        await verbs.patch("deploy", "scaled", patch, { subresource: "scale", ...(type && { type }) });
      const after = read((await verbs.get("deploy", "scaled")).object);
      assert.equal(after.spec.replicas, 6);
      assert.equal(after.metadata.generation, (before.metadata.generation ?? 0) + 4);
      assert.deepEqual({ ...after.spec, replicas: 2 }, before.spec);
      assert.deepEqual(after.status, before.status);
      const entry = after.metadata.managedFields?.find(({ subresource }) => subresource === "scale");
      assert.deepEqual(entry?.fieldsV1, { "f:spec": { "f:replicas": {} } });
      const dry = await verbs.patch(
        "deploy",
        "scaled",
        { spec: { replicas: 9 } },
        { subresource: "scale", options: { dryRun: true } },
      );
      assert.equal((read(dry.object) as unknown as Scale).spec.replicas, 9);
      assert.equal((await get()).spec.replicas, 6);
    });

    it("refuses what is no Scale of it", async () => {
      const scale = await get();
      await assert.rejects(update({ ...scale, metadata: { name: "other" } }), { reason: "BadRequest" });
      await assert.rejects(update({ ...scale, spec: { replicas: -1 } }), { reason: "Invalid" });
      await assert.rejects(update({ ...scale, spec: { replicas: "3" } }), { reason: "Invalid" });
      await assert.rejects(update({ ...scale, extra: 1 }), { reason: "Invalid" });
      await assert.rejects(update({ ...deployment("scaled", 1) }), { reason: "Invalid" });
      await assert.rejects(update({ ...scale, metadata: {} }, "missing"), { reason: "NotFound" });
      await assert.rejects(verbs.patch("deploy", "scaled", { spec: 1 }, { subresource: "scale" }), {
        reason: "Invalid",
      });
      await assert.rejects(verbs.patch("pod", "single", {}, { subresource: "scale" }), { reason: "Unsupported" });
      await assert.rejects(verbs.patch("deploy", "scaled", {}, { subresource: "exec" }), { reason: "Unsupported" });
      const apply = { object: wire(deployment("scaled", 1)), subresource: "scale" };
      await assert.rejects(callUnary(client, apiMethods.apply, apply, { metadata }), { reason: "Unsupported" });
      const none = { object: wire(deployment("none", 1)), subresource: "status" };
      await assert.rejects(callUnary(client, apiMethods.apply, none, { metadata }), { reason: "NotFound" });
    });
  });
});

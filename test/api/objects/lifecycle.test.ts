import assert from "node:assert/strict";
import type { AnyObject } from "../../../src/api/object.js";
import { toTimestamp } from "../../../src/api/time.js";
import { IkadaError } from "../../../src/base/errors.js";
import {
  deleteObject,
  finishesDeletion,
  updateOrFinish,
  type DeleteOptions,
} from "../../../src/objects/delete-object.js";
import { newObject, randomUid } from "../../../src/objects/new-object.js";
import { updatedObject } from "../../../src/objects/update-object.js";
import { valueAt } from "../../../src/api/path.js";
import {
  configMapManifest,
  deploymentManifest,
  noon,
  objectOf,
  podManifest,
  withValue,
  type Manifest,
} from "../manifests.js";
import { countingRandom } from "./quiet-env.js";

/** An object as it would come from the store. */
function live(manifest: Manifest): AnyObject {
  const object = newObject(objectOf(manifest), noon, countingRandom(), { keepStatus: true });
  return { ...object, metadata: { ...object.metadata, resourceVersion: "7" } };
}

describe("a new object", () => {
  it("gets what only the server gives", () => {
    const given = withValue(withValue(deploymentManifest(), "metadata.uid", "mine"), "metadata.resourceVersion", "3");
    const made = newObject(objectOf(withValue(given, "status", { replicas: 9 })), noon, countingRandom());
    assert.match(made.metadata.uid ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(made.metadata.creationTimestamp, "2026-01-01T12:00:00Z");
    assert.equal(made.metadata.generation, 1);
    assert.equal(made.metadata.resourceVersion, undefined);
    assert.ok(!("status" in made));
  });

  it("has no generation when it has no spec, and its Namespace's phase", () => {
    assert.equal(newObject(objectOf(configMapManifest()), noon, countingRandom()).metadata.generation, undefined);
    const namespace = objectOf({ apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
    const made = newObject(namespace, noon, countingRandom());
    assert.deepEqual(made["status"], { phase: "Active" });
    assert.deepEqual(made["spec"], { finalizers: ["kubernetes"] });
    assert.deepEqual(made.metadata.labels, { "kubernetes.io/metadata.name": "team" });
  });

  it("makes its name of generateName and five characters", () => {
    const manifest = withValue(
      withValue(configMapManifest(), "metadata.name", undefined),
      "metadata.generateName",
      "job-",
    );
    assert.match(
      newObject(objectOf(manifest), noon, countingRandom()).metadata.name,
      /^job-[bcdfghjklmnpqrstvwxz2-9]{5}$/,
    );
  });

  it("has a version 4 uid from any random bytes", () => {
    const all = (byte: number): string =>
      randomUid({ ...countingRandom(), bytes: (length) => new Uint8Array(length).fill(byte) });
    assert.equal(all(0xff), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert.equal(all(0), "00000000-0000-4000-8000-000000000000");
  });
});

describe("an update", () => {
  const object = live(withValue(deploymentManifest(), "status", { replicas: 2 }));
  const changed = (path: string, value: unknown): AnyObject => withValue(object, path, value) as unknown as AnyObject;

  it("counts a generation for the spec, and only for the spec", () => {
    assert.equal(updatedObject(object, changed("spec.replicas", 5)).metadata.generation, 2);
    assert.equal(updatedObject(object, changed("metadata.labels.a", "b")).metadata.generation, 1);
    assert.equal(updatedObject(object, changed("status.replicas", 3), "status").metadata.generation, 1);
  });

  it("is the live object itself when nothing changed", () => {
    assert.equal(updatedObject(object, structuredClone(object)), object);
    assert.equal(updatedObject(object, changed("status.replicas", 9)), object, "the status is not the spec's writer's");
    assert.equal(updatedObject(object, changed("spec.replicas", 9), "status"), object, "nor the spec the status's");
    const { spec, ...rest } = object;
    assert.equal(updatedObject(object, { spec, ...rest } as AnyObject), object, "whatever the order of fields");
  });

  it("writes the status alone", () => {
    const both = withValue(changed("spec.replicas", 9), "status.replicas", 3) as unknown as AnyObject;
    const updated = updatedObject(object, both, "status");
    assert.equal(valueAt(updated, "spec", "replicas"), 3);
    assert.equal(valueAt(updated, "status", "replicas"), 3);
  });

  it("keeps identity and times, and refuses another's", () => {
    const renamed = updatedObject(object, changed("metadata.creationTimestamp", toTimestamp(0)));
    assert.equal(renamed, object);
    const undead = changed("metadata.deletionTimestamp", toTimestamp(noon));
    assert.equal(updatedObject(object, undead), object, "a deletion is asked for by delete alone");
    assert.throws(() => updatedObject(object, changed("metadata.uid", "other")), /has the uid/);
    assert.throws(() => updatedObject(object, changed("metadata.resourceVersion", "6")), /modified since revision 6/);
    assert.equal(updatedObject(object, changed("metadata.resourceVersion", undefined)), object);
  });
});

describe("deletion", () => {
  const boundPod = withValue(podManifest(), "spec.nodeName", "n1");
  const held = (...finalizers: readonly string[]): Manifest =>
    withValue(configMapManifest(), "metadata.finalizers", finalizers);
  const rows: readonly (readonly [
    string,
    Manifest,
    DeleteOptions,
    "removed" | "kept" | readonly [string, number, ...string[]],
  ])[] = [
    ["an object that nothing holds", configMapManifest(), {}, "removed"],
    ["one in the background", configMapManifest(), { propagation: "Background" }, "removed"],
    ["one with a finalizer", held("a.b/c"), {}, ["12:00:00", 0, "a.b/c"]],
    [
      "one in the foreground",
      deploymentManifest(),
      { propagation: "Foreground" },
      ["12:00:00", 0, "foregroundDeletion"],
    ],
    ["one whose children stay", deploymentManifest(), { propagation: "Orphan" }, ["12:00:00", 0, "orphan"]],
    [
      "one of another mind",
      held("a.b/c", "orphan"),
      { propagation: "Foreground" },
      ["12:00:00", 0, "a.b/c", "foregroundDeletion"],
    ],
    ["one no longer orphaning", held("orphan"), { propagation: "Background" }, "removed"],
    ["a Pod without a node", podManifest(), {}, "removed"],
    ["a Pod on a node", boundPod, {}, ["12:00:30", 30]],
    ["a Pod with its own grace", withValue(boundPod, "spec.terminationGracePeriodSeconds", 90), {}, ["12:01:30", 90]],
    ["a Pod with the request's grace", boundPod, { gracePeriodSeconds: 5 }, ["12:00:05", 5]],
    ["a Pod with no grace", boundPod, { gracePeriodSeconds: 0 }, "removed"],
    ["a Pod with negative grace", boundPod, { gracePeriodSeconds: -1 }, ["12:00:01", 1]],
    ["a Pod that has ended", withValue(boundPod, "status.phase", "Succeeded"), {}, "removed"],
    [
      "a Pod with a finalizer and no grace",
      withValue(boundPod, "metadata.finalizers", ["a.b/c"]),
      { gracePeriodSeconds: 0 },
      ["12:00:00", 0, "a.b/c"],
    ],
    ["no Pod, with grace", configMapManifest(), { gracePeriodSeconds: 60 }, "removed"],
  ];
  for (const [what, manifest, options, expected] of rows)
    it(`of ${what}`, () => {
      const object = live(manifest);
      const deletion = deleteObject(object, options, noon);
      if (expected === "removed") {
        assert.ok(deletion.removed);
        assert.equal(deletion.changes.removes[0]?.resourceVersion, "7");
        assert.equal(deletion.changes.updates.length, 0);
        return;
      }
      const [time, grace, ...finalizers] = expected as readonly [string, number, ...string[]];
      assert.ok(!deletion.removed);
      const [update] = deletion.changes.updates;
      assert.equal(update?.metadata.deletionTimestamp, `2026-01-01T${time}Z`);
      assert.equal(update.metadata.deletionGracePeriodSeconds, grace);
      assert.deepEqual(update.metadata.finalizers ?? [], finalizers);
    });

  it("asked for again changes nothing, but may shorten the time", () => {
    const { object } = deleteObject(live(boundPod), {}, noon);
    const again = deleteObject(object, {}, noon + 10_000);
    assert.deepEqual([again.removed, again.changes.updates.length], [false, 0]);
    const shorter = deleteObject(object, { gracePeriodSeconds: 2 }, noon + 10_000);
    assert.equal(shorter.object.metadata.deletionTimestamp, "2026-01-01T12:00:12Z");
    const longer = deleteObject(object, { gracePeriodSeconds: 300 }, noon + 10_000);
    assert.equal(longer.changes.updates.length, 0);
    assert.ok(deleteObject(object, { gracePeriodSeconds: 0 }, noon + 10_000).removed);
  });

  it("is finished by whoever takes the last hold away", () => {
    const { object } = deleteObject(live(held("a.b/c")), {}, noon);
    assert.ok(!finishesDeletion(object));
    const freed = withValue(object, "metadata.finalizers", []) as unknown as AnyObject;
    assert.ok(finishesDeletion(freed));
    assert.equal(updateOrFinish(freed).removes.length, 1);
    assert.equal(updateOrFinish(live(configMapManifest())).updates.length, 1);
    const { object: pod } = deleteObject(live(boundPod), {}, noon);
    assert.ok(!finishesDeletion(pod), "a Pod on a node ends when its node says so");
  });

  it("of a Namespace waits for its contents", () => {
    const namespace = live({ apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
    const { object, removed } = deleteObject(namespace, {}, noon);
    assert.ok(!removed);
    assert.deepEqual(object["status"], { phase: "Terminating" });
    assert.ok(!finishesDeletion(object));
    assert.ok(finishesDeletion({ ...object, spec: { finalizers: [] } }));
    assert.equal(deleteObject(object, {}, noon + 1000).changes.updates.length, 0);
    assert.ok(deleteObject({ ...object, spec: {} }, {}, noon).removed);
  });

  it("is refused for the Namespace default and for wrong preconditions", () => {
    const named = live({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
    const reason = (run: () => unknown): string => {
      try {
        run();
      } catch (error) {
        return IkadaError.from(error).reason;
      }
      return "none";
    };
    assert.equal(
      reason(() => deleteObject(named, {}, noon)),
      "Forbidden",
    );
    assert.equal(
      reason(() => deleteObject(live(configMapManifest()), { uid: "other" }, noon)),
      "Conflict",
    );
    assert.equal(
      reason(() => deleteObject(live(configMapManifest()), { resourceVersion: "6" }, noon)),
      "Conflict",
    );
  });
});

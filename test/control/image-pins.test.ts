import assert from "node:assert/strict";
import { encodePins, imagePins, imagePinsAnnotation, pinImagesAnnotation } from "../../src/api/image-pins.js";
import type { ControllerRevision, Deployment, ReplicaSet } from "../../src/api/kinds/apps.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import type { AnyObject } from "../../src/api/object.js";
import { toTimestamp } from "../../src/api/time.js";
import type { Decision } from "../../src/controllers/controller.js";
import { daemonSetController } from "../../src/controllers/daemon-set.js";
import { deploymentController } from "../../src/controllers/deployment.js";
import { replicaSetController } from "../../src/controllers/replica-set.js";
import { statefulSetController } from "../../src/controllers/stateful-set.js";
import { acts, changed, decide, now, worldOf } from "./fixture.js";
import { daemonSet, deployment, node, ownedBy, pod, readyStatus, replicaSet, statefulSet } from "./objects.js";

const digest = (letter: string): string => `web@sha256:${letter.repeat(64)}`;
const [first, second] = [digest("a"), digest("b")];

const owned = (set: ReplicaSet, name: string, imageID: string, given: Partial<Pod["metadata"]> = {}): Pod => {
  const status = readyStatus(now - 60_000);
  const containerStatuses = status.containerStatuses?.map((one) => ({ ...one, imageID }));
  return pod(name, {
    spec: { nodeName: "alpha" },
    metadata: {
      labels: { app: set.metadata.name },
      creationTimestamp: toTimestamp(now - 1_000),
      ...ownedBy(set),
      ...given,
    },
    status: { ...status, containerStatuses: containerStatuses ?? [] },
  });
};
const pinsOf = (decision: Decision, kind: string, name: string): object =>
  Object.fromEntries(imagePins(changed<Pod | ReplicaSet>(decision, kind, name)?.metadata.annotations));
const pinned = (pins: Readonly<Record<string, string>>) => ({
  [imagePinsAnnotation]: encodePins(new Map(Object.entries(pins))),
});

describe("the images of a replica set", () => {
  const web = replicaSet("web", { replicas: 2 });
  const withPin = (set: ReplicaSet, pin: string): ReplicaSet => ({
    ...set,
    metadata: { ...set.metadata, annotations: { ...set.metadata.annotations, ...pinned({ "web:1": pin }) } },
  });

  it("are what its first Pod has found, written once, with a precondition", () => {
    const decision = decide(
      replicaSetController,
      web,
      worldOf([web, owned(web, "web-a", first), owned(web, "web-b", "")]),
    );
    assert.deepEqual(acts(decision), ["update ReplicaSet web"]);
    assert.deepEqual(pinsOf(decision, "ReplicaSet", "web"), { "web:1": first });
    const known = withPin(web, first);
    const later = decide(replicaSetController, known, worldOf([known, owned(known, "web-a", second)]));
    assert.deepEqual(pinsOf(later, "ReplicaSet", "web"), { "web:1": first }, "the first word stands");
  });

  it("go with every Pod that is made from then on", () => {
    const known = withPin(web, first);
    const decision = decide(replicaSetController, known, worldOf([known, owned(known, "web-a", first)]));
    const [made] = decision.changes?.creates ?? [];
    assert.deepEqual(Object.fromEntries(imagePins(made?.metadata.annotations)), { "web:1": first });
  });

  it("a Pod that has found other bytes is told at once, with an event; one of the right bytes costs no write", () => {
    const objects = [web, owned(web, "web-a", first), owned(web, "web-b", second)];
    const decision = decide(replicaSetController, web, worldOf(objects));
    assert.deepEqual(acts(decision), ["update ReplicaSet web", "update Pod web-b"]);
    assert.deepEqual(pinsOf(decision, "Pod", "web-b"), { "web:1": first });
    assert.deepEqual(
      decision.events?.map(({ type, reason, object }) => [type, reason, object.metadata.name]),
      [["Warning", "ImageMoved", "web-b"]],
    );
    const told = withPin(web, first);
    const settled = [
      told,
      owned(told, "web-a", first),
      owned(told, "web-b", second, { annotations: pinned({ "web:1": first }) }),
    ];
    const again = decide(replicaSetController, told, worldOf(settled));
    assert.deepEqual(
      acts(again).filter((act) => act.includes("Pod")),
      [],
      "it is told once",
    );
    assert.deepEqual(again.events, []);
  });

  it("a Pod that has found nothing is told when it takes long", () => {
    const known = withPin(web, first);
    const slow = owned(known, "web-b", "");
    const early = decide(replicaSetController, known, worldOf([known, owned(known, "web-a", first), slow]));
    assert.deepEqual(
      acts(early).filter((act) => act.includes("Pod")),
      [],
    );
    assert.equal(early.wakeAt, now - 1_000 + 10_000);
    const world = worldOf([known, owned(known, "web-a", first), slow], { now: early.wakeAt ?? 0 });
    assert.deepEqual(pinsOf(decide(replicaSetController, known, world), "Pod", "web-b"), { "web:1": first });
  });

  it("no node's word reaches another repository, and what is no digest is no pin", () => {
    for (const imageID of [`evil@sha256:${"a".repeat(64)}`, "web:2", "sha256:1", "", "web@sha256:zz"]) {
      const decision = decide(replicaSetController, web, worldOf([web, owned(web, "web-a", imageID)]));
      assert.deepEqual(pinsOf(decision, "ReplicaSet", "web"), {}, imageID);
    }
  });

  it("are an image's id where no registry gave it", () => {
    const id = `sha256:${"c".repeat(64)}`;
    const decision = decide(replicaSetController, web, worldOf([web, owned(web, "web-a", id)]));
    assert.deepEqual(pinsOf(decision, "ReplicaSet", "web"), { "web:1": id });
  });

  it("are left to the tag where the template says so, and to a Pod where its own annotation does", () => {
    const template = {
      ...web.spec.template,
      metadata: { labels: { app: "web" }, annotations: { [pinImagesAnnotation]: "false" } },
    };
    const open = replicaSet("web", { replicas: 2, template });
    const decision = decide(
      replicaSetController,
      open,
      worldOf([open, owned(open, "web-a", first), owned(open, "web-b", second)]),
    );
    assert.deepEqual(pinsOf(decision, "ReplicaSet", "web"), {});
    const known = withPin(web, first);
    const free = owned(known, "web-b", second, { annotations: { [pinImagesAnnotation]: "false" } });
    const left = decide(replicaSetController, known, worldOf([known, owned(known, "web-a", first), free]));
    assert.deepEqual(
      acts(left).filter((act) => act.includes("Pod")),
      [],
    );
  });

  it("that a template brings along hold before anything is found", () => {
    const template = {
      ...web.spec.template,
      metadata: { labels: { app: "web" }, annotations: pinned({ "web:1": second }) },
    };
    const given = replicaSet("web", { replicas: 2, template });
    const decision = decide(replicaSetController, given, worldOf([given, owned(given, "web-a", first)]));
    const [made] = decision.changes?.creates ?? [];
    assert.deepEqual(Object.fromEntries(imagePins(made?.metadata.annotations)), { "web:1": second });
    assert.deepEqual(pinsOf(decision, "Pod", "web-a"), { "web:1": second });
  });

  it("stay with their revision: a new one has none of the old one's, and an undo finds its own again", () => {
    const app: Deployment = deployment({ name: "app" });
    const made = decide(deploymentController, app, worldOf([app])).changes?.creates[0] as unknown as ReplicaSet;
    const old = withPin({ ...made, metadata: { ...made.metadata, resourceVersion: "1" } }, first);
    const annotated = {
      ...app,
      metadata: { ...app.metadata, annotations: { ...pinned({ "web:1": first }), note: "x" } },
    };
    const next: Deployment = {
      ...annotated,
      spec: {
        ...app.spec,
        template: {
          ...app.spec.template,
          metadata: { labels: app.spec.template.metadata?.labels ?? {}, annotations: { restarted: "now" } },
        },
      },
    };
    const rolled = decide(deploymentController, next, worldOf([next, old])).changes?.creates[0];
    assert.ok(rolled, "a new revision");
    assert.equal(rolled.metadata.annotations?.["note"], "x");
    assert.equal(rolled.metadata.annotations?.[imagePinsAnnotation], undefined);
    const fresh = { ...(rolled as unknown as ReplicaSet), metadata: { ...rolled.metadata, resourceVersion: "1" } };
    const undone = decide(deploymentController, annotated, worldOf([annotated, old, fresh]));
    const back = changed<ReplicaSet>(undone, "ReplicaSet", old.metadata.name);
    assert.equal(imagePins(back?.metadata.annotations).get("web:1"), first);
  });
});

function stored(object: AnyObject): AnyObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: "1" } };
}

describe("the images of sets with a history", () => {
  const cases = [
    { kind: "StatefulSet", controller: statefulSetController, owner: statefulSet({ podManagementPolicy: "Parallel" }) },
    { kind: "DaemonSet", controller: daemonSetController, owner: daemonSet() },
  ] as const;
  for (const { kind, controller, owner } of cases)
    it(`are on each revision of a ${kind}, and go with the Pods that are made of it`, () => {
      const nodes = [node("alpha"), node("beta")];
      const made = decide(controller, owner, worldOf([owner, ...nodes])).changes?.creates ?? [];
      const kept = made.map(stored);
      const revision = kept.find((object) => object.kind === "ControllerRevision");
      const pods = (kept.filter((object) => object.kind === "Pod") as readonly unknown[] as readonly Pod[]).toSorted(
        (left, right) => (left.metadata.name < right.metadata.name ? -1 : 1),
      );
      assert.ok(revision && pods.length >= 2);
      const image = pods[0]?.spec.containers[0]?.image ?? "";
      const [repository] = image.split(":");
      const [one, other] = ["a", "b"].map((letter) => `${repository}@sha256:${letter.repeat(64)}`);
      const found = (pod: Pod | undefined, imageID = ""): Pod => ({
        ...(pod as Pod),
        status: {
          ...readyStatus(now - 60_000),
          containerStatuses: [{ name: "main", image, imageID, ready: true, restartCount: 0 }],
        },
      });
      const [first, second, ...rest] = pods;
      const seen = [found(first, one), found(second, other), ...rest];
      const decision = decide(controller, owner, worldOf([owner, ...nodes, revision, ...seen]));
      const pinnedRevision = changed<ControllerRevision>(decision, "ControllerRevision", revision.metadata.name);
      assert.equal(imagePins(pinnedRevision?.metadata.annotations).get(image), one);
      const told = changed<Pod>(decision, "Pod", second?.metadata.name ?? "");
      assert.equal(imagePins(told?.metadata.annotations).get(image), one);
      assert.ok(decision.events?.some(({ reason }) => reason === "ImageMoved"));

      assert.ok(pinnedRevision);
      const without = decide(controller, owner, worldOf([owner, ...nodes, pinnedRevision, found(first, one)]));
      const later = without.changes?.creates.find((object) => object.kind === "Pod");
      assert.equal(imagePins(later?.metadata.annotations).get(image), one, "a Pod that is made later");
    });
});

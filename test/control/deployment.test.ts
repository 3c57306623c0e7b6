import assert from "node:assert/strict";
import type { Deployment, DeploymentStatus, ReplicaSet } from "../../src/api/kinds/apps.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { toTimestamp } from "../../src/api/time.js";
import { deploymentController } from "../../src/controllers/deployment.js";
import { condition } from "../../src/controllers/pod-state.js";
import { makeNewest, nameOfNewest } from "../../src/controllers/revision.js";
import { acts, changed, decide, now, worldOf } from "./fixture.js";
import { deployment, ownedBy, pod, readyStatus, replicaSet, template } from "./objects.js";

/** A set of the Deployment at this revision and image, with its Pods ready. */
function setOf(
  owner: Deployment,
  revision: number,
  image: string,
  replicas: number,
): { set: ReplicaSet; pods: readonly Pod[] } {
  const asOf: Deployment = { ...owner, spec: { ...owner.spec, template: template(owner.metadata.name, image) } };
  const made = makeNewest(asOf, revision, 1, now - 1000 * (100 - revision));
  const set: ReplicaSet = {
    ...made,
    metadata: { ...made.metadata, resourceVersion: "1" },
    spec: { ...made.spec, replicas },
    status: { replicas, observedGeneration: 1 },
  };
  const pods = Array.from({ length: replicas }, (_, at) =>
    pod(`${set.metadata.name}-${at}`, {
      metadata: { ...ownedBy(set), labels: set.spec.template.metadata?.labels ?? {} },
      spec: { nodeName: "alpha" },
      status: readyStatus(now - 60_000),
    }),
  );
  return { set, pods };
}

const statusOf = (decision: ReturnType<typeof decide>): DeploymentStatus =>
  changed<Deployment>(decision, "Deployment", "web")?.status ?? {};

describe("deployment controller", () => {
  it("makes the set of a new Deployment, whole, with its revision and bounds", () => {
    const web = deployment();
    const decision = decide(deploymentController, web, worldOf([web]));
    const { name, hash } = nameOfNewest(web);
    const set = changed<ReplicaSet>(decision, "ReplicaSet", name);
    assert.equal(set?.spec.replicas, 3);
    assert.deepEqual(set.metadata.annotations, {
      "deployment.kubernetes.io/revision": "1",
      "deployment.kubernetes.io/desired-replicas": "3",
      "deployment.kubernetes.io/max-replicas": "4",
    });
    assert.deepEqual(set.spec.selector.matchLabels, { app: "web", "pod-template-hash": hash });
    assert.deepEqual(set.spec.template.metadata?.labels, { app: "web", "pod-template-hash": hash });
    assert.equal(set.metadata.ownerReferences?.[0]?.uid, "uid-web");
    assert.equal(
      changed<Deployment>(decision, "Deployment", "web")?.metadata.annotations?.["deployment.kubernetes.io/revision"],
      "1",
    );
    assert.equal(condition(statusOf(decision).conditions, "Progressing")?.reason, "NewReplicaSetCreated");
    assert.match(decision.events?.[0]?.message ?? "", /^Scaled up replica set web-\w+ from 0 to 3$/);
  });

  it("decides the same from the same state", () => {
    const web = deployment();
    assert.deepEqual(
      decide(deploymentController, web, worldOf([web])).changes?.creates,
      decide(deploymentController, web, worldOf([web])).changes?.creates,
    );
  });

  it("counts a collision when another set has the name", () => {
    const web = deployment();
    const { name } = nameOfNewest(web);
    const decision = decide(
      deploymentController,
      web,
      worldOf([web, replicaSet(name, {}, ownedBy(deployment({ name: "other" })))]),
    );
    assert.equal(statusOf(decision).collisionCount, 1);
    assert.deepEqual(acts(decision), ["update Deployment web"]);
    const after: Deployment = { ...web, status: { collisionCount: 1 } };
    assert.notEqual(nameOfNewest(after).name, name);
  });

  it("adopts sets that match and have no controller, and lets go of those that stopped matching", () => {
    const web = deployment();
    const orphan = replicaSet("orphan", {}, { labels: { app: "web" } });
    const stranger = replicaSet("stranger", {}, { labels: { app: "else" }, ...ownedBy(web) });
    const decision = decide(deploymentController, web, worldOf([web, orphan, stranger]));
    assert.deepEqual(acts(decision), ["update ReplicaSet orphan", "update ReplicaSet stranger"]);
    assert.equal(changed<ReplicaSet>(decision, "ReplicaSet", "orphan")?.metadata.ownerReferences?.[0]?.uid, "uid-web");
    assert.deepEqual(changed<ReplicaSet>(decision, "ReplicaSet", "stranger")?.metadata.ownerReferences, []);
  });

  it("brings an old revision back under a new number and remembers the old one", () => {
    const running = { replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 };
    const web: Deployment = { ...deployment({ image: "web:1" }), status: running };
    const [first, second] = [setOf(web, 1, "web:1", 0), setOf(web, 2, "web:2", 3)];
    const decision = decide(deploymentController, web, worldOf([web, first.set, second.set, ...second.pods]));
    const back = changed<ReplicaSet>(decision, "ReplicaSet", first.set.metadata.name);
    assert.equal(back?.spec.replicas, 1);
    assert.equal(back.metadata.annotations?.["deployment.kubernetes.io/revision"], "3");
    assert.equal(back.metadata.annotations?.["deployment.kubernetes.io/revision-history"], "1");
    assert.equal(condition(statusOf(decision).conditions, "Progressing")?.reason, "FoundNewReplicaSet");
  });

  it("starts a newer template at once, in the middle of a rollout", () => {
    const web = deployment({ image: "web:3" });
    const [first, second] = [setOf(web, 1, "web:1", 2), setOf(web, 2, "web:2", 1)];
    const decision = decide(
      deploymentController,
      web,
      worldOf([web, first.set, second.set, ...first.pods, ...second.pods]),
    );
    assert.equal(changed<ReplicaSet>(decision, "ReplicaSet", nameOfNewest(web).name)?.spec.replicas, 1);
  });

  it("does not roll out while paused, but scales", () => {
    const web = deployment({ image: "web:2", paused: true, replicas: 5 });
    const { set, pods } = setOf({ ...web, spec: { ...web.spec, replicas: 3 } }, 1, "web:1", 3);
    const decision = decide(deploymentController, web, worldOf([web, set, ...pods]));
    assert.equal(changed<ReplicaSet>(decision, "ReplicaSet", set.metadata.name)?.spec.replicas, 5);
    assert.equal(decision.changes?.creates.length, 0);
    assert.equal(condition(statusOf(decision).conditions, "Progressing")?.reason, "DeploymentPaused");
  });

  it("misses its deadline when nothing grows, and says so once", () => {
    const web = deployment({ image: "web:1", progressDeadlineSeconds: 30 });
    const { set, pods } = setOf(web, 1, "web:1", 3);
    const stuck = pods.map((one) => withStatus(one, readyStatus(now - 60_000, false)));
    const settle = (at: Deployment, time: number): ReturnType<typeof decide> =>
      decide(deploymentController, at, worldOf([at, set, ...stuck], { now: time }));
    const first = settle({ ...web, status: progressing(now, 3) }, now);
    assert.equal(first.wakeAt, now + 30_000);
    const waiting = changed<Deployment>(first, "Deployment", "web") ?? web;
    const before = settle({ ...waiting, metadata: { ...waiting.metadata, resourceVersion: "2" } }, now + 29_000);
    assert.equal(before.changes, undefined);
    const after = settle(waiting, now + 30_000);
    const verdict = condition(statusOf(after).conditions, "Progressing");
    assert.deepEqual([verdict?.status, verdict?.reason], ["False", "ProgressDeadlineExceeded"]);
    const told = settle(changed<Deployment>(after, "Deployment", "web") ?? web, now + 90_000);
    assert.deepEqual([told.changes, told.wakeAt], [undefined, undefined]);
  });

  it("never misses its deadline again once it has ended", () => {
    const web = deployment({ image: "web:1", progressDeadlineSeconds: 30 });
    const { set, pods } = setOf(web, 1, "web:1", 3);
    const ended = statusOf(decide(deploymentController, web, worldOf([web, set, ...pods])));
    assert.equal(condition(ended.conditions, "Progressing")?.reason, "NewReplicaSetAvailable");
    const later: Deployment = { ...web, status: ended };
    const unready = pods.map((one) => withStatus(one, readyStatus(now, false)));
    const decision = decide(deploymentController, later, worldOf([later, set, ...unready], { now: now + 999_000 }));
    assert.equal(condition(statusOf(decision).conditions, "Progressing")?.reason, "NewReplicaSetAvailable");
    assert.equal(condition(statusOf(decision).conditions, "Available")?.status, "False");
  });

  it("waits for minReadySeconds, by the clock", () => {
    const web = deployment({ image: "web:2", minReadySeconds: 10 });
    const [old, fresh] = [setOf(web, 1, "web:1", 3), setOf(web, 2, "web:2", 1)];
    const justReady = fresh.pods.map((one) => withStatus(one, readyStatus(now - 4000)));
    const world = (time: number): ReturnType<typeof worldOf> =>
      worldOf([web, old.set, fresh.set, ...old.pods, ...justReady], { now: time });
    const early = decide(deploymentController, web, world(now));
    assert.equal(early.wakeAt, now + 6000);
    assert.equal(changed<ReplicaSet>(early, "ReplicaSet", old.set.metadata.name), undefined);
    const late = decide(deploymentController, web, world(now + 6000));
    assert.equal(changed<ReplicaSet>(late, "ReplicaSet", old.set.metadata.name)?.spec.replicas, 2);
  });

  it("keeps revisionHistoryLimit old sets, when the rollout is through", () => {
    const web = deployment({ image: "web:4", revisionHistoryLimit: 1 });
    const old = [1, 2, 3].map((revision) => setOf(web, revision, `web:${revision}`, 0).set);
    const { set, pods } = setOf(web, 4, "web:4", 3);
    const through = decide(deploymentController, web, worldOf([web, ...old, set, ...pods]));
    const removed = through.changes?.removes.map((key) => key.name).toSorted();
    assert.deepEqual(removed, [old[0]!.metadata.name, old[1]!.metadata.name].toSorted());
    const under = decide(deploymentController, web, worldOf([web, ...old, set, ...pods.slice(1)]));
    assert.deepEqual(under.changes?.removes ?? [], []);
  });

  it("makes no new Pods' set in a Namespace that is being deleted", () => {
    const web = deployment();
    const closing = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "default", uid: "uid-default", resourceVersion: "1", deletionTimestamp: toTimestamp(now) },
      spec: { finalizers: ["kubernetes"] },
    };
    assert.deepEqual(acts(decide(deploymentController, web, worldOf([web, closing]))), ["update Deployment web"]);
  });
});

function withStatus(one: Pod, status: Pod["status"]): Pod {
  return status === undefined ? one : { ...one, status };
}

function progressing(since: number, replicas: number): DeploymentStatus {
  const time = toTimestamp(since);
  return {
    observedGeneration: 1,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: 0,
    availableReplicas: 0,
    conditions: [
      {
        type: "Progressing",
        status: "True",
        reason: "ReplicaSetUpdated",
        message: "",
        lastUpdateTime: time,
        lastTransitionTime: time,
      },
    ],
  };
}

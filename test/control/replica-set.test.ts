import assert from "node:assert/strict";
import type { ReplicaSet } from "../../src/api/kinds/apps.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { deletionOrder } from "../../src/controllers/deletion-order.js";
import { replicaSetController } from "../../src/controllers/replica-set.js";
import { viewSet } from "../../src/controllers/set-view.js";
import { toTimestamp } from "../../src/api/time.js";
import { acts, changed, decide, now, worldOf } from "./fixture.js";
import { deployment, node, ownedBy, pod, readyStatus, replicaSet } from "./objects.js";

const owned = (set: ReplicaSet, name: string, given: Parameters<typeof pod>[1] = {}): Pod =>
  pod(name, {
    ...given,
    spec: { nodeName: "alpha", ...given.spec },
    metadata: { labels: { app: set.metadata.name }, ...ownedBy(set), ...given.metadata },
  });
const ready = (set: ReplicaSet, name: string, given: Parameters<typeof pod>[1] = {}): Pod =>
  owned(set, name, { status: readyStatus(now - 60_000), ...given });
const stored = (one: Pod): Pod => ({ ...one, metadata: { ...one.metadata, resourceVersion: "1" } });
const terminating = { deletionTimestamp: toTimestamp(now + 30_000), deletionGracePeriodSeconds: 30 };

describe("replica set controller", () => {
  it("makes all missing Pods and tells its status in one transaction", () => {
    const web = replicaSet("web");
    const decision = decide(replicaSetController, web, worldOf([web]));
    assert.deepEqual(acts(decision), ["create Pod", "create Pod", "create Pod", "update ReplicaSet web"]);
    const updated = changed<ReplicaSet>(decision, "ReplicaSet", "web");
    assert.equal(updated?.status?.replicas, 3);
    assert.equal(updated.metadata.annotations?.["ikada.dev/pods-made"], "3");
    assert.equal(updated.metadata.generation, 1);
    for (const made of decision.changes?.creates ?? [])
      assert.match(made.metadata.name, /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  it("gives no name twice, whether the Pod is still there or gone", () => {
    const web = replicaSet("web");
    const first = decide(replicaSetController, web, worldOf([web]));
    const names = first.changes?.creates.map((made) => made.metadata.name) ?? [];
    const next = changed<ReplicaSet>(first, "ReplicaSet", "web") ?? web;
    const again = decide(replicaSetController, next, worldOf([next]));
    const all = [...names, ...(again.changes?.creates.map((made) => made.metadata.name) ?? [])];
    assert.equal(new Set(all).size, 6);
    // The count was lost, the Pods were not.
    const pods = (first.changes?.creates ?? []).slice(0, 2) as readonly unknown[] as readonly Pod[];
    const third = decide(replicaSetController, web, worldOf([web, ...pods.map(stored)]));
    assert.deepEqual(
      third.changes?.creates.map((made) => made.metadata.name),
      names.slice(2),
    );
  });

  it("makes no Pod that its Namespace's pod security refuses, says so once, and looks again", () => {
    const web = replicaSet("web", {
      template: {
        metadata: { labels: { app: "web" } },
        spec: { hostNetwork: true, containers: [{ name: "main", image: "web:1" }] },
      },
    });
    const decision = decide(replicaSetController, web, worldOf([web]));
    assert.deepEqual(acts(decision), ["update ReplicaSet web"]);
    const refused = changed<ReplicaSet>(decision, "ReplicaSet", "web");
    const [condition] = refused?.status?.conditions ?? [];
    assert.deepEqual(
      [condition?.type, condition?.status, condition?.reason],
      ["ReplicaFailure", "True", "FailedCreate"],
    );
    assert.match(condition?.message ?? "", /spec\.template\.spec\.hostNetwork: must not be true/);
    assert.equal(decision.events?.[0]?.reason, "FailedCreate");
    assert.equal(decision.wakeAt, now + 30_000);

    const again = decide(replicaSetController, refused ?? web, worldOf([refused ?? web]));
    assert.deepEqual([acts(again), again.events], [[], []]);
    const labels = { "pod-security.kubernetes.io/enforce": "privileged" };
    const open = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default", resourceVersion: "1", labels } };
    const allowed = decide(replicaSetController, refused ?? web, worldOf([refused ?? web, open]));
    assert.equal(allowed.changes?.creates.length, 3);
    assert.deepEqual(changed<ReplicaSet>(allowed, "ReplicaSet", "web")?.status?.conditions, []);
  });

  it("takes requests from limits, as for any Pod", () => {
    const container = { name: "main", image: "web:1", resources: { limits: { memory: "64Mi" } } };
    const web = replicaSet("web", {
      replicas: 1,
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [container] } },
    });
    const made = decide(replicaSetController, web, worldOf([web])).changes?.creates[0] as unknown as Pod;
    assert.deepEqual(made.spec.containers[0]?.resources?.requests, { memory: "64Mi" });
  });

  it("replaces Pods that failed or are being deleted", () => {
    const web = replicaSet("web");
    const pods = [
      ready(web, "a"),
      owned(web, "b", { status: { phase: "Failed" } }),
      ready(web, "c", { metadata: terminating }),
    ];
    const decision = decide(replicaSetController, web, worldOf([web, ...pods, node("alpha")]));
    assert.equal(decision.changes?.creates.length, 2);
  });

  it("adopts Pods that match and releases those that do not", () => {
    const web = replicaSet("web", { replicas: 2 });
    const orphan = pod("orphan", { metadata: { labels: { app: "web" } } });
    const stranger = ready(web, "stranger", { metadata: { labels: { app: "else" } } });
    const decision = decide(replicaSetController, web, worldOf([web, orphan, stranger]));
    assert.deepEqual(acts(decision), ["update Pod orphan", "update Pod stranger"]);
    assert.equal(decision.changes?.unchanged.length, 1);
  });

  it("deletes surplus Pods; what has no node goes at once", () => {
    const web = replicaSet("web", { replicas: 1 });
    const pods = [ready(web, "a"), ready(web, "b"), owned(web, "c", { spec: { nodeName: "" } })];
    const decision = decide(replicaSetController, web, worldOf([web, ...pods]));
    assert.deepEqual(acts(decision).toSorted(), ["delete Pod a", "remove /Pod c", "update ReplicaSet web"].toSorted());
  });

  it("waits for the agent even when a Pod has no grace", () => {
    const web = replicaSet("web", { replicas: 0 });
    const decision = decide(
      replicaSetController,
      web,
      worldOf([web, ready(web, "a", { spec: { terminationGracePeriodSeconds: 0 } })]),
    );
    assert.deepEqual(acts(decision), ["update ReplicaSet web", "delete Pod a"]);
  });

  it("deletes in Kubernetes' order", () => {
    const web = replicaSet("web", { replicas: 0 });
    const pods = [
      ready(web, "old"),
      ready(web, "fresh", { status: readyStatus(now - 2000) }),
      ready(web, "restarted", {
        status: {
          ...readyStatus(now - 60_000),
          containerStatuses: [{ name: "main", image: "", imageID: "", ready: true, restartCount: 4 }],
        },
      }),
      ready(web, "cheap", { metadata: { annotations: { "controller.kubernetes.io/pod-deletion-cost": "-5" } } }),
      owned(web, "unready", { status: readyStatus(now - 60_000, false) }),
      owned(web, "pending"),
      owned(web, "unknown", { status: { phase: "Unknown" } }),
      owned(web, "unassigned", { spec: { nodeName: "" } }),
    ];
    const { snapshot } = worldOf([web, ...pods]);
    const order = deletionOrder(viewSet(web, snapshot, now), snapshot).map((one) => one.metadata.name);
    assert.deepEqual(order, ["unassigned", "pending", "unknown", "unready", "cheap", "fresh", "restarted", "old"]);
  });
});

describe("deletion order", () => {
  it("takes from the node with more Pods of the same Deployment", () => {
    const web = deployment();
    const [one, other] = [replicaSet("one", {}, ownedBy(web)), replicaSet("other", {}, ownedBy(web))];
    const pods = [
      ready(one, "a"),
      ready(one, "b", { spec: { nodeName: "beta" } }),
      ready(other, "c", { spec: { nodeName: "beta" } }),
    ];
    const { snapshot } = worldOf([web, one, other, ...pods]);
    const order = deletionOrder(viewSet(one, snapshot, now), snapshot).map((pod) => pod.metadata.name);
    assert.deepEqual(order, ["b", "a"]);
  });
});

describe("the sets of one Deployment", () => {
  const web = deployment({ replicas: 3, maxSurge: 1, maxUnavailable: 0 });
  const old = replicaSet("old", { replicas: 3 }, { ...ownedBy(web), creationTimestamp: toTimestamp(now - 9000) });
  const fresh = replicaSet("fresh", { replicas: 1 }, { ...ownedBy(web), creationTimestamp: toTimestamp(now - 1000) });
  const olds = ["o1", "o2", "o3"].map((name) => ready(old, name));

  it("make no Pod for which one that is stopping has not made room", () => {
    const pods = [olds[0]!, olds[1]!, { ...olds[2]!, metadata: { ...olds[2]!.metadata, ...terminating } }];
    const world = worldOf([web, old, fresh, ...pods, node("alpha")]);
    assert.equal(decide(replicaSetController, fresh, world).changes?.creates.length, 1, "the newer has the only room");
    assert.equal(decide(replicaSetController, old, world).changes?.creates.length, 0);
  });

  it("use that room only as long as the other has not changed", () => {
    const world = worldOf([web, old, fresh, ...olds, node("alpha")]);
    const { unchanged = [] } = decide(replicaSetController, fresh, world).changes ?? {};
    assert.deepEqual(
      unchanged.map((key) => key.name),
      ["old"],
    );
  });

  it("do not count Pods that stop on a lost node", () => {
    const lost = node("alpha", { taints: [{ key: "node.kubernetes.io/unreachable", effect: "NoExecute" }] });
    const pods = olds.map((one) => ({ ...one, metadata: { ...one.metadata, ...terminating } }));
    assert.equal(decide(replicaSetController, old, worldOf([web, old, ...pods, lost])).changes?.creates.length, 3);
  });

  it("keep an available Pod that was to go, when another failed meanwhile", () => {
    const smaller = replicaSet("old", { replicas: 2 }, { ...ownedBy(web), creationTimestamp: toTimestamp(now - 9000) });
    const newPod = (isReady: boolean): Pod => owned(fresh, "n1", { status: readyStatus(now - 5000, isReady) });
    const go = decide(replicaSetController, smaller, worldOf([web, smaller, fresh, ...olds, newPod(true)]));
    assert.equal(acts(go).filter((act) => act.startsWith("delete Pod")).length, 1);
    const stay = decide(replicaSetController, smaller, worldOf([web, smaller, fresh, ...olds, newPod(false)]));
    assert.equal(acts(stay).filter((act) => act.startsWith("delete Pod")).length, 0);
  });
});

import assert from "node:assert/strict";
import type { Event } from "../../src/api/kinds/core.js";
import { toTimestamp } from "../../src/api/time.js";
import { eventTtlController } from "../../src/controllers/event-ttl.js";
import { garbageCollector } from "../../src/controllers/garbage-collector.js";
import { podGarbageController } from "../../src/controllers/pod-garbage.js";
import { defaultControllerSettings } from "../../src/controllers/settings.js";
import { deleteObject, type DeleteOptions } from "../../src/objects/delete-object.js";
import { Cluster } from "./cluster.js";
import { acts, decide, now, worldOf } from "./fixture.js";
import { any, deployment, node, ownedBy, pod, replicaSet } from "./objects.js";

function running(): Cluster {
  const cluster = new Cluster();
  cluster.elect();
  cluster.create(any(deployment()));
  assert(cluster.time.pass(10_000, () => cluster.settled("web")));
  return cluster;
}

function remove(
  cluster: Cluster,
  groupKind: string,
  name: string,
  options: DeleteOptions = {},
  namespace = "default",
): void {
  cluster.change(groupKind, namespace, name, (live) => {
    const { changes } = deleteObject(live, options, cluster.time.now());
    return changes.removes.length > 0 ? "remove" : changes.updates[0];
  });
}

const count = (cluster: Cluster, groupKind: string): number => cluster.snapshot().list(groupKind).length;

describe("garbage collection", () => {
  it("in the background removes what a Deployment made, after it", () => {
    const cluster = running();
    remove(cluster, "apps/Deployment", "web");
    cluster.time.pass(5);
    assert.equal(count(cluster, "apps/Deployment"), 0);
    cluster.time.pass(1000);
    assert.deepEqual([count(cluster, "apps/ReplicaSet"), count(cluster, "/Pod")], [0, 0]);
    assert.deepEqual(
      [...cluster.agents.values()].map((agent) => agent.engine.size),
      [0, 0],
    );
  });

  it("in the foreground removes the Deployment last", () => {
    const cluster = running();
    remove(cluster, "apps/Deployment", "web", { propagation: "Foreground" });
    const orderGone: string[] = [];
    for (let step = 0; step < 400; step++) {
      cluster.time.pass(2);
      for (const kind of ["/Pod", "apps/ReplicaSet", "apps/Deployment"])
        if (count(cluster, kind) === 0 && !orderGone.includes(kind)) orderGone.push(kind);
    }
    assert.deepEqual(orderGone, ["/Pod", "apps/ReplicaSet", "apps/Deployment"]);
  });

  it("orphans when it is asked to", () => {
    const cluster = running();
    remove(cluster, "apps/Deployment", "web", { propagation: "Orphan" });
    cluster.time.pass(3000);
    assert.deepEqual(
      [count(cluster, "apps/Deployment"), count(cluster, "apps/ReplicaSet"), count(cluster, "/Pod")],
      [0, 1, 3],
    );
    assert.equal(cluster.snapshot().list("apps/ReplicaSet")[0]?.metadata.ownerReferences, undefined);
  });

  it("keeps what another owner still holds, and drops the reference to the one that is gone", () => {
    const web = replicaSet("web");
    const gone = ownedBy(replicaSet("gone")).ownerReferences ?? [];
    const both = pod("both", { metadata: { ownerReferences: [...gone, ...(ownedBy(web).ownerReferences ?? [])] } });
    const decision = decide(garbageCollector, both, worldOf([web, both]));
    assert.deepEqual(acts(decision), ["update Pod both"]);
    assert.deepEqual(
      decision.changes?.updates[0]?.metadata.ownerReferences?.map((one) => one.name),
      ["web"],
    );
  });

  it("takes an owner of the same name and another uid for gone", () => {
    const web = { ...replicaSet("web"), metadata: { ...replicaSet("web").metadata, uid: "another" } };
    const left = pod("left", { metadata: ownedBy(replicaSet("web")) });
    assert.deepEqual(acts(decide(garbageCollector, left, worldOf([web, left]))), ["remove /Pod left"]);
  });

  it("does not let an owner in another Namespace hold, and says so", () => {
    const web = replicaSet("web", {}, { namespace: "elsewhere" });
    const left = pod("left", { metadata: ownedBy(web) });
    const decision = decide(garbageCollector, left, worldOf([web, left]));
    assert.deepEqual(acts(decision), ["remove /Pod left"]);
    assert.equal(decision.events?.[0]?.reason, "OwnerRefInvalidNamespace");
  });
});

describe("a Namespace", () => {
  it("named default is always there", () => {
    const cluster = new Cluster();
    cluster.elect();
    cluster.time.pass(10);
    assert.equal(count(cluster, "/Namespace"), 1);
  });

  it("that is deleted is emptied, and then goes", () => {
    const cluster = new Cluster();
    cluster.elect();
    cluster.create(
      any({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "team", uid: "uid-team", generation: 1 },
        spec: { finalizers: ["kubernetes"] },
      } as ReturnType<typeof any>),
    );
    const web = deployment();
    cluster.create(any({ ...web, metadata: { ...web.metadata, namespace: "team" } }));
    cluster.time.pass(2000);
    assert.equal(count(cluster, "/Pod"), 3);
    remove(cluster, "/Namespace", "team", {}, "");
    cluster.time.pass(20);
    assert.equal(count(cluster, "/Namespace"), 2, "its Pods are still stopping");
    cluster.time.pass(3000);
    assert.deepEqual(
      [count(cluster, "/Namespace"), count(cluster, "/Pod"), count(cluster, "apps/Deployment")],
      [1, 0, 0],
    );
    assert.equal(cluster.snapshot().list("/Event", "team").length, 0);
  });
});

describe("pod garbage", () => {
  const finished = (name: string, age: number): ReturnType<typeof pod> =>
    pod(name, {
      spec: { nodeName: "alpha" },
      status: { phase: "Failed" },
      metadata: { creationTimestamp: toTimestamp(now - age) },
    });

  it("is finished Pods above a number, the oldest first", () => {
    const pods = [finished("young", 1000), finished("old", 9000), finished("older", 19_000)];
    const controller = podGarbageController({ ...defaultControllerSettings, terminatedPodsMax: 1 });
    const world = worldOf([...pods, node("alpha")]);
    assert.deepEqual(acts(decide(controller, controller.keys(world.snapshot)[0]!, world)), [
      "remove /Pod older",
      "remove /Pod old",
    ]);
  });

  it("is Pods of a node that is not there", () => {
    const controller = podGarbageController(defaultControllerSettings);
    const lost = pod("lost", { spec: { nodeName: "gone" } });
    assert.deepEqual(acts(decide(controller, node("gone"), worldOf([lost]))), ["remove /Pod lost"]);
  });
});

describe("events", () => {
  it("go an hour after they were last counted", () => {
    const event = (name: string, age: number): Event => ({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace: "default", uid: name, resourceVersion: "1" },
      involvedObject: {},
      lastTimestamp: toTimestamp(now - age),
    });
    const controller = eventTtlController(defaultControllerSettings);
    const world = worldOf([event("old", 3_600_000), event("young", 3_599_000)]);
    assert.deepEqual(acts(decide(controller, controller.keys(world.snapshot)[0]!, world)), ["remove /Event old"]);
  });
});

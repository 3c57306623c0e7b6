import assert from "node:assert/strict";
import { fencingLeaseAnnotation, isLeaseRevoked, leaseRevokedType } from "../../src/api/kinds/fencing-lease.js";
import type { Deployment, ReplicaSet } from "../../src/api/kinds/apps.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { fencingLeaseLeftMs } from "../../src/controllers/fencing.js";
import { podGarbageController } from "../../src/controllers/pod-garbage.js";
import { isActive, isReady, mayRun } from "../../src/controllers/pod-state.js";
import { defaultControllerSettings } from "../../src/controllers/settings.js";
import { snapshotOf } from "../../src/objects/object-index.js";
import { Cluster, type ClusterOptions } from "./cluster.js";
import { acts, changed, decide, worldOf } from "./fixture.js";
import { any, deployment, node, pod, replicaSet } from "./objects.js";

const annotations = { [fencingLeaseAnnotation]: "15" };
/** 15 s, a hundredth, and a second. */
const overMs = 16_150;

function leasedDeployment(options: Parameters<typeof deployment>[0] = {}): Deployment {
  const web = deployment(options);
  const { template } = web.spec;
  return {
    ...web,
    spec: { ...web.spec, template: { ...template, metadata: { ...template.metadata, annotations } } },
  };
}

function running(web: Deployment, options: ClusterOptions = {}): Cluster {
  const cluster = new Cluster(options);
  cluster.elect();
  cluster.create(any(web));
  assert(cluster.time.pass(10_000, () => cluster.settled("web")));
  cluster.time.pass(10_000);
  return cluster;
}

const activeOn = (cluster: Cluster, name: string): readonly Pod[] =>
  cluster.pods().filter((one) => one.spec.nodeName === name && isActive(one));
const onNode = (cluster: Cluster, name: string): readonly Pod[] =>
  cluster.pods().filter((one) => one.spec.nodeName === name);

describe("Pods with a fencing lease", () => {
  it("of a lost node are replaced when the lease has ended for certain, whatever surge there may be", () => {
    const cluster = running(leasedDeployment({ replicas: 4, maxSurge: "100%" }));
    assert.equal(onNode(cluster, "alpha").length, 2);
    cluster.loseNode("alpha");
    // Silent, and evicted with the time for the lease before them.
    assert(cluster.time.pass(12_000, () => onNode(cluster, "alpha").every(isLeaseRevoked)));
    cluster.time.pass(overMs - 100);
    assert.deepEqual([onNode(cluster, "alpha").length, activeOn(cluster, "beta").length], [2, 2]);
    assert(cluster.time.pass(2_000, () => activeOn(cluster, "beta").filter(isReady).length === 4));
    assert.equal(onNode(cluster, "alpha").length, 0);
    assert.deepEqual(cluster.breaches, []);
  });

  it("tell why they wait, in an event and a condition", () => {
    const cluster = running(leasedDeployment({ replicas: 2 }));
    cluster.loseNode("alpha");
    cluster.time.pass(12_000);
    const [one] = onNode(cluster, "alpha");
    const told = one?.status?.conditions?.find(({ type }) => type === leaseRevokedType);
    assert.match(told?.message ?? "", /node alpha is not heard of; the Pod is replaced after 17 s/);
    const events = cluster.snapshot().list<{ readonly reason?: string }>("/Event");
    assert(events.some(({ reason }) => reason === "FencingLeaseRevoked"));
  });

  it("stay with a node that is back before they are evicted", () => {
    const cluster = running(leasedDeployment({ replicas: 4 }));
    const before = onNode(cluster, "alpha").map((one) => one.metadata.uid);
    cluster.loseNode("alpha");
    cluster.time.pass(7000);
    cluster.findNode("alpha");
    cluster.time.pass(60_000);
    assert.deepEqual(
      onNode(cluster, "alpha").map((one) => one.metadata.uid),
      before,
    );
    assert(!onNode(cluster, "alpha").some(isLeaseRevoked));
  });

  it("go with the agent's word alone when the node is back after that", () => {
    const cluster = running(leasedDeployment({ replicas: 4 }));
    cluster.loseNode("alpha");
    assert(cluster.time.pass(12_000, () => onNode(cluster, "alpha").every(isLeaseRevoked)));
    cluster.findNode("alpha");
    assert(cluster.time.pass(3_000, () => cluster.settled("web")));
  });

  it("are waited for by a new leader, for which no time counts that it has not seen pass", () => {
    const cluster = running(leasedDeployment({ replicas: 4 }));
    cluster.loseNode("alpha");
    assert(cluster.time.pass(12_000, () => onNode(cluster, "alpha").every(isLeaseRevoked)));
    cluster.time.pass(10_000);
    cluster.elect();
    // It was there all along: what is left is left.
    cluster.time.pass(overMs - 10_000 - 100);
    assert.equal(onNode(cluster, "alpha").length, 2);
    cluster.time.pass(5_000);
    assert.equal(onNode(cluster, "alpha").length, 0);
  });

  it("of a node that is deleted are let go in the same way", () => {
    const cluster = running(leasedDeployment({ replicas: 4 }));
    cluster.loseNode("alpha");
    cluster.change("/Node", "", "alpha", () => "remove");
    cluster.time.pass(overMs - 100);
    assert.deepEqual([onNode(cluster, "alpha").length, activeOn(cluster, "beta").length], [2, 2]);
    assert(cluster.time.pass(3000, () => activeOn(cluster, "beta").filter(isReady).length === 4));
    assert.equal(onNode(cluster, "alpha").length, 0);
  });

  it("keep their place in a ReplicaSet and their room in a Deployment", () => {
    const metadata = { annotations, deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 30 };
    const leaving = pod("a", { spec: { nodeName: "gone" }, metadata });
    const plain = pod("b", { spec: { nodeName: "gone" }, metadata: { ...metadata, annotations: {} } });
    const ended = pod("c", { spec: { nodeName: "gone" }, metadata, status: { phase: "Failed" } });
    const snapshot = snapshotOf([leaving, plain, ended].map(any));
    assert.deepEqual(
      [leaving, plain, ended].map((one) => mayRun(one, snapshot)),
      [true, false, false],
    );
  });

  it("of a set without a Deployment are not made twice either", () => {
    const set = replicaSet("db", { replicas: 1 });
    const { template } = set.spec;
    const cluster = new Cluster();
    cluster.elect();
    cluster.create(
      any({
        ...set,
        spec: { ...set.spec, template: { ...template, metadata: { ...template.metadata, annotations } } },
      } as ReplicaSet),
    );
    assert(cluster.time.pass(10_000, () => cluster.pods().some(isReady)));
    cluster.time.pass(10_000);
    const [first] = cluster.pods();
    cluster.loseNode(first?.spec.nodeName ?? "");
    assert(cluster.time.pass(12_000, () => cluster.pods().every(isLeaseRevoked)));
    cluster.time.pass(overMs - 100);
    assert.deepEqual(
      cluster.pods().map(({ metadata }) => metadata.uid),
      [first?.metadata.uid],
    );
    assert(cluster.time.pass(2_000, () => cluster.pods().some((one) => isReady(one) && one !== first)));
    assert.equal(cluster.pods().length, 1);
  });
});

describe("what is left of a fencing lease", () => {
  const revoked = { conditions: [{ type: leaseRevokedType, status: "True" as const }] };
  const on = (status: Pod["status"] = {}): Pod =>
    pod("db", { spec: { nodeName: "lost" }, metadata: { annotations }, status: status ?? {} });

  it("is not known while servers may renew it, or this one has not seen that they do not", () => {
    const world = (ms: number | undefined): ReturnType<typeof worldOf> => worldOf([], { leaseRevokedForMs: () => ms });
    assert.equal(fencingLeaseLeftMs(on(), world(99_999)), undefined);
    assert.equal(fencingLeaseLeftMs(on(revoked), world(undefined)), undefined);
    assert.equal(fencingLeaseLeftMs(on(revoked), world(0)), overMs);
    assert.equal(fencingLeaseLeftMs(on(revoked), world(overMs + 1)), 0);
    assert.equal(fencingLeaseLeftMs(pod("plain"), world(undefined)), 0);
  });

  it("keeps the Pod of a lost node until then; the time in its condition counts for nothing", () => {
    const controller = podGarbageController(defaultControllerSettings);
    const long = {
      ...on(revoked),
      status: {
        conditions: [
          {
            ...revoked.conditions[0],
            type: leaseRevokedType,
            status: "True" as const,
            lastTransitionTime: "2020-01-01T00:00:00Z",
          },
        ],
      },
    };
    const at = (ms: number): readonly string[] =>
      acts(decide(controller, node("lost"), worldOf([long], { leaseRevokedForMs: () => ms })));
    assert.deepEqual(at(overMs - 1), []);
    assert.deepEqual(at(overMs), ["remove /Pod db"]);
    const first = decide(controller, node("lost"), worldOf([on()]));
    assert.deepEqual(acts(first), ["delete Pod db"]);
    assert(isLeaseRevoked(changed<Pod>(first, "Pod", "db") as Pod));
  });
});

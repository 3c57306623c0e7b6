import assert from "node:assert/strict";
import type { Node } from "../../src/api/kinds/core.js";
import type { Pod, PodSpec } from "../../src/api/kinds/pod.js";
import { planSnapshot, type Plan } from "../../src/scheduler/plan.js";
import { Scheduler, type SchedulingPass } from "../../src/scheduler/scheduler.js";
import { now, worldOf } from "./fixture.js";
import { node, ownedBy, pod, replicaSet } from "./objects.js";

const asking = (name: string, requests: Record<string, string>, spec: Partial<PodSpec> = {}): Pod =>
  pod(name, { spec: { containers: [{ name: "main", image: "web:1", resources: { requests } }], ...spec } });
const planOf = (...objects: readonly (Pod | Node)[]): Plan =>
  planSnapshot(worldOf(objects).snapshot, { now, profile: "spread", budgets: [] });
/** What a new leader's first pass decides. */
const passOf = (...objects: readonly (Pod | Node)[]): SchedulingPass => {
  const scheduler = new Scheduler();
  const world = worldOf(objects);
  scheduler.start(world.snapshot);
  return scheduler.pass(world);
};
const bound = ({ bindings }: Plan): Record<string, string> =>
  Object.fromEntries(bindings.map((binding) => [binding.pod.metadata.name, binding.node.metadata.name]));
const why = ({ rejections }: Plan): string | undefined => rejections[0]?.message;

describe("scheduling plan", () => {
  it("says for each node why it does not take a Pod, as Kubernetes does", () => {
    const nodes = [
      node("a", { unschedulable: true }),
      node("b", { taints: [{ key: "dedicated", value: "db", effect: "NoSchedule" }] }),
      node("c", {}, { memory: "1Gi" }),
      node("d", {}, { memory: "1Gi", cpu: "500m" }),
      { ...node("e"), status: { ...node("e").status, conditions: [{ type: "Ready", status: "False" as const }] } },
    ];
    assert.equal(
      why(planOf(asking("p", { memory: "2Gi", cpu: "1" }), ...nodes)),
      "0/5 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {dedicated: db}, " +
        "1 node(s) were not ready, 1 node(s) were unschedulable, 2 Insufficient memory.",
    );
    assert.equal(why(planOf(asking("p", {}))), "no nodes available to schedule pods");
    assert.equal(
      why(planOf(asking("p", {}, { nodeSelector: { disk: "ssd" } }), node("a"))),
      "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
    );
  });

  it("fills nodes to the last byte, not further", () => {
    const made = planOf(
      asking("p1", { memory: "4Gi" }),
      asking("p2", { memory: "4Gi" }),
      pod("p3", { spec: asking("p3", { memory: "1" }).spec, metadata: { creationTimestamp: "2026-01-01T00:00:01Z" } }),
      node("a"),
    );
    assert.deepEqual(bound(made), { p1: "a", p2: "a" });
    assert.equal(why(made), "0/1 nodes are available: 1 Insufficient memory.");
  });

  it("counts Pods that stop, not those that have ended", () => {
    const there = (name: string, given: Parameters<typeof pod>[1]): Pod => {
      const { spec } = asking(name, { cpu: "3" }, { nodeName: "a" });
      return pod(name, { ...given, spec });
    };
    const stopping = there("s", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } });
    assert.equal(
      why(planOf(asking("p", { cpu: "2" }), stopping, node("a"))),
      "0/1 nodes are available: 1 Insufficient cpu.",
    );
    assert.deepEqual(bound(planOf(asking("p", { cpu: "2" }), there("e", { status: { phase: "Failed" } }), node("a"))), {
      p: "a",
    });
  });

  it("takes the greediest init container when it asks for more than all others", () => {
    const initContainers = [{ name: "init", image: "web:1", resources: { requests: { cpu: "5" } } }];
    assert.equal(
      why(planOf(asking("p", { cpu: "1" }, { initContainers }), node("a"))),
      "0/1 nodes are available: 1 Insufficient cpu.",
    );
  });

  it("counts Pods per node", () => {
    assert.equal(
      why(planOf(asking("p1", {}), asking("p2", {}), node("a", {}, { pods: "1" }))),
      "0/1 nodes are available: 1 Too many pods.",
    );
  });

  it("gives a port of a node to one Pod, by protocol and address, and says so as Kubernetes does", () => {
    const taken = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.";
    const wanting = (name: string, port: Record<string, unknown>, spec: Partial<PodSpec> = {}): Pod =>
      pod(name, {
        spec: { containers: [{ name: "main", image: "web:1", ports: [{ containerPort: 80, ...port }] }], ...spec },
      });
    const has = wanting("has", { hostPort: 8080 }, { nodeName: "a" });
    assert.equal(why(planOf(wanting("p", { hostPort: 8080 }), has, node("a"))), taken);
    assert.deepEqual(bound(planOf(wanting("p", { hostPort: 8080 }), has, node("a"), node("b"))), { p: "b" });
    assert.deepEqual(bound(planOf(wanting("p", { hostPort: 8081 }), has, node("a"))), { p: "a" });
    assert.deepEqual(bound(planOf(wanting("p", {}), has, node("a"))), { p: "a" });
    assert.deepEqual(bound(planOf(wanting("p", { hostPort: 8080, protocol: "UDP" }), has, node("a"))), { p: "a" });
    // Within one pass too.
    const both = planOf(wanting("p1", { hostPort: 90 }), wanting("p2", { hostPort: 90 }), node("a"));
    assert.deepEqual([Object.keys(bound(both)), why(both)], [["p1"], taken]);
    // One address beside another, and beside all.
    const one = wanting("one", { hostPort: 90, hostIP: "10.0.0.1" }, { nodeName: "a" });
    assert.deepEqual(bound(planOf(wanting("p", { hostPort: 90, hostIP: "10.0.0.2" }), one, node("a"))), { p: "a" });
    assert.equal(why(planOf(wanting("p", { hostPort: 90, hostIP: "10.0.0.1" }), one, node("a"))), taken);
    assert.equal(why(planOf(wanting("p", { hostPort: 90, hostIP: "0.0.0.0" }), one, node("a"))), taken);
    assert.equal(why(planOf(wanting("p", { hostPort: 90 }), one, node("a"))), taken);
    // The machine's own network, where the container's port is the machine's.
    assert.equal(why(planOf(wanting("p", { containerPort: 8080 }, { hostNetwork: true }), has, node("a"))), taken);
    // What has ended has no port any more.
    const ended = { ...has, status: { phase: "Succeeded" as const } };
    assert.deepEqual(bound(planOf(wanting("p", { hostPort: 8080 }), ended, node("a"))), { p: "a" });
  });

  it("spreads the Pods of one owner", () => {
    const set = replicaSet("web");
    const pods = Array.from({ length: 6 }, (_, at) => pod(`p${at}`, { metadata: ownedBy(set) }));
    const nodes = Object.values(bound(planOf(...pods, node("a"), node("b"), node("c"))));
    assert.deepEqual(nodes.toSorted(), ["a", "a", "b", "b", "c", "c"]);
  });

  it("prefers the node with more left, and one without a taint that asks to be spared", () => {
    const full = pod("full", {
      spec: {
        nodeName: "a",
        containers: [{ name: "x", image: "x", resources: { requests: { cpu: "3", memory: "6Gi" } } }],
      },
    });
    assert.deepEqual(bound(planOf(asking("p", { cpu: "500m", memory: "1Gi" }), full, node("a"), node("b"))), {
      p: "b",
    });
    const spared = node("b", { taints: [{ key: "spare", effect: "PreferNoSchedule" }] });
    assert.deepEqual(bound(planOf(asking("p", { cpu: "500m", memory: "1Gi" }), full, node("a"), spared)), { p: "a" });
  });

  it("tolerates what a Pod says it tolerates", () => {
    const tainted = node("a", { taints: [{ key: "dedicated", value: "db", effect: "NoSchedule" }] });
    const tolerations = [{ key: "dedicated", operator: "Equal" as const, value: "db", effect: "NoSchedule" as const }];
    assert.deepEqual(bound(planOf(asking("p", {}, { tolerations }), tainted)), { p: "a" });
    assert.deepEqual(bound(planOf(asking("p", {}, { tolerations: [{ operator: "Exists" }] }), tainted)), { p: "a" });
  });

  it("a node that is short of memory takes those that ask for something", () => {
    const short = node("a", { taints: [{ key: "node.kubernetes.io/memory-pressure", effect: "NoSchedule" }] });
    const made = planOf(asking("asks", { cpu: "1m" }), asking("nothing", {}), short);
    assert.deepEqual(bound(made), { asks: "a" });
    assert.equal(
      why(made),
      "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/memory-pressure: }.",
    );
    const full = node("a", { taints: [{ key: "node.kubernetes.io/disk-pressure", effect: "NoSchedule" }] });
    assert.deepEqual(bound(planOf(asking("asks", { cpu: "1m" }), full)), {});
  });

  it("counts what Pods ask for of the node's own disk", () => {
    const small = node("a", {}, { "ephemeral-storage": "10Gi" });
    const [one, two] = ["p1", "p2"].map((name) => asking(name, { "ephemeral-storage": "6Gi" })) as [Pod, Pod];
    const made = planOf(one, two, small);
    assert.deepEqual(
      [bound(made), why(made)],
      [{ p1: "a" }, "0/1 nodes are available: 1 Insufficient ephemeral-storage."],
    );
    assert.deepEqual(bound(planOf(asking("p", {}), node("a"))), { p: "a" });
  });

  it("counts sidecars beside the containers, and beside the init containers after them", () => {
    const ask = (name: string, cpu: string, more = {}) => ({
      name,
      image: "web:1",
      resources: { requests: { cpu } },
      ...more,
    });
    const sidecar = ask("sidecar", "1", { restartPolicy: "Always" as const });
    const fits = (initContainers: readonly object[], cpu: string, offered: string): boolean =>
      bound(planOf(asking("p", { cpu }, { initContainers: initContainers as never }), node("a", {}, { cpu: offered })))[
        "p"
      ] === "a";
    assert.ok(fits([sidecar], "2", "3") && !fits([sidecar], "2", "2900m"));
    assert.ok(fits([sidecar, ask("init", "3")], "1", "4") && !fits([sidecar, ask("init", "3")], "1", "3900m"));
    assert.ok(fits([ask("init", "3"), sidecar], "1", "3"), "one that ends before it does not count beside it");
  });

  it("places the more important and the older first, and leaves gated ones alone", () => {
    const at = (name: string, creationTimestamp: string, spec: Partial<PodSpec> = {}): Pod => {
      const one = asking(name, { cpu: "3" }, spec);
      return { ...one, metadata: { ...one.metadata, creationTimestamp } };
    };
    const young = at("a-young", "2026-01-01T00:00:02Z");
    const old = at("b-old", "2026-01-01T00:00:01Z");
    const vip = at("c-vip", "2026-01-01T00:00:03Z", { priority: 10 });
    const gated = at("d-gated", "2026-01-01T00:00:00Z", { priority: 99, schedulingGates: [{ name: "wait" }] });
    assert.deepEqual(bound(planOf(young, old, vip, gated, node("a"))), { "c-vip": "a" });
    assert.deepEqual(bound(planOf(young, old, node("a"))), { "b-old": "a" });
  });

  it("is the same for the same state, and bounded", () => {
    const pods = Array.from({ length: 20 }, (_, at) => asking(`p${at}`, {}));
    const nodes = [node("a"), node("b"), node("c")];
    assert.deepEqual(bound(planOf(...pods, ...nodes)), bound(planOf(...pods, ...nodes)));
    const options = { now, profile: "spread", budgets: [], bindingsMax: 7 } as const;
    const part = planSnapshot(worldOf([...pods, ...nodes]).snapshot, options);
    assert.deepEqual([part.bindings.length, part.more], [7, true]);
  });
});

describe("scheduler", () => {
  it("binds on the condition that neither Pod nor node has changed", () => {
    const { decisions } = passOf(asking("p", {}), node("a"));
    const [decision] = decisions;
    assert.deepEqual(
      decision?.changes.unchanged.map((key) => key.name),
      ["a"],
    );
    const made = decision.changes.updates[0] as unknown as Pod;
    assert.equal(made.spec.nodeName, "a");
    assert.deepEqual(
      made.status?.conditions?.map(({ type, status }) => [type, status]),
      [["PodScheduled", "True"]],
    );
    assert.equal(decision.events[0]?.message, "Successfully assigned default/p to a");
  });

  it("explains a refusal once, until it changes", () => {
    const waiting = asking("p", { cpu: "9" });
    const { decisions } = passOf(waiting, node("a"));
    assert.equal(decisions[0]?.events[0]?.reason, "FailedScheduling");
    const told = decisions[0]?.changes.updates[0] as unknown as Pod;
    assert.equal(passOf(told, node("a")).decisions.length, 0);
    assert.equal(passOf(told, node("a"), node("b")).decisions.length, 1);
  });
});

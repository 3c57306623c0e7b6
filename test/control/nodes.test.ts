import assert from "node:assert/strict";
import type { Node } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { condition, isActive, isReady } from "../../src/controllers/pod-state.js";
import { Cluster, type ClusterOptions } from "./cluster.js";
import { any, deployment, node, pod } from "./objects.js";

/** Two nodes with a Deployment of four on them, two each. */
function running(options: ClusterOptions = {}): Cluster {
  const cluster = new Cluster(options);
  cluster.elect();
  cluster.create(any(deployment({ replicas: 4 })));
  assert(cluster.time.pass(10_000, () => cluster.settled("web")));
  // Long enough that the leader has heard of everybody.
  cluster.time.pass(10_000);
  return cluster;
}

const readyOf = (cluster: Cluster, name: string): string | undefined =>
  condition(cluster.get<Node>("/Node", name, "")?.status?.conditions, "Ready")?.status;
const taintsOf = (cluster: Cluster, name: string): readonly string[] =>
  (cluster.get<Node>("/Node", name, "")?.spec.taints ?? []).map(({ key, effect }) => `${key.split("/")[1]}:${effect}`);
const activeOn = (cluster: Cluster, name: string): readonly Pod[] =>
  cluster.pods().filter((one) => one.spec.nodeName === name && isActive(one));

describe("a node that runs short of something", () => {
  const say = (cluster: Cluster, type: string, status: "True" | "False"): void => {
    cluster.change("/Node", "", "alpha", (live) => {
      const conditions = ((live as unknown as Node).status?.conditions ?? []).filter((one) => one.type !== type);
      const after = { ...(live as unknown as Node).status, conditions: [...conditions, { type, status }] };
      return { ...live, status: after };
    });
    cluster.time.pass(100);
  };

  it("has a taint for it that keeps new Pods away and evicts none, for as long", () => {
    const cluster = running();
    for (const [type, key] of [
      ["MemoryPressure", "memory-pressure"],
      ["DiskPressure", "disk-pressure"],
      ["PIDPressure", "pid-pressure"],
    ] as const) {
      say(cluster, type, "True");
      assert.deepEqual(taintsOf(cluster, "alpha"), [`${key}:NoSchedule`]);
      cluster.time.pass(20_000);
      assert.equal(activeOn(cluster, "alpha").length, 2);
      say(cluster, type, "False");
      assert.deepEqual(taintsOf(cluster, "alpha"), []);
    }
  });

  it("and falls silent is not known to be short of anything, and has the taints of a lost node alone", () => {
    const cluster = running();
    say(cluster, "DiskPressure", "True");
    cluster.loseNode("alpha");
    cluster.time.pass(6_000);
    const { status } = cluster.get<Node>("/Node", "alpha", "") ?? {};
    assert.equal(condition(status?.conditions, "DiskPressure")?.status, "Unknown");
    assert.equal(condition(status?.conditions, "MemoryPressure"), undefined);
    assert.deepEqual(taintsOf(cluster, "alpha"), ["unreachable:NoSchedule", "unreachable:NoExecute"]);
  });

  it("and fails a Pod of a Deployment gets no other, and the Pod is replaced elsewhere", () => {
    const cluster = running();
    say(cluster, "DiskPressure", "True");
    const [victim] = activeOn(cluster, "alpha");
    cluster.change("/Pod", "default", victim?.metadata.name ?? "", (live) => ({
      ...live,
      status: { ...(live as unknown as Pod).status, phase: "Failed", reason: "Evicted" },
    }));
    cluster.time.pass(10_000);
    assert.deepEqual([activeOn(cluster, "alpha").length, activeOn(cluster, "beta").filter(isReady).length], [1, 3]);
    assert.equal(
      cluster.pods().filter((one) => one.status?.reason === "Evicted").length,
      1,
      "it stays to be looked at",
    );
  });
});

describe("a node that falls silent", () => {
  it("is not ready after 5 s, and its Pods run on the other node in under 12 s", () => {
    const cluster = running();
    assert.deepEqual([activeOn(cluster, "alpha").length, activeOn(cluster, "beta").length], [2, 2]);
    cluster.loseNode("alpha");
    cluster.time.pass(4900);
    assert.equal(readyOf(cluster, "alpha"), "True");
    cluster.time.pass(200);
    assert.equal(readyOf(cluster, "alpha"), "Unknown");
    assert.deepEqual(taintsOf(cluster, "alpha"), ["unreachable:NoSchedule", "unreachable:NoExecute"]);
    assert(
      activeOn(cluster, "alpha").every((one) => !isReady(one)),
      "what runs there is not to be counted on",
    );
    assert(cluster.time.pass(6900, () => activeOn(cluster, "beta").filter(isReady).length === 4));
    assert.equal(activeOn(cluster, "alpha").length, 0);
  });

  it("keeps the objects of its Pods for a minute, then they go", () => {
    const cluster = running();
    cluster.loseNode("alpha");
    cluster.time.pass(20_000);
    assert.equal(cluster.pods().filter((one) => one.spec.nodeName === "alpha").length, 2);
    cluster.time.pass(60_000);
    assert.equal(cluster.pods().filter((one) => one.spec.nodeName === "alpha").length, 0);
    cluster.findNode("alpha");
    cluster.time.pass(3000);
    assert.equal(cluster.agents.get("alpha")?.engine.size, 0, "the agent removes what it has no assignment for");
    assert.deepEqual([readyOf(cluster, "alpha"), taintsOf(cluster, "alpha")], ["True", []]);
  });

  it("and is back before its Pods were moved keeps them, ready as they were", () => {
    const cluster = running();
    const before = activeOn(cluster, "alpha").map((one) => one.metadata.uid);
    cluster.loseNode("alpha");
    cluster.time.pass(7000);
    cluster.findNode("alpha");
    cluster.time.pass(2000);
    assert.deepEqual(
      activeOn(cluster, "alpha").map((one) => one.metadata.uid),
      before,
    );
    assert(activeOn(cluster, "alpha").every(isReady));
    cluster.time.pass(20_000);
    assert.deepEqual(
      activeOn(cluster, "alpha").map((one) => one.metadata.uid),
      before,
    );
  });

  it("together with all others moves nothing, and starts the wait anew when one is back", () => {
    const cluster = running();
    cluster.loseNode("alpha");
    cluster.loseNode("beta");
    cluster.time.pass(60_000);
    assert.deepEqual([readyOf(cluster, "alpha"), readyOf(cluster, "beta")], ["Unknown", "Unknown"]);
    assert.deepEqual(taintsOf(cluster, "alpha"), ["unreachable:NoSchedule"]);
    assert.equal(cluster.pods().filter(isActive).length, 4);
    cluster.findNode("beta");
    cluster.time.pass(4000);
    assert.equal(activeOn(cluster, "alpha").length, 2, "alpha has its time to be heard");
    cluster.time.pass(5000);
    assert.equal(activeOn(cluster, "alpha").length, 0);
    assert.equal(activeOn(cluster, "beta").length, 4);
  });

  it("is given time by a new leader that has not heard of it yet", () => {
    const cluster = running();
    cluster.loseNode("alpha");
    cluster.depose();
    cluster.time.pass(60_000);
    cluster.elect();
    cluster.time.pass(2900);
    assert.equal(readyOf(cluster, "alpha"), "True");
    cluster.time.pass(300);
    assert.equal(readyOf(cluster, "alpha"), "Unknown");
  });

  for (const forgetful of [false, true])
    it(`stays so under a new leader that ${forgetful ? "was told nothing" : "was told how long"}`, () => {
      const cluster = running();
      cluster.loseNode("alpha");
      cluster.time.pass(20_000);
      const before = cluster.get<Node>("/Node", "alpha", "");
      cluster.forgetful = forgetful;
      cluster.elect();
      cluster.time.pass(20_000);
      assert.deepEqual(cluster.get<Node>("/Node", "alpha", ""), before);
    });

  it("keeps a Pod that tolerates it, for as long as it says", () => {
    const tolerant = (tolerationSeconds?: number): Parameters<typeof pod>[1] => ({
      spec: {
        nodeName: "alpha",
        tolerations: [
          {
            key: "node.kubernetes.io/unreachable",
            operator: "Exists",
            effect: "NoExecute",
            ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
          },
        ],
      },
    });
    const cluster = running();
    cluster.create(any(pod("forever", tolerant())));
    cluster.create(any(pod("minute", tolerant(60))));
    cluster.time.pass(2000);
    cluster.loseNode("alpha");
    cluster.time.pass(50_000);
    assert.deepEqual(
      activeOn(cluster, "alpha").map((one) => one.metadata.name),
      ["forever", "minute"],
    );
    cluster.time.pass(20_000);
    assert.deepEqual(
      activeOn(cluster, "alpha").map((one) => one.metadata.name),
      ["forever"],
    );
    cluster.time.pass(200_000);
    const left = cluster.pods().filter((one) => one.spec.nodeName === "alpha");
    assert.deepEqual(
      left.map((one) => one.metadata.name),
      ["forever", "minute"],
      "only a ReplicaSet's Pods are forgotten",
    );
  });
});

describe("a node", () => {
  it("that is deleted takes its Pods with it, and they are replaced", () => {
    const cluster = running();
    cluster.loseNode("alpha");
    cluster.change("/Node", "", "alpha", () => "remove");
    assert(cluster.time.pass(3000, () => activeOn(cluster, "beta").filter(isReady).length === 4));
    assert.equal(cluster.pods().length, 4);
  });

  it("that says it is not ready loses its Pods too", () => {
    const cluster = running();
    cluster.change("/Node", "", "alpha", (live) => {
      const one = live as unknown as Node;
      return any({
        ...one,
        status: { ...one.status, conditions: [{ type: "Ready", status: "False", reason: "EngineDown" }] },
      } as Node);
    });
    cluster.time.pass(500);
    assert.deepEqual(taintsOf(cluster, "alpha"), ["not-ready:NoSchedule", "not-ready:NoExecute"]);
    cluster.time.pass(9000);
    assert.equal(activeOn(cluster, "beta").length, 4);
  });

  it("with a NoExecute taint of a user's loses at once what does not tolerate it", () => {
    const cluster = running({ nodes: [node("alpha"), node("beta")] });
    cluster.change("/Node", "", "alpha", (live) => {
      const one = live as unknown as Node;
      return any({ ...one, spec: { taints: [{ key: "maintenance", effect: "NoExecute" }] } } as Node);
    });
    cluster.time.pass(100);
    assert.equal(activeOn(cluster, "alpha").length, 0);
  });
});

import assert from "node:assert/strict";
import type { DaemonSet } from "../../src/api/kinds/apps.js";
import type { Event, Node, NodeSpec } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { valueAt } from "../../src/api/path.js";
import { failurePauseMs } from "../../src/controllers/daemon-plan.js";
import { daemonSetController } from "../../src/controllers/daemon-set.js";
import { Cluster, type ClusterOptions } from "./cluster.js";
import { acts, decide, worldOf } from "./fixture.js";
import { any, daemonSet, node, pod, template } from "./objects.js";
import { daemonSettled, deletePod, edit, podsOf, revisions, setImage } from "./sets.js";

const brokenNever = (one: Pod): number | undefined =>
  one.spec.containers[0]?.image.includes("broken") === true ? undefined : 200;
const three = (): readonly Node[] => ["alpha", "beta", "gamma"].map((name) => node(name));

function started(set: DaemonSet = daemonSet(), options: ClusterOptions = {}): Cluster {
  const cluster = new Cluster({
    nodes: three(),
    ...options,
    behaviour: { readyAfterMs: brokenNever, ...options.behaviour },
  });
  cluster.elect();
  cluster.create(any(set));
  assert(
    cluster.time.pass(20_000, () => daemonSettled(cluster)),
    "starts",
  );
  return cluster;
}

function statusOf(cluster: Cluster): DaemonSet["status"] {
  return cluster.get<DaemonSet>("apps/DaemonSet", "log")?.status;
}

/** The nodes with a Pod of the set that is not on its way out, sorted. */
function nodesOf(cluster: Cluster): readonly string[] {
  const there = podsOf(cluster, "log").filter((one) => one.metadata.deletionTimestamp === undefined);
  return there.map((one) => one.spec.nodeName ?? "").toSorted();
}

function editNode(cluster: Cluster, name: string, spec: NodeSpec, labels: Readonly<Record<string, string>> = {}): void {
  cluster.change("/Node", "", name, (live) => ({
    ...live,
    metadata: { ...live.metadata, labels: { ...live.metadata.labels, ...labels } },
    spec,
  }));
}

/** The set with more in its Pods' spec. */
function withPodSpec(more: Partial<Pod["spec"]>): DaemonSet {
  return daemonSet({ template: template("log", "log:1", more) });
}

describe("a DaemonSet's nodes", () => {
  it("each gets one Pod, put there by the scheduler through its affinity", () => {
    const cluster = started();
    assert.deepEqual(nodesOf(cluster), ["alpha", "beta", "gamma"]);
    for (const one of podsOf(cluster, "log")) {
      const required = valueAt(one.spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution");
      assert.deepEqual(valueAt(required, "nodeSelectorTerms"), [
        { matchFields: [{ key: "metadata.name", operator: "In", values: [one.spec.nodeName] }] },
      ]);
      assert(one.status?.conditions?.some(({ type }) => type === "PodScheduled"));
    }
    assert.deepEqual(statusOf(cluster), {
      observedGeneration: 1,
      desiredNumberScheduled: 3,
      currentNumberScheduled: 3,
      numberMisscheduled: 0,
      numberReady: 3,
      updatedNumberScheduled: 3,
      numberAvailable: 3,
      numberUnavailable: 0,
      collisionCount: 0,
    });
  });

  it("are those that the selector, the affinity and the name in the template allow", () => {
    const withDisk = (name: string, disk: string): Node => {
      const one = node(name);
      return { ...one, metadata: { ...one.metadata, labels: { ...one.metadata.labels, disk } } };
    };
    const nodes = [withDisk("alpha", "ssd"), withDisk("beta", "hdd"), node("gamma")];
    const term = { matchExpressions: [{ key: "disk", operator: "In" as const, values: ["hdd"] }] };
    const affinity = {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } },
    };
    assert.deepEqual(nodesOf(started(withPodSpec({ nodeSelector: { disk: "ssd" } }), { nodes })), ["alpha"]);
    assert.deepEqual(nodesOf(started(withPodSpec({ affinity }), { nodes })), ["beta"]);
    assert.deepEqual(nodesOf(started(withPodSpec({ nodeName: "gamma" }), { nodes })), ["gamma"]);
  });

  it("are not those with a taint that the template does not tolerate", () => {
    const nodes = [node("alpha"), node("beta", { taints: [{ key: "own", effect: "NoSchedule" }] })];
    assert.deepEqual(nodesOf(started(daemonSet(), { nodes })), ["alpha"]);
    const tolerations = [{ key: "own", operator: "Exists" as const }];
    assert.deepEqual(nodesOf(started(withPodSpec({ tolerations }), { nodes })), ["alpha", "beta"]);
  });

  it("are those that are cordoned or under pressure, and others than unreachable ones keep their Pods", () => {
    const pressed = ["disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"].map((name) => ({
      key: `node.kubernetes.io/${name}`,
      effect: "NoSchedule" as const,
    }));
    const cluster = started(daemonSet(), {
      nodes: [node("alpha", { unschedulable: true, taints: pressed }), node("beta")],
    });
    assert.deepEqual(nodesOf(cluster), ["alpha", "beta"]);
    const [one] = podsOf(cluster, "log");
    assert.deepEqual(
      one?.spec.tolerations?.map(({ key, effect, operator, tolerationSeconds }) => [
        key,
        effect,
        operator,
        tolerationSeconds,
      ]),
      [
        ["node.kubernetes.io/not-ready", "NoExecute", "Exists", undefined],
        ["node.kubernetes.io/unreachable", "NoExecute", "Exists", undefined],
        ["node.kubernetes.io/disk-pressure", "NoSchedule", "Exists", undefined],
        ["node.kubernetes.io/memory-pressure", "NoSchedule", "Exists", undefined],
        ["node.kubernetes.io/pid-pressure", "NoSchedule", "Exists", undefined],
        ["node.kubernetes.io/unschedulable", "NoSchedule", "Exists", undefined],
      ],
    );
  });

  it("with the machine's network tolerate that it is not there yet", () => {
    const set = withPodSpec({ hostNetwork: true });
    const labels = { "pod-security.kubernetes.io/enforce": "privileged" };
    const open = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default", resourceVersion: "1", labels } };
    const made = decide(daemonSetController, set, worldOf([set, node("alpha"), open])).changes?.creates;
    const tolerations = made?.flatMap((one) => (one as unknown as Pod).spec?.tolerations ?? []) ?? [];
    assert(tolerations.some(({ key }) => key === "node.kubernetes.io/network-unavailable"));
  });

  it("join: a new one gets its Pod", () => {
    const cluster = started();
    cluster.addNode(node("delta"));
    cluster.time.pass(10);
    assert(cluster.time.pass(5000, () => daemonSettled(cluster)));
    assert.deepEqual(nodesOf(cluster), ["alpha", "beta", "delta", "gamma"]);
  });

  it("leave: the Pods of one that is removed go, bound or not", () => {
    const set = withPodSpec({ containers: [{ name: "main", image: "log:1", resources: { requests: { cpu: "64" } } }] });
    const nodes = [node("alpha"), node("beta", {}, { cpu: "100" })];
    const cluster = new Cluster({ nodes });
    cluster.elect();
    cluster.create(any(set));
    cluster.time.pass(3000);
    assert.equal(podsOf(cluster, "log").length, 2, "one waits for room");
    for (const name of ["alpha", "beta"]) cluster.change("/Node", "", name, () => "remove");
    cluster.time.pass(3000);
    assert.deepEqual(podsOf(cluster, "log"), []);
  });

  it("that stop fitting lose theirs, and get it back", () => {
    const nodes = [node("alpha")];
    const cluster = started(withPodSpec({ nodeSelector: { "kubernetes.io/hostname": "alpha" } }), { nodes });
    editNode(cluster, "alpha", {}, { "kubernetes.io/hostname": "other" });
    cluster.time.pass(1000);
    assert.deepEqual(podsOf(cluster, "log"), []);
    editNode(cluster, "alpha", {}, { "kubernetes.io/hostname": "alpha" });
    cluster.time.pass(1000);
    assert.deepEqual(nodesOf(cluster), ["alpha"]);
  });

  it("that get a taint without effect on what runs keep theirs, as misscheduled", () => {
    const cluster = started();
    editNode(cluster, "beta", { taints: [{ key: "own", effect: "NoSchedule" }] });
    cluster.time.pass(1000);
    assert.deepEqual(nodesOf(cluster), ["alpha", "beta", "gamma"]);
    const { desiredNumberScheduled, numberMisscheduled } = statusOf(cluster)!;
    assert.deepEqual([desiredNumberScheduled, numberMisscheduled], [2, 1]);
    editNode(cluster, "beta", { taints: [{ key: "own", effect: "NoExecute" }] });
    cluster.time.pass(1000);
    assert.deepEqual(nodesOf(cluster), ["alpha", "gamma"]);
  });

  it("that fall silent keep theirs", () => {
    const cluster = started();
    cluster.time.pass(10_000);
    const before = podsOf(cluster, "log").map((one) => one.metadata.uid);
    cluster.loseNode("beta");
    cluster.time.pass(120_000);
    cluster.findNode("beta");
    cluster.time.pass(10_000);
    assert.deepEqual(
      podsOf(cluster, "log").map((one) => one.metadata.uid),
      before,
    );
    assert(daemonSettled(cluster));
  });

  it("with more than one Pod keep the oldest", () => {
    const set = daemonSet();
    const owner = {
      ownerReferences: [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "log", uid: "uid-log", controller: true }],
    };
    const on = (name: string, creationTimestamp: string): Pod =>
      pod(name, { spec: { nodeName: "alpha" }, metadata: { ...owner, labels: { app: "log" }, creationTimestamp } });
    const pods = [on("log-a", "2026-01-01T00:00:09Z"), on("log-b", "2026-01-01T00:00:01Z")];
    const did = acts(decide(daemonSetController, set, worldOf([set, node("alpha"), ...pods])));
    assert(did.includes("delete Pod log-a") && !did.includes("delete Pod log-b"), did.join());
  });
});

describe("a failed Pod of a DaemonSet", () => {
  it("is replaced, each time after a longer pause, and told of", () => {
    const cluster = started(daemonSet(), { nodes: [node("alpha")] });
    const madeAt: number[] = [];
    for (let failure = 0; failure < 5; failure += 1) {
      const [one] = podsOf(cluster, "log");
      cluster.agents.get("alpha")?.end(one?.metadata.uid ?? "");
      assert(cluster.time.pass(60_000, () => podsOf(cluster, "log")[0]?.metadata.uid !== one?.metadata.uid));
      madeAt.push(cluster.time.monotonic());
      assert(cluster.time.pass(5000, () => cluster.agents.get("alpha")!.engine.size === 1));
    }
    const pauses = madeAt.slice(1).map((at, index) => at - madeAt[index]!);
    for (const [at, pause] of pauses.entries())
      assert(pause >= failurePauseMs(at + 1) - 1000 && pause < failurePauseMs(at + 1) + 1500, `${pauses.join()} ms`);
    const event = cluster
      .snapshot()
      .list<Event>("/Event")
      .find(({ reason }) => reason === "FailedDaemonPod");
    assert.match(event?.message ?? "", /Found failed daemon pod default\/log-\w+ on node alpha, will try to kill it/);
  });

  it("waits from one second to 15 minutes", () => {
    const pauses = [0, 1, 2, 3, 10, 11, 50].map((failures) => failurePauseMs(failures) / 1000);
    assert.deepEqual(pauses, [0, 1, 2, 4, 512, 900, 900]);
  });
});

describe("an update of a DaemonSet", () => {
  const unready = (cluster: Cluster): number =>
    3 -
    podsOf(cluster, "log").filter(
      (one) =>
        one.metadata.deletionTimestamp === undefined &&
        one.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
    ).length;

  it("replaces maxUnavailable Pods at a time, the old one before the new one", () => {
    for (const maxUnavailable of [1, 2]) {
      const cluster = started(
        daemonSet({ updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable } } }),
      );
      let most = 0;
      cluster.onEntry = () => {
        most = Math.max(most, unready(cluster));
        for (const agent of cluster.agents.values()) assert(agent.engine.size <= 1, "two on one node");
      };
      setImage(cluster, "DaemonSet", "log", "log:2");
      cluster.time.pass(10);
      assert(cluster.time.pass(20_000, () => daemonSettled(cluster)));
      assert.equal(most, maxUnavailable);
    }
  });

  it("brings with maxSurge the new one beside the old one, and takes that away when the new one is available", () => {
    const rollingUpdate = { maxSurge: 1, maxUnavailable: 0 };
    const cluster = started(
      daemonSet({ minReadySeconds: 2, updateStrategy: { type: "RollingUpdate", rollingUpdate } }),
    );
    let most = 0;
    cluster.onEntry = () => {
      assert.equal(new Set(nodesOf(cluster)).size >= 3, true);
      assert(unready(cluster) <= 0, "every node has a ready one");
      most = Math.max(
        most,
        podsOf(cluster, "log").filter((one) => one.metadata.deletionTimestamp === undefined).length,
      );
    };
    setImage(cluster, "DaemonSet", "log", "log:2");
    cluster.time.pass(10);
    assert(cluster.time.pass(30_000, () => daemonSettled(cluster)));
    assert.equal(most, 4);
  });

  it("waits with OnDelete until somebody deletes a Pod", () => {
    const cluster = started(daemonSet({ updateStrategy: { type: "OnDelete" } }));
    setImage(cluster, "DaemonSet", "log", "log:2");
    cluster.time.pass(5000);
    assert.equal(statusOf(cluster)?.updatedNumberScheduled, 0);
    deletePod(cluster, podsOf(cluster, "log")[0]!.metadata.name);
    cluster.time.pass(5000);
    assert.equal(statusOf(cluster)?.updatedNumberScheduled, 1);
  });

  it("that never gets ready stops at maxUnavailable, and the next one goes on from there", () => {
    const cluster = started();
    setImage(cluster, "DaemonSet", "log", "log:broken");
    cluster.time.pass(20_000);
    assert.equal(statusOf(cluster)?.numberUnavailable, 1);
    setImage(cluster, "DaemonSet", "log", "log:3");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => daemonSettled(cluster)));
  });

  it("is not held up by a silent node, which follows when it is back", () => {
    const cluster = started();
    cluster.time.pass(10_000);
    cluster.loseNode("beta");
    cluster.time.pass(10_000);
    setImage(cluster, "DaemonSet", "log", "log:2");
    cluster.time.pass(10_000);
    const { updatedNumberScheduled, desiredNumberScheduled } = statusOf(cluster)!;
    assert.deepEqual([updatedNumberScheduled, desiredNumberScheduled], [2, 2]);
    cluster.findNode("beta");
    assert(cluster.time.pass(20_000, () => daemonSettled(cluster)));
    assert.deepEqual(nodesOf(cluster), ["alpha", "beta", "gamma"]);
  });

  it("counts availability from minReadySeconds", () => {
    const cluster = started(daemonSet({ minReadySeconds: 3 }));
    const before = cluster.time.monotonic();
    setImage(cluster, "DaemonSet", "log", "log:2");
    cluster.time.pass(10);
    assert(cluster.time.pass(60_000, () => daemonSettled(cluster)));
    // Three nodes, one after the other; times in statuses are whole seconds.
    assert(cluster.time.monotonic() - before > 6000);
  });
});

describe("revisions of a DaemonSet", () => {
  it("keep its templates, up to the limit", () => {
    const cluster = started(daemonSet({ revisionHistoryLimit: 1 }));
    for (const version of [2, 3, 4]) {
      setImage(cluster, "DaemonSet", "log", `log:${version}`);
      cluster.time.pass(10);
      assert(cluster.time.pass(20_000, () => daemonSettled(cluster)));
    }
    const kept = revisions(cluster, "log");
    assert.deepEqual(
      kept.map(({ revision }) => revision),
      [3, 4],
    );
    const label = kept[1]?.metadata.labels?.["controller-revision-hash"];
    assert.equal(kept[1]?.metadata.name, `log-${label}`);
    for (const one of podsOf(cluster, "log")) assert.equal(one.metadata.labels?.["controller-revision-hash"], label);
    assert.equal(valueAt(kept[1]?.data, "spec", "template", "$patch"), "replace");
  });
});

describe("a DaemonSet that goes", () => {
  it("makes no Pod any more, and its Pods follow", () => {
    const cluster = started();
    cluster.change("apps/DaemonSet", "default", "log", () => "remove");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => podsOf(cluster, "log").length === 0));
  });

  it("adopts Pods that match, and releases those that do not", () => {
    const cluster = started(daemonSet(), { nodes: [node("alpha")] });
    const [one] = podsOf(cluster, "log");
    cluster.change("/Pod", "default", one?.metadata.name ?? "", (live) => ({
      ...live,
      metadata: { ...live.metadata, labels: { app: "other" } },
    }));
    cluster.time.pass(3000);
    assert.equal(podsOf(cluster, "log").length, 1);
    assert.equal(cluster.pods().length, 2, "the released one runs on");
    edit<DaemonSet>(cluster, "DaemonSet", "log", () => ({ minReadySeconds: 0 }));
    cluster.change("/Pod", "default", one?.metadata.name ?? "", (live) => ({
      ...live,
      metadata: { ...live.metadata, labels: { ...one?.metadata.labels } },
    }));
    cluster.time.pass(10);
    assert(
      cluster.time.pass(5000, () => cluster.pods().length === 1),
      "adopted again, it is one too many",
    );
  });
});

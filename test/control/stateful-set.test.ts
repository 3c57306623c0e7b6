import assert from "node:assert/strict";
import type { StatefulSet } from "../../src/api/kinds/apps.js";
import type { Event } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { statefulSetController, waitsAnnotation } from "../../src/controllers/stateful-set.js";
import { Cluster, type ClusterOptions } from "./cluster.js";
import { acts, decide, worldOf } from "./fixture.js";
import { any, pod, readyStatus, statefulSet, template } from "./objects.js";
import { deletePod, edit, podsOf, revisions, setImage, shown, statefulSettled } from "./sets.js";

const brokenNever = (one: Pod): number | undefined =>
  one.spec.containers[0]?.image.includes("broken") === true ? undefined : 200;

function started(set: StatefulSet = statefulSet(), options: ClusterOptions = {}): Cluster {
  const cluster = new Cluster({ ...options, behaviour: { readyAfterMs: brokenNever, ...options.behaviour } });
  cluster.elect();
  cluster.create(any(set));
  assert(
    cluster.time.pass(20_000, () => statefulSettled(cluster)),
    "starts",
  );
  return cluster;
}

function statusOf(cluster: Cluster): StatefulSet["status"] {
  return cluster.get<StatefulSet>("apps/StatefulSet", "db")?.status;
}

/** Every state of the Pods that was ever seen, from now on. */
function watchPods(cluster: Cluster): readonly (readonly string[])[] {
  const seen: (readonly string[])[] = [];
  cluster.onEntry = () => {
    const now = shown(cluster, "db");
    if (seen.at(-1)?.join() !== now.join()) seen.push(now);
  };
  return seen;
}

/** Each state in short: what has changed is told by how many are there, ready and going. */
const names = (state: readonly string[]): string => state.map((line) => line.split(" ")[0]).join(" ");

describe("a StatefulSet in order", () => {
  it("gives its Pods names, labels, host names and the subdomain of its Service", () => {
    const cluster = started(statefulSet({ serviceName: "dbs" }));
    const first = cluster.get<Pod>("/Pod", "db-0");
    assert.deepEqual(first?.metadata.labels, {
      app: "db",
      "statefulset.kubernetes.io/pod-name": "db-0",
      "apps.kubernetes.io/pod-index": "0",
      "controller-revision-hash": statusOf(cluster)?.updateRevision,
    });
    assert.deepEqual([first?.spec.hostname, first?.spec.subdomain], ["db-0", "dbs"]);
    assert.deepEqual(shown(cluster, "db"), ["db-0 db:1 ready", "db-1 db:1 ready", "db-2 db:1 ready"]);
  });

  it("makes the next Pod when those before it are available", () => {
    const cluster = new Cluster();
    const seen = watchPods(cluster);
    cluster.elect();
    cluster.create(any(statefulSet({ minReadySeconds: 2 })));
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    for (const state of seen)
      assert(
        state.slice(0, -1).every((line) => line.endsWith("ready")),
        state.join(),
      );
    assert(cluster.time.monotonic() > 3 * 2000, "minReadySeconds of each");
    const created = podsOf(cluster, "db").map((one) => Date.parse(one.metadata.creationTimestamp ?? ""));
    assert(created[1]! - created[0]! >= 2000 && created[2]! - created[1]! >= 2000);
  });

  it("counts from ordinals.start", () => {
    const cluster = started(statefulSet({ replicas: 2, ordinals: { start: 5 } }));
    assert.equal(names(shown(cluster, "db")), "db-5 db-6");
  });

  it("moves to other ordinals by making the new ones first, as Kubernetes does", () => {
    const cluster = started(statefulSet({ replicas: 2 }));
    edit<StatefulSet>(cluster, "StatefulSet", "db", () => ({ ordinals: { start: 1 } }));
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    assert.equal(names(shown(cluster, "db")), "db-1 db-2");
  });

  it("scales down from the highest ordinal, one after the other", () => {
    const cluster = started();
    const seen = watchPods(cluster);
    edit<StatefulSet>(cluster, "StatefulSet", "db", () => ({ replicas: 1 }));
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    assert.deepEqual([...new Set(seen.map(names))], ["db-0 db-1 db-2", "db-0 db-1", "db-0"]);
    for (const state of seen) assert(state.filter((line) => line.endsWith("going")).length <= 1, state.join());
  });

  it("scales down only while those that stay are healthy", () => {
    const cluster = started();
    const first = cluster.get<Pod>("/Pod", "db-0");
    const agent = cluster.agents.get(first?.spec.nodeName ?? "");
    agent?.report(first?.metadata.uid ?? "", (now) => readyStatus(now, false));
    cluster.time.pass(50);
    edit<StatefulSet>(cluster, "StatefulSet", "db", () => ({ replicas: 1 }));
    cluster.time.pass(5000);
    assert.equal(names(shown(cluster, "db")), "db-0 db-1 db-2");
    agent?.report(first?.metadata.uid ?? "", (now) => readyStatus(now));
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
  });

  it("scales down past a Pod that is itself the first that is not healthy", () => {
    const cluster = started();
    const last = cluster.get<Pod>("/Pod", "db-2");
    const agent = cluster.agents.get(last?.spec.nodeName ?? "");
    agent?.report(last?.metadata.uid ?? "", (now) => readyStatus(now, false));
    cluster.time.pass(50);
    edit<StatefulSet>(cluster, "StatefulSet", "db", () => ({ replicas: 2 }));
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
  });

  it("makes a deleted Pod again under its name, and not before the old one is confirmed to be gone", () => {
    const cluster = started(statefulSet(), { behaviour: { stopAfterMs: () => 3000 } });
    const before = cluster.get<Pod>("/Pod", "db-1")?.metadata.uid;
    deletePod(cluster, "db-1");
    cluster.time.pass(2900);
    assert.equal(cluster.get<Pod>("/Pod", "db-1")?.metadata.uid, before);
    cluster.time.pass(1000);
    const after = cluster.get<Pod>("/Pod", "db-1");
    assert(after !== undefined && after.metadata.uid !== before);
  });

  it("replaces Pods that failed or succeeded, but not again and again", () => {
    const cluster = started();
    for (const phase of ["Failed", "Succeeded"] as const) {
      const old = cluster.get<Pod>("/Pod", "db-1");
      cluster.time.pass(11_000);
      cluster.agents.get(old?.spec.nodeName ?? "")?.report(old?.metadata.uid ?? "", () => ({ phase }));
      cluster.time.pass(10);
      assert(
        cluster.time.pass(5000, () => statefulSettled(cluster)),
        phase,
      );
      assert.notEqual(cluster.get<Pod>("/Pod", "db-1")?.metadata.uid, old?.metadata.uid);
    }
    const young = cluster.get<Pod>("/Pod", "db-1");
    cluster.agents.get(young?.spec.nodeName ?? "")?.report(young?.metadata.uid ?? "", () => ({ phase: "Failed" }));
    cluster.time.pass(5000);
    assert.equal(cluster.get<Pod>("/Pod", "db-1")?.metadata.uid, young?.metadata.uid, "ten seconds after its making");
    cluster.time.pass(6000);
    assert.notEqual(cluster.get<Pod>("/Pod", "db-1")?.metadata.uid, young?.metadata.uid);
  });

  it("tells its counts", () => {
    const cluster = started();
    const { conditions: _none, ...status } = statusOf(cluster) ?? { replicas: 0 };
    const [revision] = revisions(cluster, "db");
    assert.deepEqual(status, {
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      currentReplicas: 3,
      updatedReplicas: 3,
      currentRevision: revision?.metadata.name,
      updateRevision: revision?.metadata.name,
      collisionCount: 0,
    });
  });
});

describe("a StatefulSet in parallel", () => {
  it("makes all Pods at once, and takes them away at once", () => {
    const cluster = new Cluster();
    const seen = watchPods(cluster);
    cluster.elect();
    cluster.create(any(statefulSet({ podManagementPolicy: "Parallel" })));
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    assert.deepEqual([...new Set(seen.map(names))], ["", "db-0 db-1 db-2"]);
    edit<StatefulSet>(cluster, "StatefulSet", "db", () => ({ replicas: 1 }));
    cluster.time.pass(20);
    assert.deepEqual(shown(cluster, "db"), ["db-0 db:1 ready", "db-1 db:1 going", "db-2 db:1 going"]);
  });

  it("updates one Pod after the other all the same", () => {
    const cluster = started(statefulSet({ podManagementPolicy: "Parallel" }));
    const seen = watchPods(cluster);
    setImage(cluster, "StatefulSet", "db", "db:2");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    for (const state of seen) assert(state.filter((line) => line.endsWith("ready")).length >= 2, state.join());
  });
});

describe("an update of a StatefulSet", () => {
  it("goes from the highest ordinal down, one by one, each when the one before is available", () => {
    const cluster = started();
    const seen = watchPods(cluster);
    setImage(cluster, "StatefulSet", "db", "db:2");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    for (const state of seen) assert(state.filter((line) => line.endsWith("ready")).length >= 2, state.join());
    const order = seen.flatMap((state) =>
      state.filter((line) => line.includes("db:2")).map((line) => line.split(" ")[0]),
    );
    assert.deepEqual([...new Set(order)], ["db-2", "db-1", "db-0"]);
    assert.equal(statusOf(cluster)?.currentRevision, revisions(cluster, "db").at(-1)?.metadata.name);
  });

  it("leaves Pods below the partition, and makes them of the old template when they go", () => {
    const cluster = started();
    edit<StatefulSet>(cluster, "StatefulSet", "db", () => ({
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 2 } },
    }));
    cluster.time.pass(10);
    setImage(cluster, "StatefulSet", "db", "db:2");
    cluster.time.pass(5000);
    assert.deepEqual(shown(cluster, "db"), ["db-0 db:1 ready", "db-1 db:1 ready", "db-2 db:2 ready"]);
    deletePod(cluster, "db-0");
    deletePod(cluster, "db-2");
    cluster.time.pass(5000);
    assert.deepEqual(shown(cluster, "db"), ["db-0 db:1 ready", "db-1 db:1 ready", "db-2 db:2 ready"]);
    const status = statusOf(cluster);
    assert.deepEqual([status?.currentReplicas, status?.updatedReplicas], [2, 1]);
    assert.notEqual(status?.currentRevision, status?.updateRevision);
  });

  it("replaces maxUnavailable Pods at a time", () => {
    const cluster = started(
      statefulSet({
        replicas: 5,
        podManagementPolicy: "Parallel",
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "50%" } },
      }),
    );
    const seen = watchPods(cluster);
    setImage(cluster, "StatefulSet", "db", "db:2");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    const fewest = Math.min(...seen.map((state) => state.filter((line) => line.endsWith("ready")).length));
    assert.equal(fewest, 3);
  });

  it("waits with OnDelete until somebody deletes a Pod", () => {
    const cluster = started(statefulSet({ updateStrategy: { type: "OnDelete" } }));
    setImage(cluster, "StatefulSet", "db", "db:2");
    cluster.time.pass(5000);
    assert.deepEqual(shown(cluster, "db"), ["db-0 db:1 ready", "db-1 db:1 ready", "db-2 db:1 ready"]);
    deletePod(cluster, "db-1");
    cluster.time.pass(5000);
    assert.deepEqual(shown(cluster, "db"), ["db-0 db:1 ready", "db-1 db:2 ready", "db-2 db:1 ready"]);
  });

  it("comes after scaling", () => {
    const cluster = started();
    edit<StatefulSet>(cluster, "StatefulSet", "db", ({ template }) => ({
      replicas: 5,
      template: { ...template, spec: { ...template.spec, containers: [{ name: "main", image: "db:2" }] } },
    }));
    cluster.time.pass(300);
    assert.deepEqual(shown(cluster, "db").slice(0, 3), ["db-0 db:1 ready", "db-1 db:1 ready", "db-2 db:1 ready"]);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
  });

  it("goes on past a template that never became ready, when the next one comes", () => {
    const cluster = started();
    setImage(cluster, "StatefulSet", "db", "db:broken");
    cluster.time.pass(5000);
    assert.deepEqual(shown(cluster, "db"), ["db-0 db:1 ready", "db-1 db:1 ready", "db-2 db:broken"]);
    const seen = watchPods(cluster);
    setImage(cluster, "StatefulSet", "db", "db:3");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    assert.deepEqual(shown(cluster, "db"), ["db-0 db:3 ready", "db-1 db:3 ready", "db-2 db:3 ready"]);
    for (const state of seen) assert(state.filter((line) => line.endsWith("ready")).length >= 2, state.join());
    const told = cluster
      .snapshot()
      .list<Event>("/Event")
      .map(({ reason }) => reason);
    assert(told.includes("UnreadyRevisionSkipped"));
  });

  it("goes back from a template that never became ready", () => {
    const cluster = started();
    setImage(cluster, "StatefulSet", "db", "db:broken");
    cluster.time.pass(5000);
    setImage(cluster, "StatefulSet", "db", "db:1");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    assert.deepEqual(
      revisions(cluster, "db").map(({ revision }) => revision),
      [2, 3],
      "the first is the newest again",
    );
  });

  it("goes on past a first template that never became ready", () => {
    const cluster = new Cluster({ behaviour: { readyAfterMs: brokenNever } });
    cluster.elect();
    cluster.create(any(statefulSet({ template: template("db", "db:broken") })));
    cluster.time.pass(5000);
    assert.deepEqual(shown(cluster, "db"), ["db-0 db:broken"]);
    setImage(cluster, "StatefulSet", "db", "db:2");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
  });

  it("waits for such a Pod as Kubernetes does, when the set's annotation says so", () => {
    const cluster = started(statefulSet({}, { annotations: { [waitsAnnotation]: "true" } }));
    setImage(cluster, "StatefulSet", "db", "db:broken");
    cluster.time.pass(5000);
    setImage(cluster, "StatefulSet", "db", "db:3");
    cluster.time.pass(30_000);
    assert.deepEqual(shown(cluster, "db"), ["db-0 db:1 ready", "db-1 db:1 ready", "db-2 db:broken"]);
    deletePod(cluster, "db-2");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
  });

  it("waits for a Pod whose template was ready before, though it is not now", () => {
    const cluster = started(statefulSet({ replicas: 1 }));
    const first = cluster.get<Pod>("/Pod", "db-0");
    const agent = cluster.agents.get(first?.spec.nodeName ?? "");
    agent?.report(first?.metadata.uid ?? "", (now) => readyStatus(now, false));
    cluster.time.pass(50);
    setImage(cluster, "StatefulSet", "db", "db:2");
    cluster.time.pass(20_000);
    assert.equal(cluster.get<Pod>("/Pod", "db-0")?.metadata.uid, first?.metadata.uid);
    const crashing = { name: "main", image: "", imageID: "", ready: false, restartCount: 3 };
    const state = { waiting: { reason: "CrashLoopBackOff" } };
    agent?.report(first?.metadata.uid ?? "", (now) => ({
      ...readyStatus(now, false),
      containerStatuses: [{ ...crashing, state }],
    }));
    cluster.time.pass(10);
    assert(
      cluster.time.pass(20_000, () => statefulSettled(cluster)),
      "one that keeps crashing is replaced",
    );
  });
});

describe("revisions of a StatefulSet", () => {
  it("are kept up to the limit, those in use beside them", () => {
    const cluster = started(statefulSet({ revisionHistoryLimit: 2 }));
    for (const version of [2, 3, 4, 5]) {
      setImage(cluster, "StatefulSet", "db", `db:${version}`);
      cluster.time.pass(10);
      assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    }
    assert.deepEqual(
      revisions(cluster, "db").map(({ revision }) => revision),
      [3, 4, 5],
    );
    assert.equal(cluster.get<StatefulSet>("apps/StatefulSet", "db")?.metadata.annotations?.["ikada.dev/revision"], "5");
  });

  it("get another name when theirs is taken", () => {
    const cluster = started();
    const [mine] = revisions(cluster, "db");
    assert(mine);
    const { metadata: set } = cluster.get<StatefulSet>("apps/StatefulSet", "db") ?? statefulSet();
    const stranger = {
      ...mine,
      metadata: { name: mine.metadata.name, namespace: "default", uid: "stranger" },
      data: {},
    };
    const world = worldOf([
      statefulSet({}, { uid: set.uid ?? "" }),
      { ...stranger, metadata: { ...stranger.metadata, resourceVersion: "1" } },
    ]);
    const decision = decide(statefulSetController, statefulSet(), world);
    assert.deepEqual(acts(decision), ["update StatefulSet db"]);
    const [counted] = decision.changes?.updates ?? [];
    assert.equal((counted as unknown as StatefulSet).status?.collisionCount, 1);
  });
});

describe("who belongs to a StatefulSet", () => {
  it("Pods that match by labels and name are adopted, relabelled and updated; others of its labels are not", () => {
    const orphan = pod("db-1", { metadata: { labels: { app: "db" } } });
    const misnamed = pod("db-x", { metadata: { labels: { app: "db" } } });
    const other = pod("dbx-1", { metadata: { labels: { app: "db" } } });
    const set = statefulSet();
    assert.deepEqual(acts(decide(statefulSetController, set, worldOf([set, orphan, misnamed, other]))), [
      "update Pod db-1",
    ]);
    const cluster = started(statefulSet({ replicas: 1 }));
    const labels = { app: "db" };
    cluster.create(any(pod("db-1", { metadata: { labels, uid: "orphan" }, spec: { nodeName: "alpha" } })));
    edit<StatefulSet>(cluster, "StatefulSet", "db", () => ({ replicas: 2 }));
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    assert.equal(names(shown(cluster, "db")), "db-0 db-1");
  });

  it("a Pod whose labels stop matching is released, and its name is waited for", () => {
    const cluster = started();
    cluster.change("/Pod", "default", "db-1", (live) => ({
      ...live,
      metadata: { ...live.metadata, labels: { app: "other" } },
    }));
    cluster.time.pass(2000);
    assert.equal(names(shown(cluster, "db")), "db-0 db-2");
    const failure = statusOf(cluster)?.conditions?.find(({ type }) => type === "ReplicaFailure");
    assert.match(failure?.message ?? "", /pods "db-1" already exists and is not of this StatefulSet/);
    deletePod(cluster, "db-1");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => statefulSettled(cluster)));
    assert.deepEqual(statusOf(cluster)?.conditions, []);
  });
});

describe("a StatefulSet and a lost node", () => {
  it("no second Pod of an ordinal is made while nobody has confirmed the end of the first", () => {
    const cluster = started(statefulSet({ replicas: 2 }));
    cluster.time.pass(10_000);
    const victim = podsOf(cluster, "db")[1];
    const node = victim?.spec.nodeName ?? "";
    cluster.loseNode(node);
    cluster.time.pass(300_000);
    const there = cluster.get<Pod>("/Pod", "db-1");
    assert.equal(there?.metadata.uid, victim?.metadata.uid);
    assert(there?.metadata.deletionTimestamp !== undefined, "it is evicted");
    cluster.findNode(node);
    assert(
      cluster.time.pass(30_000, () => statefulSettled(cluster)),
      "and made anew when its node has confirmed",
    );
    assert.notEqual(cluster.get<Pod>("/Pod", "db-1")?.metadata.uid, victim?.metadata.uid);
  });
});

describe("a StatefulSet that goes", () => {
  it("makes no Pod any more, and its Pods and revisions follow", () => {
    const cluster = started();
    cluster.change("apps/StatefulSet", "default", "db", () => "remove");
    cluster.time.pass(10);
    assert(cluster.time.pass(20_000, () => podsOf(cluster, "db").length + revisions(cluster, "db").length === 0));
  });
});

import assert from "node:assert/strict";
import { ensureBusyboxImage } from "../../deploy/local/busybox-image.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { Harness } from "./harness.js";

const image = "ikada-test/e2e:1";
const namespace = "default";

/** Containers that do nothing, are ready a moment after their start, and end at once when asked to. */
function specOf(app: string, greeting: string) {
  return {
    selector: { matchLabels: { app } },
    template: {
      metadata: { labels: { app } },
      spec: {
        terminationGracePeriodSeconds: 2,
        containers: [
          {
            name: "main",
            image,
            command: ["/bin/sh", "-c"],
            args: ['echo "$GREETING"; trap "exit 0" TERM; while true; do sleep 0.1; done'],
            env: [{ name: "GREETING", value: greeting }],
            readinessProbe: { exec: { command: ["/bin/true"] }, periodSeconds: 1 },
          },
        ],
      },
    },
  };
}

const db = (replicas: number, greeting: string) => ({
  metadata: { name: "db", namespace },
  spec: { replicas, serviceName: "db", ...specOf("db", greeting) },
});
const log = (greeting: string) => ({ metadata: { name: "log", namespace }, spec: specOf("log", greeting) });

/** A real server, real agents, a real engine. The tests build on each other. */
describe("sets on two nodes of a real engine", () => {
  let cluster: Harness;

  before(async function () {
    this.timeout(300_000);
    cluster = await Harness.start({ servers: 1, agents: 2, runtime: "docker" });
    await ensureBusyboxImage(cluster.docker, image);
    await cluster.eventually("two ready nodes", async () => {
      const nodes = await cluster.list<Pod>("nodes");
      return nodes.filter(({ status }) => status?.conditions?.some(isReady)).length === 2;
    });
  });

  after(async function () {
    this.timeout(300_000);
    await cluster?.close();
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs());
  });

  const isReady = (one: { readonly type: string; readonly status: string }): boolean =>
    one.type === "Ready" && one.status === "True";

  function pods(app: string): Promise<Pod[]> {
    return cluster.list<Pod>("pods", { namespace, labelSelector: `app=${app}` });
  }

  /** How many containers of Pods with this name the engine runs, sandboxes aside. */
  async function running(podName: string): Promise<number> {
    const label = [`ikada.cluster=${cluster.cluster.clusterId}`, `ikada.pod-name=${podName}`, "ikada.role=container"];
    return (await cluster.docker.listContainers({ filters: { label } })).length;
  }

  async function succeeds(...words: string[]): Promise<string> {
    const run = await cluster.ikada(...words);
    assert.equal(run.code, 0, `ikada ${words.join(" ")}: ${run.stderr}`);
    return run.stdout;
  }

  it("starts a StatefulSet in order", async function () {
    this.timeout(300_000);
    const story: string[] = [];
    const done = new AbortController();
    const watching = (async () => {
      for await (const event of cluster.client.pods.watch({ namespace, signal: done.signal })) {
        if (event.type === "BOOKMARK") continue;
        const { metadata, status } = event.object;
        for (const line of [
          `${metadata.name} made`,
          ...(status?.conditions?.some(isReady) ? [`${metadata.name} ready`] : []),
        ])
          if (!story.includes(line)) story.push(line);
      }
    })().catch((caught: unknown) => {
      if (!done.signal.aborted) throw caught;
    });
    await cluster.client.statefulSets.apply(db(3, "first"));
    assert.match(await succeeds("rollout", "status", "statefulset/db"), /rolling update complete 3 pods/);
    await cluster.eventually("all of the story", () => Promise.resolve(story.length === 6));
    done.abort();
    await watching;
    assert.deepEqual(
      story,
      ["db-0", "db-1", "db-2"].flatMap((name) => [`${name} made`, `${name} ready`]),
    );
    assert.match(await succeeds("get", "statefulsets"), /db +\d\/3/);
  });

  it("makes a deleted Pod again under its name", async function () {
    this.timeout(300_000);
    const before = (await pods("db"))[1]!.metadata.uid;
    let most = 0;
    await cluster.client.pods.delete("db-1", { namespace });
    await cluster.eventually("the next db-1", async () => {
      most = Math.max(most, await running("db-1"));
      const next = (await pods("db")).find(({ metadata }) => metadata.name === "db-1");
      return next !== undefined && next.metadata.uid !== before && next.status?.conditions?.some(isReady) === true;
    });
    assert.equal(await running("db-1"), 1);
    assert.equal(most, 1, "never two of one name");
  });

  it("updates it from the highest ordinal down, and takes that back", async function () {
    this.timeout(300_000);
    await cluster.client.statefulSets.apply(db(3, "second"));
    await succeeds("rollout", "status", "statefulset/db");
    const madeAt = (await pods("db")).map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? ""));
    assert.ok(madeAt[2]! <= madeAt[1]! && madeAt[1]! <= madeAt[0]!);
    assert.match(await succeeds("rollout", "history", "statefulset/db"), /^1 .*\n2 /m);
    await succeeds("rollout", "undo", "statefulset/db");
    const undone = await cluster.client.statefulSets.get("db", { namespace });
    assert.equal(undone.spec.template.spec.containers[0]?.env?.[0]?.value, "first");
    await succeeds("scale", "statefulset/db", "--replicas", "1");
    await cluster.eventually("db-0 alone", async () => (await pods("db")).length === 1);
    assert.match(await succeeds("describe", "statefulset", "db"), /Replicas: +1 desired \|/);
  });

  it("runs a DaemonSet's Pod on each node, on a cordoned one too, and updates them", async function () {
    this.timeout(300_000);
    await cluster.client.patch("nodes", "node-2", { spec: { unschedulable: true } });
    await cluster.client.daemonSets.apply(log("first"));
    assert.match(await succeeds("rollout", "status", "daemonset/log"), /successfully rolled out/);
    const before = await pods("log");
    assert.deepEqual(new Set(before.map(({ spec }) => spec.nodeName)), new Set(["node-1", "node-2"]));
    await succeeds("rollout", "restart", "daemonset/log");
    await succeeds("rollout", "status", "daemonset/log");
    const after = await pods("log");
    assert.equal(after.length, 2);
    for (const { metadata } of after) assert.ok(before.every((old) => old.metadata.uid !== metadata.uid));
    assert.match(await succeeds("get", "daemonsets"), /log +2 +2 +\d +2 /);
  });

  it("takes their Pods and revisions away with them", async function () {
    this.timeout(300_000);
    await succeeds("delete", "statefulset/db", "daemonset/log");
    await cluster.eventually("nothing left", async () => {
      const left = [await pods("db"), await pods("log"), await cluster.list("controllerrevisions", { namespace })];
      return left.every((list) => list.length === 0);
    });
  });
});

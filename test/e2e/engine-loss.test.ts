import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureBusyboxImage } from "../../deploy/local/busybox-image.js";
import type { Node } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { Harness } from "./harness.js";
import { OwnEngine } from "./own-engine.js";

const image = "ikada-test/e2e:1";
const namespace = "default";
const replicas = 2;
/** Longer than a node's silence may last, and than the probes of the Deployment take to fail. */
const awayMs = 6_000;

function web() {
  const probe = { exec: { command: ["/bin/true"] }, periodSeconds: 1, failureThreshold: 2 };
  return {
    metadata: { name: "web", namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: "web",
              image,
              command: ["/bin/sh", "-c", 'trap "exit 0" TERM; while true; do sleep 0.1; done'],
              readinessProbe: probe,
              livenessProbe: probe,
            },
          ],
        },
      },
    },
  };
}

const missing = OwnEngine.whatIsMissing();
/** A skipped test says in its name what it needs. */
const needed = missing === undefined ? "" : ` (skipped: ${missing})`;

/** An engine that ends its containers when it comes back is Docker's default; with live-restore it finds them running. */
for (const { title, liveRestore } of [
  { title: "an engine that is killed and comes back without its containers", liveRestore: false },
  { title: "an engine that is killed and comes back to containers that ran on", liveRestore: true },
]) {
  describe(`${title}${needed}`, () => {
    let engine: OwnEngine;
    let cluster: Harness;

    before(async function () {
      this.timeout(300_000);
      if (missing !== undefined) this.skip();
      engine = await OwnEngine.start({ liveRestore });
      await ensureBusyboxImage(engine.docker, image);
      cluster = await Harness.start({ servers: 1, agents: 1, runtime: "docker", dockerSocket: engine.socket });
    });

    after(async function () {
      this.timeout(300_000);
      try {
        await cluster?.close();
      } finally {
        await engine?.close();
      }
    });

    afterEach(function () {
      if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs() + engine.logs());
    });

    function pods(): Promise<Pod[]> {
      return cluster.list<Pod>("pods", { namespace, labelSelector: "app=web" });
    }

    async function nodeReady() {
      const [node] = await cluster.list<Node>("nodes");
      return node?.status?.conditions?.find(({ type }) => type === "Ready");
    }

    /** Of one read of the Pods: they are ready for a moment still when their engine is back and has not told of its containers. */
    async function allReady(restarts: number): Promise<boolean> {
      const { status } = await cluster.client.deployments.get("web", { namespace });
      const node = await nodeReady();
      const found = await pods();
      return (
        node?.status === "True" &&
        status?.readyReplicas === replicas &&
        found.length === replicas &&
        found.every((pod) => isReady(pod) && pod.status?.phase === "Running") &&
        restartCounts(found).every((count) => count === restarts)
      );
    }

    it("keeps the agent and the Pods, says so, and runs all again with one container each", async function () {
      this.timeout(300_000);
      await cluster.client.deployments.apply(web());
      await cluster.eventually("two ready Pods", () => allReady(0));
      const before = await pods();
      const agentPid = cluster.pid("node-1");

      await engine.kill();
      await cluster.eventually("a node that is not ready", async () => (await nodeReady())?.status === "False");
      await sleep(awayMs);
      const away = await nodeReady();
      assert.equal(away?.status, "False");
      assert.equal(away.reason, "ContainerRuntimeDown");
      assert.match(away.message ?? "", /docker/);
      assert.equal(cluster.pid("node-1"), agentPid, "the agent goes on while its engine is away");
      assert.deepEqual(identities(await pods()), identities(before), "nobody is evicted from the only node");

      await engine.run();
      const restarts = liveRestore ? 0 : 1;
      await cluster.eventually("two ready Pods again", () => allReady(restarts));
      // Nothing that was under way may start or end another container.
      await sleep(1_000);
      const after = await pods();
      assert.deepEqual(identities(after), identities(before));
      assert.deepEqual(restartCounts(after), [restarts, restarts]);
      assert.equal(cluster.pid("node-1"), agentPid);
      const running = await cluster.docker.listContainers({
        filters: { label: [`ikada.cluster=${cluster.cluster.clusterId}`, "ikada.role=container"] },
      });
      assert.deepEqual(
        running.map(({ Id }) => `docker://${Id}`).sort(),
        after.map(({ status }) => status?.containerStatuses?.[0]?.containerID ?? "").sort(),
        "each Pod has exactly the container that its status names",
      );
      if (liveRestore) assert.deepEqual(containerIds(after), containerIds(before), "what ran on was not restarted");
    });
  });
}

function isReady({ metadata, status }: Pod): boolean {
  const ready = status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;
  return ready && metadata.deletionTimestamp === undefined;
}

function identities(pods: readonly Pod[]): string[] {
  return pods.map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.deletionTimestamp ?? ""}`).sort();
}

function restartCounts(pods: readonly Pod[]): (number | undefined)[] {
  return pods.map(({ status }) => status?.containerStatuses?.[0]?.restartCount);
}

function containerIds(pods: readonly Pod[]): string[] {
  return pods.map(({ status }) => status?.containerStatuses?.[0]?.containerID ?? "").sort();
}

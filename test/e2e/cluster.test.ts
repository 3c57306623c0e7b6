import assert from "node:assert/strict";
import { ensureBusyboxImage } from "../../deploy/local/busybox-image.js";
import { removeContainers } from "../../deploy/local/containers.js";
import type { Deployment } from "../../src/api/kinds/apps.js";
import type { Node } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { EngineWatch } from "./engine-watch.js";
import { Harness } from "./harness.js";

const image = "ikada-test/e2e:1";
const namespace = "default";

/** A Deployment whose containers do nothing, are ready a moment after their start, and end at once when asked to. */
function web(replicas: number, greeting: string) {
  return {
    metadata: { name: "web", namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      strategy: { type: "RollingUpdate" as const, rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: {
          terminationGracePeriodSeconds: 2,
          containers: [
            {
              name: "web",
              image,
              command: ["/bin/sh", "-c"],
              args: ['echo "$GREETING"; trap "exit 0" TERM; while true; do sleep 0.1; done'],
              env: [{ name: "GREETING", value: greeting }],
              readinessProbe: { exec: { command: ["/bin/true"] }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  };
}

/** Real servers, real agents, a real engine. The tests build on each other, as a day in a cluster's life. */
describe("a cluster of three servers and two nodes", () => {
  let cluster: Harness;
  let engine: EngineWatch;

  before(async function () {
    this.timeout(300_000);
    cluster = await Harness.start({ servers: 3, agents: 2, runtime: "docker" });
    await ensureBusyboxImage(cluster.docker, image);
    engine = await EngineWatch.start(cluster.docker, cluster.cluster.clusterId);
    await cluster.eventually("two ready nodes", async () => (await readyNodes()).length === 2);
  });

  after(async function () {
    this.timeout(300_000);
    engine?.close();
    await cluster?.close();
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs());
  });

  async function readyNodes(): Promise<string[]> {
    const nodes = await cluster.list<Node>("nodes");
    const ready = nodes.filter(({ status }) =>
      status?.conditions?.some((one) => one.type === "Ready" && one.status === "True"),
    );
    return ready.map(({ metadata }) => metadata.name);
  }

  function pods(): Promise<Pod[]> {
    return cluster.list<Pod>("pods", { namespace, labelSelector: "app=web" });
  }

  async function rolledOut(replicas: number): Promise<void> {
    await cluster.eventually(`${replicas} available Pods`, async () => {
      const { metadata, status } = await cluster.client.deployments.get("web", { namespace });
      const counts = [status?.replicas, status?.updatedReplicas, status?.availableReplicas];
      return (
        status?.observedGeneration === metadata.generation &&
        counts.every((count) => count === replicas) &&
        (await pods()).length === replicas
      );
    });
  }

  /** Container ids by Pod: a restart or a move changes them. */
  async function containerIds(): Promise<Map<string, string>> {
    return new Map(
      (await pods()).map(({ metadata, status }) => [metadata.name, status?.containerStatuses?.[0]?.containerID ?? ""]),
    );
  }

  it("runs a Deployment on both nodes and reads its logs through any server", async function () {
    this.timeout(300_000);
    const written = await cluster.client.deployments.apply(web(3, "first"));
    assert.equal(written.created, true);
    await rolledOut(3);
    assert.deepEqual(new Set((await pods()).map(({ spec }) => spec.nodeName)).size, 2);
    for (const server of cluster.cluster.servers) {
      const client = await cluster.clientOf(server.name);
      let text = "";
      for await (const chunk of client.logs((await pods())[0]!.metadata.name, { namespace }))
        text += Buffer.from(chunk).toString();
      await client.close();
      assert.equal(text, "first\n", server.name);
    }
  });

  it("goes on when the leader is killed: no container restarts, scaling works, the server comes back and catches up", async function () {
    this.timeout(300_000);
    const before = await containerIds();
    const leader = (await cluster.leaderName())!;
    await cluster.kill(leader);
    await cluster.client.scale("deployments", "web", 6, { namespace });
    await rolledOut(6);
    const now = await containerIds();
    for (const [name, id] of before) assert.equal(now.get(name), id, name);
    await cluster.eventually(`${leader} with everything applied`, async () => {
      const { members, leader: present } = await cluster.client.clusterStatus();
      const applied = members.find(({ id }) => id === present)?.applied;
      return members.every((member) => member.reachable && member.applied === applied);
    });
  });

  it("runs a killed container again, in the same Pod", async function () {
    this.timeout(300_000);
    const [pod] = await pods();
    const id = pod!.status!.containerStatuses![0]!.containerID!.replace("docker://", "");
    await cluster.docker.getContainer(id).kill();
    await cluster.eventually("the container's second run", async () => {
      const again = await cluster.client.pods.get(pod!.metadata.name, { namespace });
      const [status] = again.status?.containerStatuses ?? [];
      return (
        again.metadata.uid === pod!.metadata.uid &&
        status?.restartCount === 1 &&
        status.ready &&
        status.state?.running !== undefined
      );
    });
    await rolledOut(6);
  });

  it("adopts running containers after an agent was killed", async function () {
    this.timeout(300_000);
    const before = await containerIds();
    const pid = cluster.pid("node-1");
    await cluster.kill("node-1");
    await cluster.eventually("the agent's next process", () =>
      Promise.resolve(![undefined, pid].includes(cluster.pid("node-1"))),
    );
    await cluster.eventually("two ready nodes", async () => (await readyNodes()).length === 2);
    await rolledOut(6);
    assert.deepEqual(await containerIds(), before);
  });

  it("changes the Pods by a rolling update that keeps maxSurge and maxUnavailable at every instant", async function () {
    this.timeout(300_000);
    engine.reset();
    const old = new Set(await containerIds().then((ids) => ids.values()));
    await cluster.client.deployments.apply(web(6, "second"));
    await rolledOut(6);
    for (const id of (await containerIds()).values()) assert.equal(old.has(id), false);
    assert.ok(engine.runningMost <= 7, `the engine ran ${engine.runningMost} containers at once, 6 + 1 are allowed`);
    assert.ok(
      engine.runningLeast >= 5,
      `the engine ran only ${engine.runningLeast} containers at one time, 6 - 1 have to`,
    );
  });

  it("takes the update back with `rollout undo`", async function () {
    this.timeout(300_000);
    const undo = await cluster.ikada("rollout", "undo", "deployment/web");
    assert.equal(undo.code, 0, undo.stderr);
    await rolledOut(6);
    const deployment: Deployment = await cluster.client.deployments.get("web", { namespace });
    assert.equal(deployment.spec.template.spec.containers[0]?.env?.[0]?.value, "first");
    const history = await cluster.ikada("rollout", "history", "deployment/web");
    assert.deepEqual(
      [...history.stdout.matchAll(/^(\d+) /gm)].map((match) => match[1]),
      ["2", "3"],
    );
  });

  it("moves the Pods of an agent that is stopped for good to the other node", async function () {
    this.timeout(300_000);
    await cluster.stop("node-2");
    await removeContainers(cluster.docker, cluster.cluster.clusterId, "node-2");
    await rolledOutOn("node-1", 6);
    const left = await cluster.docker.listContainers({
      all: true,
      filters: { label: [`ikada.cluster=${cluster.cluster.clusterId}`, "ikada.node=node-2"] },
    });
    assert.deepEqual(left, []);
  });

  async function rolledOutOn(node: string, replicas: number): Promise<void> {
    await cluster.eventually(`${replicas} ready Pods on ${node}`, async () => {
      const standing = (await pods()).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const good = standing.filter(
        ({ spec, status }) =>
          spec.nodeName === node && status?.conditions?.some((one) => one.type === "Ready" && one.status === "True"),
      );
      return good.length === replicas && standing.length === replicas;
    });
  }

  it("removes everything that a deleted Deployment owned", async function () {
    this.timeout(300_000);
    const { code, stderr } = await cluster.ikada("delete", "deployment/web");
    assert.equal(code, 0, stderr);
    await cluster.eventually(
      "no ReplicaSets",
      async () => (await cluster.list("replicasets", { namespace })).length === 0,
    );
    await cluster.eventually("no container on the node that lives", async () => {
      const label = [`ikada.cluster=${cluster.cluster.clusterId}`];
      return (await cluster.docker.listContainers({ all: true, filters: { label } })).length === 0;
    });
  });
});

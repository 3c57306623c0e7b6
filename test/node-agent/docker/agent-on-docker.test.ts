import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { get } from "node:http";
import Dockerode from "dockerode";
import type { Pod, PodSpec } from "../../../src/api/kinds/pod.js";
import { AgentProcess, until } from "../agent-process.js";
import { podOf } from "../agent-world.js";
import { TestIdentity, TestPlan, TestServer } from "../test-server.js";
import { ensureTestImage, socketPath, testCluster, testImage } from "./test-engine.js";

const docker = new Dockerode({ socketPath });

/** `container name` to what the engine says of it, of one Pod. */
async function running(clusterId: string): Promise<Map<string, string>> {
  const containers = await docker.listContainers({ filters: { label: [`ikada.cluster=${clusterId}`] } });
  return new Map(containers.map(({ Id, Labels }) => [Labels["ikada.container"] ?? "", Id]));
}

describe("agent process on docker", function () {
  this.timeout(90_000);
  const cluster = testCluster();
  let identity: TestIdentity;
  let server: TestServer;
  let agent: AgentProcess;

  before(async () => {
    await ensureTestImage();
    identity = await TestIdentity.create("node-1");
    const plan = new TestPlan(cluster.clusterId);
    server = await TestServer.start(identity, plan);
    const { clusterId } = cluster;
    agent = new AgentProcess(identity, { name: "node-1", clusterId, servers: [server.address] });
    agent.start();
    await until("session", () => server.connected);
  });

  after(async () => {
    await agent.signal("SIGKILL");
    server.kill();
    await cluster.close();
    rmSync(identity.folder, { recursive: true, force: true });
  });

  const web: Partial<PodSpec> = {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: "web",
        image: testImage,
        command: [
          "sh",
          "-c",
          "mkdir -p /www; echo hello from $POD_NAME > /www/index.html; echo serving; httpd -f -p 8080 -h /www",
        ],
        env: [{ name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
        readinessProbe: { httpGet: { path: "/index.html", port: 8080 }, periodSeconds: 1 },
        livenessProbe: { exec: { command: ["true"] }, periodSeconds: 1, timeoutSeconds: 20 },
        resources: { limits: { memory: "64Mi", cpu: "500m" } },
      },
    ],
  };
  const ready = (pod: Pod): boolean =>
    server.statuses
      .get(pod.metadata.uid ?? "")
      ?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

  it("runs a Pod that serves on its address, restarts it, adopts it after kill -9, removes it", async () => {
    const pod = podOf("web", web);
    server.tell({ pods: [pod] });
    await until("ready", () => ready(pod));
    const { podIP = "" } = server.statuses.get("uid-web") ?? {};
    assert.equal(await page(`http://${podIP}:8080/index.html`), "hello from web\n");
    assert.equal(await server.logs({ podUid: "uid-web", container: "web", tailLines: -1 }), "serving\n");

    const first = (await running(cluster.clusterId)).get("web") as string;
    const { HostConfig } = await docker.getContainer(first).inspect();
    assert.deepEqual([HostConfig.Memory, HostConfig.CpuQuota], [64 * 1024 * 1024, 50_000]);
    await docker.getContainer(first).kill();
    await until("another container", async () => {
      const now = (await running(cluster.clusterId)).get("web");
      return now !== undefined && now !== first;
    });
    await until(
      "ready again",
      () => ready(pod) && server.statuses.get("uid-web")?.containerStatuses?.[0]?.restartCount === 1,
    );

    const before = await running(cluster.clusterId);
    await agent.signal("SIGKILL");
    server.statuses.clear();
    agent.start();
    await until("adopted and reported", () => ready(pod));
    assert.deepEqual(await running(cluster.clusterId), before);
    assert.equal(server.statuses.get("uid-web")?.containerStatuses?.[0]?.restartCount, 1);

    const ending = podOf("web", web, { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 1 });
    server.tell({ pods: [ending] });
    await until("gone", () => server.gone.has("uid-web"));
    assert.equal((await running(cluster.clusterId)).size, 0);
    server.tell({ removedUids: ["uid-web"] });
  });

  it("--cleanup takes a stopped node's containers away", async () => {
    const pod = podOf("left", { terminationGracePeriodSeconds: 1 });
    server.tell({ pods: [pod] });
    await until("ready", () => ready(pod));
    assert.equal(await agent.signal("SIGTERM"), 0);
    assert.equal((await running(cluster.clusterId)).size, 2, "an agent that stops leaves its containers");
    agent.start("--cleanup");
    assert.equal(await agent.ended(), 0);
    assert.deepEqual([...(await running(cluster.clusterId)).keys()], [], agent.log);
  });
});

function page(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
}

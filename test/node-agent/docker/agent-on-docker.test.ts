import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { get } from "node:http";
import Dockerode from "dockerode";
import type { Pod, PodSpec } from "../../../src/api/kinds/pod.js";
import { AgentProcess, until } from "../agent-process.js";
import { podOf } from "../agent-world.js";
import { TestIdentity, TestPlan, TestServer } from "../test-server.js";
import { byHand, ensureTestImage, socketPath, testCluster, testImage } from "./test-engine.js";

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

  it("what people do to its containers by hand is put right within two seconds", async () => {
    const name = "by-hand";
    const pod = podOf(name, { terminationGracePeriodSeconds: 0 });
    server.tell({ pods: [pod] });
    await until("ready", () => ready(pod));
    const find = async (container: string) => (await running(cluster.clusterId)).get(container) ?? "";
    const [main, sandbox] = [await find("main"), await find("")];
    const state = async (id: string) => docker.getContainer(id).inspect();
    const took: string[] = [];
    const repaired = async (what: string, isRight: () => Promise<boolean>): Promise<void> => {
      const since = performance.now();
      await until(what, isRight);
      took.push(`${what} ${Math.round(performance.now() - since)} ms`);
    };
    await byHand(docker, main, "pause");
    await repaired("goes on", async () => !(await state(main)).State.Paused);
    await byHand(docker, main, "update");
    await repaired("no limit that matters", async () => ((await state(main)).HostConfig.Memory ?? 0) > 2 ** 40);
    await byHand(docker, sandbox, "disconnect");
    await repaired("network", async () => (await state(sandbox)).NetworkSettings.Networks["bridge"] !== undefined);
    assert.deepEqual([await find("main"), await find("")], [main, sandbox], "none of it costs the program");
    const another = async (): Promise<boolean> => {
      const now = await find("main");
      return now !== "" && now !== main && ready(pod);
    };
    await byHand(docker, main, "rename");
    await repaired("another container", another);
    server.tell({
      pods: [podOf(name, {}, { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 0 })],
    });
    await until("gone", () => server.gone.has(`uid-${name}`));
    server.tell({ removedUids: [`uid-${name}`] });
    // How long it took depends on the machine: it is shown, and judged by whoever reads it.
    process.stdout.write(`      ${took.join(", ")}\n`);
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

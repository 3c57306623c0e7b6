import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import Dockerode from "dockerode";
import type { PodSpec } from "../../../src/api/kinds/pod.js";
import { AgentProcess, until } from "../agent-process.js";
import { podOf } from "../agent-world.js";
import { TestIdentity, TestPlan, TestServer } from "../test-server.js";
import { ensureTestImage, socketPath, testCluster, testImage } from "./test-engine.js";

const isRoot = process.getuid?.() === 0;
const docker = new Dockerode({ socketPath });
const mebi = 2 ** 20;
/** Looks are ten seconds apart, and the machine may be busy. */
const soonMs = 120_000;

describe(`agent process on a small disk${isRoot ? "" : " (skipped: needs root, to mount one)"}`, function () {
  this.timeout(400_000);
  const cluster = testCluster();
  let identity: TestIdentity;
  let server: TestServer;
  let agent: AgentProcess;
  let disk: string;

  before(async function () {
    if (!isRoot) this.skip();
    await ensureTestImage();
    identity = await TestIdentity.create("node-1");
    disk = join(identity.folder, "disk");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", disk]);
    server = await TestServer.start(identity, new TestPlan(cluster.clusterId));
    const off = { "nodefs.inodesFree": "0%", "imagefs.available": "0%", "imagefs.inodesFree": "0%" };
    agent = new AgentProcess(identity, {
      name: "node-1",
      clusterId: cluster.clusterId,
      servers: [server.address],
      dataFolder: join(disk, "data"),
      eviction: { hard: { "nodefs.available": "16Mi", ...off }, pressureHoldSeconds: 1 },
    });
    agent.start();
    await until("session", () => server.connected);
  });

  after(async () => {
    if (!isRoot) return;
    await agent.signal("SIGKILL");
    server.kill();
    await cluster.close();
    execFileSync("umount", ["--recursive", disk]);
    rmSync(identity.folder, { recursive: true, force: true });
  });

  const writing = (megabytes: number, file: string, more: Partial<PodSpec> = {}): Partial<PodSpec> => ({
    terminationGracePeriodSeconds: 600,
    containers: [
      {
        name: "main",
        image: testImage,
        command: ["sh", "-c", `busybox dd if=/dev/zero of=${file} bs=1048576 count=${megabytes}; sleep 3600`],
        volumeMounts: [{ name: "work", mountPath: "/space" }],
      },
    ],
    volumes: [{ name: "work", emptyDir: {} }],
    ...more,
  });
  const status = (name: string) => server.statuses.get(`uid-${name}`);
  const pressed = (): boolean =>
    ((server.nodeStatus?.["conditions"] ?? []) as readonly { type: string; status: string }[]).some(
      (one) => one.type === "DiskPressure" && one.status === "True",
    );
  const containers = async (): Promise<number> => {
    const label = [`ikada.cluster=${cluster.clusterId}`];
    return (await docker.listContainers({ all: true, filters: { label } })).length;
  };

  it("that a Pod fills to the last byte ends that Pod and nothing else, and has room again", async () => {
    server.tell({
      pods: [podOf("still", { terminationGracePeriodSeconds: 1 }), podOf("full", writing(100, "/space/f"))],
    });
    await until("evicted", () => status("full")?.phase === "Failed", soonMs);
    assert.equal(status("full")?.reason, "Evicted");
    const words = /^The node was low on resource: ephemeral-storage\. Threshold quantity: 16Mi, available: \w+\./;
    assert.match(status("full")?.message ?? "", words);
    await until("pressure was told", pressed, soonMs);
    await until("its files are gone", () => !existsSync(join(disk, "data/pods/uid-full")), soonMs);
    assert.ok(statfsSync(disk).bavail * statfsSync(disk).bsize > 40 * mebi);
    await until("no pressure any more", () => !pressed(), soonMs);
    assert.equal(status("still")?.phase, "Running");
    await until("its containers are gone", async () => (await containers()) === 2, soonMs);
    const records = join(disk, "data/restarts.state");
    await until("it is noted", () => readFileSync(records, "latin1").includes('"eviction"'), soonMs);
    await agent.signal("SIGKILL");
    server.statuses.clear();
    agent.start();
    await until(
      "told again",
      () => status("full")?.reason === "Evicted" && status("still")?.phase === "Running",
      soonMs,
    );
    assert.equal(await containers(), 2, "it is not started again");
    server.tell({ removedUids: ["uid-still", "uid-full"] });
    await until("nothing is left", async () => (await containers()) === 0, soonMs);
  });

  it("a Pod that is over its limits goes, with what it wrote", async () => {
    const work = [{ name: "work", emptyDir: { sizeLimit: "1Mi" } }];
    const limited = writing(8, "/f");
    const main = limited.containers?.map((one) => ({ ...one, resources: { limits: { "ephemeral-storage": "2Mi" } } }));
    const pods = [
      podOf("folder", writing(8, "/space/f", { volumes: work })),
      podOf("layer", { ...limited, containers: main ?? [] }),
      podOf("within", writing(1, "/space/f", { volumes: [{ name: "work", emptyDir: { sizeLimit: "2Mi" } }] })),
    ];
    server.tell({ pods });
    await until("evicted", () => ["folder", "layer"].every((name) => status(name)?.phase === "Failed"), soonMs);
    assert.equal(status("folder")?.message, 'Usage of EmptyDir volume "work" exceeds the limit "1Mi".');
    assert.equal(
      status("layer")?.message,
      "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi.",
    );
    await until("only the third is left", async () => (await containers()) === 2, soonMs);
    assert.equal(status("within")?.phase, "Running");
    assert.ok(!pressed());
  });
});

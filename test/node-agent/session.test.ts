import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { ikada } from "#proto/agent.js";
import { AgentProcess, until } from "./agent-process.js";
import { podOf } from "./agent-world.js";
import { TestIdentity, TestPlan, TestServer } from "./test-server.js";

describe("agent process with the fake runtime", function () {
  this.timeout(60_000);
  let identity: TestIdentity;
  let plan: TestPlan;
  let servers: TestServer[];
  let agent: AgentProcess;

  beforeEach(async () => {
    identity = await TestIdentity.create("node-1");
    plan = new TestPlan("cluster-1");
    servers = [await TestServer.start(identity, plan), await TestServer.start(identity, plan)];
    plan.servers = servers.map(({ address }) => address);
    const name = "node-1";
    const labels = { zone: "a" };
    const capacity = { cpu: "4", memory: "8Gi" };
    agent = new AgentProcess(identity, {
      name,
      labels,
      capacity,
      clusterId: "cluster-1",
      servers: plan.servers,
      runtime: "fake",
      address: "192.0.2.7",
    });
    agent.start();
  });

  afterEach(async function () {
    if (this.currentTest?.state === "failed") console.log(agent.log);
    await agent.signal("SIGKILL");
    for (const server of servers) server.kill();
    rmSync(identity.folder, { recursive: true, force: true });
  });

  const connected = async (): Promise<TestServer> => {
    await until("session", () => servers.some((server) => server.connected));
    return servers.find((server) => server.connected) as TestServer;
  };

  it("says hello and what its node is, runs Pods, beats", async () => {
    const server = await connected();
    const [hello] = server.hellos;
    assert.deepEqual([hello?.format, hello?.node, hello?.labels, hello?.revision], [1, "node-1", { zone: "a" }, 0]);
    await until("node report with engine", () => JSON.stringify(server.nodeStatus ?? {}).includes("AgentReady"));
    const storage = "ephemeral-storage";
    assert.deepEqual(server.nodeStatus?.["capacity"], { cpu: "4", memory: "8Gi", pods: "110", [storage]: "100Gi" });
    const left = { cpu: "4", memory: "8092Mi", pods: "110", [storage]: "90Gi" };
    assert.deepEqual(server.nodeStatus?.["allocatable"], left);
    const conditions = server.nodeStatus?.["conditions"] as readonly { type: string; status: string }[];
    assert.deepEqual(
      conditions.map(({ type, status }) => `${type} ${status}`),
      ["MemoryPressure False", "DiskPressure False", "PIDPressure False", "Ready True"],
    );
    server.tell({ pods: [podOf("a")] });
    await until("running", () => server.statuses.get("uid-a")?.phase === "Running");
    assert.equal(server.statuses.get("uid-a")?.hostIP, "192.0.2.7");
    const before = server.heartbeats;
    await until("heartbeats", () => server.heartbeats > before + 3);
    server.tell({ removedUids: ["uid-a"] });
    await until("forgotten", () => agent.log.includes("stopping container"));
  });

  it("goes to another server when its own dies, and tells it where it stood", async () => {
    const first = await connected();
    first.tell({ pods: [podOf("a")] });
    await until("running", () => first.statuses.get("uid-a")?.phase === "Running");
    first.kill();
    const second = servers.find((server) => server !== first) as TestServer;
    await until("session with the other", () => second.connected);
    assert.deepEqual([second.hellos[0]?.term, second.hellos[0]?.revision], [3, 11]);
    assert.equal(second.hellos[0]?.bootId, first.hellos[0]?.bootId);
    assert.match(agent.log, /session lost/);
    await until("status again", () => second.statuses.get("uid-a")?.phase === "Running");
  });

  it("leaves a server that fell behind", async () => {
    const first = await connected();
    first.tell({ pods: [podOf("a")] });
    await until("running", () => first.statuses.get("uid-a")?.phase === "Running");
    plan.revision -= 1;
    plan.pods.clear();
    first.kill();
    await until("refusal", () => agent.log.includes("assignments refused"));
    const second = servers.find((server) => server !== first) as TestServer;
    plan.revision += 5;
    plan.pods.set("uid-a", podOf("a"));
    await until("taken again", () => second.statuses.get("uid-a")?.phase === "Running");
    assert.equal(second.gone.size, 0);
  });

  it("answers a stream for logs, or why not", async () => {
    const server = await connected();
    await assert.rejects(server.logs({ podUid: "nobody", container: "main" }), /has not started yet/);
    server.tell({ pods: [podOf("a")] });
    await until("running", () => server.statuses.get("uid-a")?.phase === "Running");
    assert.equal(await server.logs({ podUid: "uid-a", container: "main", tailLines: -1 }), "");
  });

  it("runs commands on streams, and refuses more than it can hold", async () => {
    const server = await connected();
    const exec = { podUid: "uid-a", container: "main", command: ["cat"], stdin: true };
    const [missing] = await server.stream({ exec }).then((frames) => frames.slice(-1));
    assert.deepEqual([missing?.end, missing?.reason, missing?.hint !== ""], [true, "Conflict", true]);
    server.tell({ pods: [podOf("a")] });
    await until("running", () => server.statuses.get("uid-a")?.phase === "Running");
    const frames = await server.stream({ exec }, [{ data: new TextEncoder().encode("hello") }, { end: true }]);
    assert.equal(frames.map(({ data }) => new TextDecoder().decode(data)).join(""), "hello");
    assert.deepEqual([frames.at(-1)?.end, frames.at(-1)?.exitCode], [true, 0]);

    const held = Array.from({ length: 128 }, (_, at) => `held-${at}`);
    for (const streamId of held) void server.stream({ streamId, exec });
    const refused = (await server.stream({ exec })).at(-1);
    assert.deepEqual([refused?.end, refused?.reason], [true, "Overloaded"]);
    for (const streamId of held.slice(0, 2)) server.closeStream(streamId);
    await until("room for another", async () => {
      const last = (await server.stream({ exec }, [{ end: true }])).at(-1);
      return last?.exitCode === 0;
    });
    const stats = (await server.stream({ stats: {} })).find(({ data }) => data.length > 0);
    const { memoryBytes, containers } = ikada.agent.v1.NodeStats.decode(stats!.data);
    assert.ok(memoryBytes > 0);
    assert.deepEqual(
      containers.map(({ podUid, container }) => [podUid, container]),
      containers.length === 0 ? [] : [["uid-a", "main"]],
    );
  });

  it("runs once per data folder, and ends on SIGTERM", async () => {
    await connected();
    const second = new AgentProcess(identity, { name: "node-1", clusterId: "cluster-1", servers: plan.servers });
    second.start();
    assert.equal(await second.ended(), 1);
    assert.match(second.log, /another agent runs with the data folder/);
    assert.equal(await agent.signal("SIGTERM"), 0);
    await until("goodbye", () => !servers.some((server) => server.connected));
  });
});

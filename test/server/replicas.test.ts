import assert from "node:assert/strict";
import { apiMethods } from "../../src/host/api-methods.js";
import { callServerStream, callUnary, readStream } from "../../src/host/grpc.js";
import { FakeAgent } from "./agents/fake-agent.js";
import { bearer, eventually, TestCluster, tokens } from "./harness.js";
import { pod } from "./objects.js";

const metadata = bearer(tokens.admin);

describe("replicas among themselves", () => {
  let cluster: TestCluster;
  const agents: FakeAgent[] = [];
  beforeEach(async () => {
    cluster = await TestCluster.start(3);
    await cluster.seed(pod("talker", "worker"));
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.close();
    await cluster.close();
  });

  async function agentOn(server: number): Promise<FakeAgent> {
    const identity = await cluster.identity("node", "worker");
    const agent = new FakeAgent(cluster.client("agents", server, identity), "worker");
    agents.push(agent);
    await eventually(() => agent.welcome);
    return agent;
  }

  /** Answers each request for logs with these pieces. */
  function speaks(agent: FakeAgent, pieces: readonly string[], end: { error?: string; reason?: string } = {}) {
    const asked: unknown[] = [];
    let taken = 0;
    const timer = setInterval(() => {
      for (const message of agent.messages.slice(taken)) {
        taken += 1;
        if (!message.open) continue;
        asked.push(message.open.logs);
        const stream = agent.openStream(message.open.streamId ?? "");
        for (const piece of pieces) stream.write({ data: new TextEncoder().encode(piece) });
        stream.write({ end: true, ...end });
        stream.end();
      }
    }, 5);
    return { asked, stop: () => clearInterval(timer) };
  }

  async function logs(server: number, request = {}): Promise<string> {
    const call = callServerStream(
      cluster.client("api", server),
      apiMethods.logs,
      { namespace: "default", pod: "talker", ...request },
      { metadata, deadlineMs: 5_000 },
    );
    let text = "";
    for await (const { data } of readStream(call)) text += new TextDecoder().decode(data);
    return text;
  }

  it("all know who is connected where, at once", async () => {
    const agent = await agentOn(2);
    for (const server of cluster.servers) await eventually(() => server.liveness.connectedReplica("worker") === 2);
    assert.ok((cluster.servers[2]?.liveness.nodeSilentMs("worker") ?? Infinity) < 1_000);
    agent.close();
    for (const server of cluster.servers)
      await eventually(() => server.liveness.connectedReplica("worker") === undefined);
    assert.notEqual(cluster.servers[2]?.liveness.nodeSilentMs("worker"), undefined);
  });

  it("see at once that a replica and its sessions are gone", async () => {
    await agentOn(2);
    await eventually(() => cluster.servers[0]?.liveness.connectedReplica("worker") === 2);
    await cluster.kill(2);
    await eventually(() => cluster.servers[0]?.liveness.connectedReplica("worker") === undefined);
  });

  it("bring logs from the node, whichever replica has its session", async () => {
    const agent = await agentOn(2);
    const { asked, stop } = speaks(agent, ["one\n", "two\n"]);
    await eventually(() => cluster.servers[0]?.liveness.connectedReplica("worker") === 2);
    assert.equal(await logs(2), "one\ntwo\n");
    assert.equal(await logs(1, { tailLines: 5, follow: true, timestamps: true }), "one\ntwo\n");
    stop();
    assert.deepEqual(
      { ...(asked[1] as object) },
      { podUid: "uid-talker", container: "main", follow: true, tailLines: 5, timestamps: true },
    );
  });

  it("hand on more than any buffer holds, and the agent's error", async () => {
    const agent = await agentOn(3);
    const piece = "x".repeat(64 * 1024);
    const { stop } = speaks(
      agent,
      Array.from({ length: 100 }, () => piece),
    );
    await eventually(() => cluster.servers[0]?.liveness.connectedReplica("worker") === 3);
    assert.equal((await logs(1)).length, 100 * piece.length);
    stop();
    const failing = speaks(agent, [], { error: "container main was never started", reason: "BadRequest" });
    await assert.rejects(logs(1), { reason: "BadRequest", message: /never started/ });
    failing.stop();
  });

  it("say what is missing", async () => {
    await assert.rejects(logs(1), { reason: "Unavailable", message: /not connected/ });
    await assert.rejects(logs(1, { pod: "nobody" }), { reason: "NotFound" });
    await assert.rejects(logs(1, { container: "nope" }), { reason: "BadRequest", message: /nope/ });
    await cluster.seed(pod("unbound", ""));
    await assert.rejects(logs(1, { pod: "unbound" }), { reason: "BadRequest" });
  });

  it("answer for the whole cluster, also for a member that is gone", async () => {
    await cluster.kill(3);
    const status = await callUnary(cluster.client("api", 2), apiMethods.clusterStatus, {}, { metadata });
    assert.equal(status.clusterId, "test-cluster");
    assert.equal(status.leader, 1);
    assert.equal(status.answeredBy, 2);
    // The leader alone knows it, and was asked.
    assert.deepEqual(
      status.members.map(({ match }) => match),
      [1, 2, 3].map(() => cluster.store.revision()),
    );
    assert.deepEqual(
      status.members.map(({ name, reachable, role }) => [name, reachable, role]),
      [
        ["server-1", true, "Leader"],
        ["server-2", true, "Follower"],
        ["server-3", false, ""],
      ],
    );
  });

  it("transfer leadership", async () => {
    const client = cluster.client("api", 1);
    await callUnary(client, apiMethods.transferLeadership, { to: 2 }, { metadata });
    assert.deepEqual(cluster.transfers, [2]);
    await assert.rejects(callUnary(client, apiMethods.transferLeadership, { to: 9 }, { metadata }), {
      reason: "NotFound",
    });
  });
});

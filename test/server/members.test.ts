import assert from "node:assert/strict";
import { apiMethods } from "../../src/host/api-methods.js";
import { callUnary } from "../../src/host/grpc.js";
import type { ikada } from "#proto/api.js";
import { bearer, TestCluster, tokens } from "./harness.js";

const fourth = { id: 4, name: "server-4", api: "h:1", agents: "h:2", replicas: "h:3", raft: "h:4" };

describe("changes of the members, as the servers take them", () => {
  let cluster: TestCluster;

  beforeEach(async () => {
    cluster = await TestCluster.start(3);
  });

  afterEach(async () => {
    await cluster.close();
  });

  /** Asks one server; by default the leader. */
  async function change(request: ikada.api.v1.IChangeMembersRequest, server = cluster.leader): Promise<void> {
    const call = { metadata: bearer(tokens.admin), deadlineMs: 8_000 };
    await callUnary(cluster.client("api", server), apiMethods.changeMembers, request, call);
  }

  async function status(): Promise<ikada.api.v1.ClusterStatusResponse> {
    const call = { metadata: bearer(tokens.admin) };
    return await callUnary(cluster.client("api"), apiMethods.clusterStatus, {}, call);
  }

  it("go through any server, and may be repeated", async () => {
    for (const server of [2, 1]) await change({ add: fourth }, server);
    assert.deepEqual(cluster.learners, [4]);
    for (const server of [3, 1]) await change({ promote: 4 }, server);
    assert.deepEqual(cluster.voters, [1, 2, 3, 4]);
    for (const server of [2, 1]) await change({ demote: 2 }, server);
    assert.deepEqual(cluster.voters, [1, 3, 4]);
    for (const server of [3, 1]) await change({ remove: 2 }, server);
    assert.deepEqual(cluster.learners, []);
    const { members, removed } = await status();
    assert.deepEqual(
      members.map(({ id, membership }) => `${id} ${membership}`),
      ["1 Voter", "3 Voter", "4 Voter"],
    );
    assert.deepEqual(
      removed.map(({ id, membership }) => `${id} ${membership}`),
      ["2 Removed"],
    );
  });

  it("give no id, name or address twice, and none of a removed server ever again", async () => {
    await assert.rejects(change({ add: { ...fourth, id: 2 } }), /server 2 is "server-2" already/);
    await assert.rejects(change({ add: { ...fourth, name: "server-3" } }), /server 3 is "server-3" already/);
    await assert.rejects(change({ add: { ...fourth, raft: "127.0.0.1:1" } }), /is the address of server 1/);
    await assert.rejects(change({ add: { ...fourth, api: "nowhere" } }), { reason: "Invalid" });
    await assert.rejects(change({ add: { ...fourth, id: 1024 } }), { reason: "Invalid" });
    await assert.rejects(change({ promote: 9 }), { reason: "NotFound" });
    await change({ remove: 3 });
    await assert.rejects(change({ add: { ...fourth, id: 3 } }), {
      reason: "AlreadyExists",
      message: /never used again/,
      details: { hint: "the next free id is 4" },
    });
  });

  it("let nobody vote who is behind or silent, and say how far", async () => {
    await change({ add: fourth });
    cluster.behind.set(4, 5_000);
    await assert.rejects(change({ promote: 4 }), { reason: "NotReady", message: /5000 entries behind/ });
    cluster.behind.delete(4);
    cluster.silent.add(4);
    await assert.rejects(change({ promote: 4, force: true }), { reason: "NotReady", message: /not been heard from/ });
    cluster.silent.clear();
    await change({ promote: 4 });
  });

  it("leave no fewer voters than a majority that was heard, unless forced", async () => {
    cluster.silent.add(3);
    await assert.rejects(change({ remove: 2 }), { reason: "NotReady", message: /only 1 were heard .* 2 are needed/ });
    await assert.rejects(change({ demote: 2 }), { reason: "NotReady" });
    await change({ remove: 3 });
    cluster.silent.add(2);
    await assert.rejects(
      change({ add: fourth }).then(() => change({ replace: { old: 1, replacement: 4 } })),
      {
        reason: "NotReady",
      },
    );
    await change({ remove: 2, force: true });
    assert.deepEqual(cluster.voters, [1]);
    await assert.rejects(change({ remove: 1 }), { reason: "Invalid", message: /the only one that votes/ });
  });

  it("let another server lead before the leader goes, which finishes the work", async () => {
    cluster.behind.set(2, 10);
    await change({ remove: 1 });
    assert.deepEqual(cluster.transfers, [3]);
    assert.deepEqual(cluster.voters, [2, 3]);
    assert.deepEqual(
      (await status()).removed.map(({ id }) => id),
      [1],
    );
  });

  it("replace in one step", async () => {
    const steps: string[][] = [];
    const made = cluster.changeMembers.bind(cluster);
    cluster.changeMembers = (wanted) => {
      steps.push(wanted.map(({ type, node }) => `${type} ${node}`));
      return made(wanted);
    };
    await change({ add: fourth });
    for (const server of [2, 1]) await change({ replace: { old: 3, replacement: 4 } }, server);
    assert.deepEqual(steps, [["AddLearner 4"], ["AddVoter 4", "Remove 3"]]);
  });

  it("are for operators, and leadership is for voters", async () => {
    const call = { metadata: bearer(tokens.view) };
    await assert.rejects(callUnary(cluster.client("api"), apiMethods.changeMembers, { remove: 3 }, call), {
      reason: "Forbidden",
    });
    await change({ add: fourth });
    const metadata = bearer(tokens.admin);
    await assert.rejects(callUnary(cluster.client("api"), apiMethods.transferLeadership, { to: 4 }, { metadata }), {
      reason: "Invalid",
    });
    await callUnary(cluster.client("api"), apiMethods.transferLeadership, { to: 0 }, { metadata });
    assert.equal(cluster.transfers.length, 1);
  });
});

import assert from "node:assert/strict";
import type { Client, ConnectionStatus } from "../../sdk/index.js";
import { IkadaError } from "../../sdk/index.js";
import { ClientConnection } from "../../sdk/connection.js";
import { Client as ClientClass } from "../../sdk/client.js";
import { eventually, TestCluster, tokens } from "../server/harness.js";

describe("the state of a connection", () => {
  it("is what the calls find", async () => {
    const cluster = await TestCluster.start(2);
    cluster.leader = 2;
    const [one, two] = cluster.addresses.map(({ api }) => api);
    const ca = cluster.authority.certificate;
    const client: Client = await ClientClass.connect({ endpoints: [one!], ca, token: tokens.admin });
    try {
      const { connection } = client;
      assert.deepEqual([connection.status.state, connection.status.server], ["Idle", undefined]);
      const states: string[] = [];
      const watching = (async () => {
        for await (const { state, server } of connection.changes()) states.push(`${state} ${server ?? "-"}`);
      })();
      await client.clusterStatus();
      assert.deepEqual(
        [connection.status.state, connection.status.server, connection.status.leader],
        ["Ready", one, two],
      );
      await client.clusterStatus();
      assert.deepEqual([connection.status.state, connection.status.server], ["Ready", two]);
      await cluster.kill(2);
      await client.clusterStatus();
      assert.equal(connection.status.server, one);
      assert.equal(connection.status.lastError?.server, two);
      assert.ok(connection.status.lastError?.error instanceof IkadaError);
      await client.close();
      await watching;
      assert.deepEqual([states[0], states.at(-1)], ["Idle -", `Closed ${one}`]);
      assert.ok(states.includes(`Failing ${two}`));
    } finally {
      await client.close();
      await cluster.close();
    }
  });

  it("counts a refusal as an answer", async () => {
    const cluster = await TestCluster.start(1);
    const [address] = cluster.addresses.map(({ api }) => api);
    const ca = cluster.authority.certificate;
    const client = await ClientClass.connect({ endpoints: [address!], ca, token: "of nobody" });
    await assert.rejects(client.clusterStatus(), { reason: "Unauthenticated" });
    assert.equal(client.connection.status.state, "Ready");
    await client.close();
    await cluster.close();
  });

  it("is given as it changes, and only the newest to who is slow", async () => {
    const connection = new ClientConnection();
    const seen: ConnectionStatus[] = [];
    const reading = (async () => {
      for await (const status of connection.changes()) {
        seen.push(status);
        if (status.state === "Connecting") {
          connection.answered("a");
          connection.failed("b", new IkadaError("Unavailable", "gone"));
          connection.answered("c");
        }
      }
    })();
    await eventually(() => seen.length === 1);
    connection.asked("a");
    await eventually(() => seen.length === 3);
    connection.answered("c");
    connection.named("leader");
    await eventually(() => seen.length === 4);
    assert.equal(seen[3]?.since, seen[2]?.since);
    connection.close();
    connection.answered("d");
    await reading;
    assert.deepEqual(
      seen.map(({ state, server, leader }) => [state, server, leader]),
      [
        ["Idle", undefined, undefined],
        ["Connecting", "a", undefined],
        ["Ready", "c", undefined],
        ["Ready", "c", "leader"],
        ["Closed", "c", "leader"],
      ],
    );
    assert.equal(seen[2]?.lastError?.server, "b");
  });
});

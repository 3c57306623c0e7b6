import assert from "node:assert/strict";
import { LivenessTable } from "../../../src/server/agents/liveness-table.js";

describe("liveness table", () => {
  let now = 0;
  const clock = { monotonic: () => now };
  beforeEach(() => {
    now = 1_000;
  });

  it("takes the latest word of any replica", () => {
    const table = new LivenessTable(clock, 1);
    assert.equal(table.nodeSilentMs("a"), undefined);
    table.setConnected("a", "boot", true);
    now += 500;
    assert.equal(table.nodeSilentMs("a"), 500);
    table.learn(2, [{ node: "a", connected: true, silentMs: 100, bootId: "boot" }]);
    assert.equal(table.nodeSilentMs("a"), 100);
    assert.equal(table.connectedReplica("a"), 2);
    now += 50;
    table.heard("a");
    assert.equal(table.nodeSilentMs("a"), 0);
    assert.equal(table.connectedReplica("a"), 1);
  });

  it("keeps the last word of a replica that was lost, but no session with it", () => {
    const table = new LivenessTable(clock, 1);
    table.learn(2, [{ node: "a", connected: true, silentMs: 0, bootId: "boot" }]);
    table.lost(2);
    now += 700;
    assert.equal(table.connectedReplica("a"), undefined);
    assert.equal(table.nodeSilentMs("a"), 700);
  });

  it("tells only what it knows by itself, and forgets nodes that are long gone", () => {
    const table = new LivenessTable(clock, 1);
    table.setConnected("a", "boot-a", true);
    table.setConnected("b", "boot-b", true);
    table.learn(2, [{ node: "c", connected: true, silentMs: 0, bootId: "boot" }]);
    now += 10;
    table.setConnected("b", "boot-b", false);
    assert.deepEqual(table.local(), [
      { node: "a", connected: true, silentMs: 10, bootId: "boot-a" },
      { node: "b", connected: false, silentMs: 10, bootId: "boot-b" },
    ]);
    now += 2 * 60 * 60 * 1000;
    assert.deepEqual(
      table.local().map(({ node }) => node),
      ["a"],
    );
  });

  it("is told nothing about this replica by another", () => {
    const table = new LivenessTable(clock, 1);
    table.learn(1, [{ node: "a", connected: true, silentMs: 0, bootId: "boot" }]);
    assert.equal(table.nodeSilentMs("a"), undefined);
  });
});

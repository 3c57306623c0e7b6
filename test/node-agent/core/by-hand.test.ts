import assert from "node:assert/strict";
import { AgentWorld, podOf } from "../agent-world.js";

/** Milliseconds of virtual time in which what somebody did by hand has to be put right. */
const repairMsMax = 2_000;

describe("what somebody did to a container by hand", () => {
  function start(): AgentWorld {
    const agent = new AgentWorld();
    agent.boot();
    agent.connect();
    agent.assign(podOf("a"));
    agent.world.until("ready", () => agent.ready("a"));
    return agent;
  }
  const restarts = (agent: AgentWorld) => agent.status("a").containerStatuses?.[0]?.restartCount;

  for (const how of ["pause", "update", "disconnect"] as const)
    it(`${how}: is taken back, and the program goes on`, () => {
      const agent = start();
      const key = how === "disconnect" ? "uid-a/sandbox/0" : "uid-a/main/0";
      const id = agent.find(key);
      agent.engine.alter(id, how);
      assert.ok(agent.engine.require(id).info.altered);
      agent.world.until("taken back", () => agent.engine.require(id).info.altered === undefined, repairMsMax);
      agent.world.pass(60_000);
      assert.deepEqual(agent.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
      assert.equal(restarts(agent), 0);
      assert.equal(agent.status("a").podIP, agent.engine.require(agent.find("uid-a/sandbox/0")).info.ip);
      assert.ok(agent.ready("a"));
    });

  it("what can't be taken back costs the container alone", () => {
    const agent = start();
    agent.engine.alter(agent.find("uid-a/main/0"), "limit");
    agent.world.until("another", () => agent.containers("running").includes("uid-a/main/1"), repairMsMax + 30_000);
    assert.deepEqual(agent.containers("running"), ["uid-a/main/1", "uid-a/sandbox/0"]);
    agent.world.until("ready", () => agent.ready("a"));
  });

  it("of a sandbox it costs the Pod's containers", () => {
    const agent = start();
    agent.engine.alter(agent.find("uid-a/sandbox/0"), "limit");
    agent.world.until("all anew", () => agent.containers("running").join() === "uid-a/main/1,uid-a/sandbox/1");
    agent.world.until("ready", () => agent.ready("a"));
  });

  it("a name of somebody's own: the container goes, and one with the right name comes", () => {
    const agent = start();
    const id = agent.find("uid-a/main/0");
    agent.engine.alter(id, "rename");
    agent.world.until("gone", () => !agent.engine.containers.has(id), repairMsMax);
    agent.world.until("another", () => agent.containers("running").includes("uid-a/main/1"), repairMsMax);
  });

  it("is found by the slow second look when the engine did not tell of it", () => {
    const agent = start();
    const id = agent.find("uid-a/main/0");
    agent.engine.hung = true;
    agent.engine.alter(id, "pause");
    agent.engine.hung = false;
    agent.world.until("taken back", () => agent.engine.require(id).info.altered === undefined, 70_000);
  });

  it("while the engine does not answer it waits, and is taken back then", () => {
    const agent = start();
    const id = agent.find("uid-a/main/0");
    agent.engine.alter(id, "pause");
    agent.engine.setDown(true);
    agent.world.pass(30_000);
    agent.engine.setDown(false);
    agent.world.until("taken back", () => agent.engine.require(id).info.altered === undefined, 5_000);
    assert.equal(restarts(agent), 0);
  });
});

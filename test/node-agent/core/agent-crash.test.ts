import assert from "node:assert/strict";
import { AgentWorld, podOf, testImage } from "../agent-world.js";

/** Two running containers of one name in one Pod, or two running sandboxes: what must never be. */
function duplicates(world: AgentWorld): string[] {
  const names = world.containers("running").map((key) => key.slice(0, key.lastIndexOf("/")));
  return names.filter((name, at) => names.indexOf(name) !== at);
}

/**
 * The life of some Pods: one starts, one crashes twice, one is removed, one finishes. The agent's process dies after `crashAfter`
 * events of the world and is started again. Gives the number of events and what is left at the end.
 */
function scenario(crashAfter: number): { events: number; end: unknown } {
  const world = new AgentWorld();
  let [events, crashed] = [0, false];
  world.engine.observe({
    onEvent: () => assert.deepEqual(duplicates(world), [], `crash after ${crashAfter} events`),
    onDown: () => undefined,
    onUp: () => undefined,
  });
  const run = (durationMs: number): void => {
    const until = world.world.now + durationMs;
    while (world.world.step(until)) {
      events += 1;
      if (events === crashAfter) {
        crashed = true;
        world.crash();
        world.boot();
        world.connect();
      }
    }
    world.world.pass(until - world.world.now);
  };
  const finish = { name: "main", image: testImage, command: ["sh", "-c", "sleep 1; exit 0"] };
  world.boot();
  world.connect();
  world.assign(podOf("a"), podOf("b"), podOf("job", { restartPolicy: "OnFailure", containers: [finish] }));
  run(3_000);
  for (const attempt of [0, 1]) {
    world.engine.signal(world.find(`uid-a/main/${attempt}`), "SIGKILL");
    run(2_500);
  }
  world.assign(
    podOf("b", {}, { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 2 }),
    podOf("c"),
  );
  run(5_000);
  world.unassign("uid-b");
  run(20_000);
  assert.equal(crashed, crashAfter <= events);
  return {
    events,
    end: {
      containers: world.containers(),
      gone: [...world.gone],
      restarts: world.status("a").containerStatuses?.[0]?.restartCount,
      phases: ["a", "c", "job"].map((name) => world.status(name).phase),
      unacknowledged: world.agent.statistics.unacknowledged,
    },
  };
}

describe("agent: dies after every single event of a scenario", function () {
  this.timeout(60_000);

  it("ends in the same state, and never runs anything twice", () => {
    const whole = scenario(Infinity);
    assert.deepEqual(whole.end, {
      containers: [
        "uid-a/main/1",
        "uid-a/main/2",
        "uid-a/sandbox/0",
        "uid-c/main/0",
        "uid-c/sandbox/0",
        "uid-job/main/0",
      ],
      gone: ["uid-b"],
      restarts: 2,
      phases: ["Running", "Running", "Succeeded"],
      unacknowledged: 0,
    });
    assert.ok(whole.events > 200);
    for (let crashAfter = 1; crashAfter <= whole.events; crashAfter++) {
      assert.deepEqual(scenario(crashAfter).end, whole.end, `the agent died after event ${crashAfter}`);
    }
  });
});

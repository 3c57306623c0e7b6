import assert from "node:assert/strict";
import { SimulatedClock, SimulatedTimers } from "./clock.js";
import { SimulatedNetwork, type NetworkFaults } from "./network.js";
import { Process, World } from "./world.js";

const faults: NetworkFaults = {
  lossRate: 0.1,
  duplicateRate: 0.1,
  lateRate: 0.1,
  lateUsMax: 50_000,
  delayUsMin: 100,
  delayUsMax: 5_000,
  ordered: false,
  hints: true,
  survivesRestart: false,
};

/** Three processes that send each other numbers; gives what arrived where. */
function chatter(
  seed: number,
  change: Partial<NetworkFaults> = {},
): { hash: string; arrived: string[]; hints: string[] } {
  const world = new World({ seed });
  const network = new SimulatedNetwork<number>(world, { ...faults, ...change });
  const arrived: string[] = [];
  const hints: string[] = [];
  const processes = [1, 2, 3].map((id) => new Process(id));
  for (const process of processes) {
    process.start();
    const endpoint = network.attach(process);
    endpoint.onReceive((from, messages) => arrived.push(`${from}>${process.id}:${messages.join()}`));
    endpoint.onPeer((peer, connected) => hints.push(`${process.id}:${peer}${connected ? "+" : "-"}`));
    for (let round = 0; round < 40; round++) {
      world.after(round * 1_000, () => endpoint.send((process.id % 3) + 1, [round]), process);
    }
  }
  const [, second] = processes;
  world.after(20_000, () => {
    second?.end();
    if (second) network.detach(second);
  });
  world.runUntil(1_000_000);
  return { hash: world.trace.hash(), arrived, hints };
}

describe("simulated world", () => {
  it("is the same for the same seed and another for another", () => {
    assert.deepEqual(chatter(7), chatter(7));
    assert.notEqual(chatter(7).hash, chatter(8).hash);
  });

  it("delivers all once and in order without faults, and nothing to the dead", () => {
    const { arrived, hints } = chatter(1, { lossRate: 0, duplicateRate: 0, lateRate: 0, ordered: true });
    const toThree = arrived.filter((line) => line.startsWith("2>3"));
    assert.deepEqual(
      toThree,
      Array.from({ length: toThree.length }, (_, round) => `2>3:${round}`),
    );
    assert.ok(toThree.length >= 15 && toThree.length <= 21, `${toThree.length} left before the end of process 2`);
    assert.equal(arrived.filter((line) => line.startsWith("3>1")).length, 40);
    assert.ok(hints.includes("1:2-") && hints.includes("3:2-"), "both peers were told");
  });

  it("runs no callback of an ended incarnation and holds those of a paused one", () => {
    const world = new World({ seed: 1 });
    const process = new Process(1);
    process.start();
    const ran: string[] = [];
    world.after(10, () => ran.push("old"), process);
    process.end();
    process.start();
    world.after(10, () => ran.push("first"), process);
    world.after(20, () => ran.push("second"), process);
    const cancelled = world.after(30, () => ran.push("cancelled"), process);
    process.pausedUntilUs = 500;
    world.runUntil(100);
    assert.deepEqual(ran, []);
    cancelled.run = undefined;
    world.runUntil(1_000);
    assert.deepEqual(ran, ["first", "second"]);
  });

  it("gives each process clocks of its own", () => {
    const world = new World({ seed: 1 });
    const process = new Process(1);
    process.start();
    const shape = { rate: 2, wallOffsetMs: 5, monotonicOffsetMs: 100, timerLatenessUsMax: 0 };
    const clock = new SimulatedClock(world, shape);
    const startMs = clock.now();
    let firedAt = 0;
    new SimulatedTimers(world, process, shape).after(10, () => (firedAt = world.timeUs));
    world.runUntil(10_000);
    assert.equal(firedAt, 5_000);
    assert.equal(clock.monotonic(), 120);
    assert.equal(clock.now() - startMs, 20);
    shape.wallOffsetMs -= 1000;
    assert.equal(clock.now() - startMs, -980);
    assert.equal(clock.monotonic(), 120);
  });
});

import assert from "node:assert/strict";
import { AdaptiveTimeout } from "../../../raft/adaptive-timeout.js";
import { VirtualCluster } from "./virtual-cluster.js";

const options = { tickMs: 50, ticksMin: 6, ticksMax: 20 };

/** Messages of one leader that come `gapMs` apart. */
function listen(timeout: AdaptiveTimeout, gapMs: number, fromMs: number, toMs: number): void {
  for (let now = fromMs; now <= toMs; now += gapMs) timeout.heard("1 1", now);
}

describe("the adaptive election timeout", () => {
  it("is the least on a calm machine", () => {
    const timeout = new AdaptiveTimeout(options);
    listen(timeout, 55, 0, 10_000);
    timeout.late(3, 10_000);
    timeout.answered(1, 2, 10_000);
    assert.equal(timeout.ticks(10_000), 6);
  });

  it("is three times the leader's longest silence", () => {
    const timeout = new AdaptiveTimeout(options);
    listen(timeout, 50, 0, 1000);
    timeout.heard("1 1", 1200);
    assert.equal(timeout.ticks(1200), 12);
  });

  it("counts lateness of the own loop on top of a tick", () => {
    const timeout = new AdaptiveTimeout(options);
    timeout.late(150, 1000);
    assert.equal(timeout.ticks(1000), 12);
  });

  it("is ten round trips to the slowest peer on a slow network", () => {
    const timeout = new AdaptiveTimeout(options);
    timeout.answered(1, 80, 1000);
    timeout.answered(2, 2, 1500);
    assert.equal(timeout.ticks(1500), 16);
    assert.equal(timeout.ticks(31_001), 6, "a peer that answers no more");
  });

  it("does not grow by the few round trips that went through an outage, but by a way that has become long", () => {
    const timeout = new AdaptiveTimeout(options);
    for (const ms of [2, 3, 2, 3, 2, 900, 700, 300, 200]) timeout.answered(1, ms, 1000);
    assert.equal(timeout.ticks(1000), 6);
    for (const ms of [80, 80, 80]) timeout.answered(1, ms, 2000);
    assert.equal(timeout.ticks(2000), 16);
  });

  it("never grows beyond the most", () => {
    const timeout = new AdaptiveTimeout(options);
    timeout.late(900, 1000);
    assert.equal(timeout.ticks(1000), 20);
  });

  it("forgets a peak after one to two windows of 30 s", () => {
    const timeout = new AdaptiveTimeout(options);
    timeout.late(250, 29_000);
    assert.equal(timeout.ticks(59_000), 18);
    assert.equal(timeout.ticks(60_000), 6);
  });

  it("does not take the time between two leaders, or a stopped process, for silence", () => {
    const timeout = new AdaptiveTimeout(options);
    timeout.heard("1 1", 0);
    timeout.heard("2 3", 900);
    timeout.heard("2 3", 60_000);
    timeout.late(5000, 60_000);
    assert.equal(timeout.ticks(60_000), 6);
  });
});

describe("members of a slow machine", () => {
  it("keep their leader through silences that a constant timeout would take for its death", () => {
    const cluster = new VirtualCluster(3, { electionJitterTicks: 3 });
    cluster.start();
    const leader = cluster.elect();
    const term = leader.status?.term;
    // Pauses grow, as load does: each is below the timeout that the one before has led to.
    for (const pauseMs of [150, 250, 350, 450, 550]) {
      cluster.pause(leader.id);
      cluster.time.pass(pauseMs);
      cluster.resume(leader.id);
      cluster.time.pass(1000);
    }
    assert.equal(cluster.elect().id, leader.id);
    assert.equal(leader.status?.term, term);
  });
});

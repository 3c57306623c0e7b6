import assert from "node:assert/strict";
import { silentLog } from "../../../src/host/log.js";
import { EventOutbox, type AgentEvent, type EventBatch } from "../../../node-agent/core/agent-events.js";
import { VirtualWorld } from "../virtual-world.js";

const event = (message: string, more: Partial<AgentEvent> = {}): AgentEvent => ({
  pod: { uid: "u1", namespace: "default", name: "p" },
  fieldPath: undefined,
  type: "Warning",
  reason: "Unhealthy",
  message,
  ...more,
});

describe("events on their way to a server", () => {
  let world: VirtualWorld;
  let outbox: EventOutbox;
  let batches: EventBatch[];
  let acknowledging: boolean;

  beforeEach(() => {
    world = new VirtualWorld();
    outbox = new EventOutbox({ clock: world.clock, timers: world.timers, log: silentLog });
    [batches, acknowledging] = [[], true];
  });

  const connect = (): void =>
    outbox.connect((batch) => {
      batches.push(batch);
      if (acknowledging) world.timers.after(1, () => outbox.acknowledge(batch.sequence));
    });
  const told = (): string[] =>
    batches.flatMap(({ events }) => events.map(({ event: { message }, count }) => `${message} ${count}`));

  it("go out together after a moment, and once", () => {
    connect();
    outbox.tell(event("a"));
    outbox.tell(event("b"));
    world.pass(600_000);
    assert.deepEqual([batches.length, told()], [1, ["a 1", "b 1"]]);
  });

  it("the same again is counted, and told after pauses that grow up to five minutes", () => {
    connect();
    const times: number[] = [];
    for (let second = 0; second < 1800; second++) {
      const before = batches.length;
      outbox.tell(event("a"));
      world.pass(1000);
      if (batches.length > before) times.push(second);
    }
    assert.deepEqual(
      times.slice(0, 7),
      [0, 5, 15, 35, 75, 155, 315].map((at) => at),
      times.join(" "),
    );
    assert.ok(times.length < 13, times.join(" "));
    const count = batches.flatMap(({ events }) => events.map((one) => one.count)).reduce((sum, one) => sum + one, 0);
    assert.ok(count > 1400 && count <= 1800, `${count}`);
  });

  it("wait for a connection, and are told again when their acknowledgement is lost", () => {
    outbox.tell(event("a"));
    outbox.tell(event("a"));
    world.pass(60_000);
    acknowledging = false;
    connect();
    world.pass(1000);
    assert.deepEqual(told(), ["a 2"]);
    outbox.disconnect();
    acknowledging = true;
    connect();
    world.pass(1000);
    assert.deepEqual(told(), ["a 2", "a 2"]);
    world.pass(60_000);
    assert.equal(batches.length, 2);
  });

  it("one message is on its way at a time, and is sent again when no answer comes", () => {
    acknowledging = false;
    connect();
    outbox.tell(event("a"));
    world.pass(200);
    outbox.tell(event("b"));
    world.pass(4_000);
    assert.deepEqual(told(), ["a 1"]);
    world.pass(2_000);
    assert.deepEqual(told(), ["a 1", "a 1", "b 1"]);
    outbox.acknowledge(1);
    world.pass(10_000);
    assert.ok(batches.length > 2, "an old acknowledgement is none");
  });

  it("a Pod that tells something new all the time is cut off, and hides nobody", () => {
    connect();
    for (let at = 0; at < 1000; at++) outbox.tell(event(`new ${at}`));
    outbox.tell(event("other", { pod: { uid: "u2", namespace: "default", name: "q" } }));
    world.pass(60_000);
    assert.deepEqual([told().length, told().includes("other 1"), outbox.dropped], [26, true, 975]);
    for (const { events } of batches) assert.ok(events.length <= 64);
    outbox.tell(event("later"));
    world.pass(1000);
    assert.ok(told().includes("later 1"), "some time later it may again");
  });

  it("what waits is bounded: what is normal goes first", () => {
    const ofPod = (at: number, type: "Normal" | "Warning") =>
      event(type, { type, pod: { uid: `u${at}`, namespace: "default", name: `p${at}` } });
    for (let at = 0; at < 512; at++) outbox.tell(ofPod(at, "Normal"));
    for (let at = 0; at < 300; at++) outbox.tell(ofPod(1000 + at, "Warning"));
    outbox.tell(ofPod(5000, "Normal"));
    connect();
    world.pass(60_000);
    const counted = (type: string) => told().filter((one) => one.startsWith(type)).length;
    assert.deepEqual([counted("Normal"), counted("Warning"), outbox.dropped], [212, 300, 301]);
  });
});

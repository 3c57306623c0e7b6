import assert from "node:assert/strict";
import type { Pod } from "../../../src/api/kinds/pod.js";
import type { Plan } from "../../../src/scheduler/plan.js";
import { Scheduler } from "../../../src/scheduler/scheduler.js";
import { now, worldOf } from "../fixture.js";
import { budget, host, nodeOf, placed, planOf, podOf, refusal, type PodGiven } from "./objects.js";

/** A Pod that runs on a node and takes half of its four cores, or what is given. */
const running = (name: string, nodeName: string, priority: number, given: PodGiven = {}): Pod =>
  podOf(name, {
    nodeName,
    priority,
    cpu: "2",
    ...given,
    status: { phase: "Running", startTime: given.created ?? "2026-01-01T00:00:00Z" },
  });
const vip = (name = "vip", given: PodGiven = {}): Pod => podOf(name, { priority: 1000, cpu: "2", ...given });

/** `vip@a: x,y` for each. */
const pushed = ({ preemptions }: Plan): string =>
  preemptions
    .map(
      ({ pod, node, victims }) =>
        `${pod.metadata.name}@${node.metadata.name}: ${victims.map((one) => one.metadata.name).join()}`,
    )
    .join(" ");

describe("preemption", () => {
  const a = nodeOf("a");
  const b = nodeOf("b");

  it("takes as few as needed, the least important", () => {
    const there = [running("low", "a", 1), running("lower", "a", 0)];
    assert.equal(pushed(planOf([a, ...there, vip()])), "vip@a: lower");
    assert.equal(pushed(planOf([a, ...there, vip("vip", { cpu: "4" })])), "vip@a: low,lower");
  });

  it("takes nobody of the same priority or above, and nobody when all is not enough", () => {
    assert.equal(pushed(planOf([a, running("x", "a", 1000), running("y", "a", 2000), vip()])), "");
    const plan = planOf([a, running("x", "a", 1000), running("y", "a", 0), vip("vip", { cpu: "4" })]);
    assert.equal(pushed(plan), "");
    assert.equal(refusal(plan), "0/1 nodes are available: 1 Insufficient cpu.");
    assert.equal(pushed(planOf([a, running("x", "a", 0, { cpu: "4" }), vip("vip", { cpu: "5" })])), "");
  });

  it("does not happen for who says Never, nor where no eviction helps", () => {
    const full = running("x", "a", 0, { cpu: "4" });
    assert.equal(pushed(planOf([a, full, vip("vip", { preemptionPolicy: "Never" })])), "");
    const cordoned = nodeOf("a", {}, { unschedulable: true });
    assert.equal(pushed(planOf([cordoned, full, vip()])), "");
    assert.equal(pushed(planOf([a, full, vip("vip", { nodeSelector: { disk: "ssd" } })])), "");
  });

  it("chooses the node by fewest violations of budgets, before all else", () => {
    const there = [running("a1", "a", 0, { cpu: "4", labels: { app: "kept" } }), running("b1", "b", 900, { cpu: "4" })];
    const budgets = [budget("kept", { app: "kept" }, 0)];
    assert.equal(pushed(planOf([a, b, ...there, vip()], { budgets })), "vip@b: b1");
    assert.equal(pushed(planOf([a, b, ...there, vip()])), "vip@a: a1");
    // With nothing else to choose it goes all the same: budgets are kept as far as possible.
    assert.equal(pushed(planOf([a, there[0]!, vip()], { budgets })), "vip@a: a1");
  });

  it("spares whom a budget protects, when another one of the node does", () => {
    const there = [running("kept", "a", 0, { labels: { app: "kept" } }), running("more", "a", 500)];
    assert.equal(pushed(planOf([a, ...there, vip()])), "vip@a: kept");
    assert.equal(
      pushed(planOf([a, ...there, vip()], { budgets: [budget("kept", { app: "kept" }, 0)] })),
      "vip@a: more",
    );
    assert.equal(
      pushed(planOf([a, ...there, vip()], { budgets: [budget("kept", { app: "kept" }, 1)] })),
      "vip@a: kept",
    );
  });

  const orders: readonly (readonly [string, readonly Pod[], string])[] = [
    [
      "the lowest of the highest priorities",
      [running("a1", "a", 10), running("a2", "a", 1), running("b1", "b", 5), running("b2", "b", 5)],
      "vip@b: b1,b2",
    ],
    [
      "the smallest sum of priorities",
      [running("a1", "a", 10), running("a2", "a", 9), running("b1", "b", 10), running("b2", "b", 1)],
      "vip@b: b1,b2",
    ],
    [
      "the fewest victims",
      [
        running("a1", "a", 10, { cpu: "1" }),
        running("a2", "a", 10, { cpu: "3" }),
        running("b1", "b", 10, { cpu: "4" }),
      ],
      "vip@b: b1",
    ],
    [
      "the latest start of the most important victim",
      [
        running("a1", "a", 10, { cpu: "4", created: "2026-01-01T00:00:00Z" }),
        running("b1", "b", 10, { cpu: "4", created: "2026-01-01T00:10:00Z" }),
      ],
      "vip@b: b1",
    ],
  ];
  for (const [rule, there, expected] of orders)
    it(`chooses the node by ${rule}`, () => {
      assert.equal(pushed(planOf([a, b, ...there, vip("vip", { cpu: "4" })])), expected);
      // It is the rule, and not the place in the list.
      const other = (pod: Pod): string => (pod.spec.nodeName === "a" ? "b" : "a");
      const swapped = there.map((pod): Pod =>
        Object.assign({}, pod, { spec: Object.assign({}, pod.spec, { nodeName: other(pod) }) }),
      );
      assert.equal(pushed(planOf([a, b, ...swapped, vip("vip", { cpu: "4" })])), expected.replace("@b", "@a"));
    });

  it("makes room for ports and against anti-affinity too", () => {
    const ports = [{ containerPort: 80, hostPort: 80 }];
    const containers = [{ name: "main", image: "x", ports }];
    assert.equal(pushed(planOf([a, running("x", "a", 0, { containers }), vip("vip", { containers })])), "vip@a: x");
    const affinity = {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: host, labelSelector: { matchLabels: { app: "noisy" } } },
        ],
      },
    };
    const noisy = running("x", "a", 0, { labels: { app: "noisy" }, cpu: "1" });
    assert.equal(pushed(planOf([a, noisy, vip("vip", { affinity })])), "vip@a: x");
  });

  it("waits for Pods that are on their way out anyway, and takes no more", () => {
    const leaving = running("x", "a", 0, { cpu: "4", terminating: true });
    const other = running("y", "b", 0, { cpu: "4" });
    assert.equal(pushed(planOf([a, b, leaving, other, vip()])), "vip@a: ");
    const nominated = vip("vip", { status: { phase: "Pending", nominatedNodeName: "a" } });
    const waiting = planOf([a, b, leaving, other, nominated]);
    assert.equal(pushed(waiting), "");
    assert.deepEqual(
      waiting.rejections.map((one) => one.waitsForRoom),
      [true],
    );
  });

  it("keeps the room of a Pod that it was made for from lower and equal ones, not from higher ones", () => {
    const leaving = running("x", "a", 0, { cpu: "2", terminating: true });
    const nominated = vip("vip", { cpu: "4", status: { phase: "Pending", nominatedNodeName: "a" } });
    // Two cores are free now, and four are kept.
    const with_ = (pod: Pod): string => placed(planOf([a, leaving, nominated, pod]));
    assert.equal(with_(podOf("low", { cpu: "1" })), "");
    assert.equal(with_(podOf("same", { cpu: "1", priority: 1000, created: "2026-02-01T00:00:00Z" })), "");
    assert.equal(with_(podOf("higher", { cpu: "1", priority: 2000 })), "higher=a");
    const gone = planOf([a, nominated, podOf("low", { cpu: "1" })]);
    assert.equal(placed(gone), "vip=a");
  });

  it("a higher one may take a nominated node: the lower ones lose it", () => {
    const leaving = running("x", "a", 0, { cpu: "2", terminating: true });
    const stays = running("y", "a", 100, { cpu: "2" });
    const nominated = podOf("mid", { priority: 500, cpu: "2", status: { phase: "Pending", nominatedNodeName: "a" } });
    const plan = planOf([a, leaving, stays, nominated, vip("vip", { cpu: "4" })]);
    assert.equal(pushed(plan), "vip@a: y");
    assert.deepEqual(
      plan.preemptions[0]?.displaced.map((pod) => pod.metadata.name),
      ["mid"],
    );
  });

  it("two in one pass do not count on the same victim", () => {
    const there = [running("x", "a", 0, { cpu: "4" }), running("y", "b", 0, { cpu: "4" })];
    const plan = planOf([a, b, ...there, vip("v1", { cpu: "4" }), vip("v2", { cpu: "4" })]);
    const victims = plan.preemptions.flatMap((one) => one.victims.map((pod) => pod.metadata.name));
    assert.deepEqual(victims.toSorted(), ["x", "y"]);
    assert.equal(new Set(plan.preemptions.map(({ node }) => node.metadata.name)).size, 2);
  });

  it("one transaction: victims with grace and condition, nomination, and the node unchanged", () => {
    const scheduler = new Scheduler();
    const world = worldOf([a, running("x", "a", 0, { cpu: "4", terminationGracePeriodSeconds: 0 }), vip()]);
    scheduler.start(world.snapshot);
    const [decision, ...more] = scheduler.pass(world).decisions;
    assert.equal(more.length, 0);
    const updates = decision!.changes.updates as unknown as readonly Pod[];
    const [nominated, victim] = ["vip", "x"].map((name) => updates.find((one) => one.metadata.name === name));
    assert.equal(nominated?.status?.nominatedNodeName, "a");
    // What the store no longer shows must not run: even without grace of its own the object stays until the agent confirms.
    assert.equal(victim?.metadata.deletionGracePeriodSeconds, 1);
    assert.deepEqual(
      victim?.status?.conditions?.map(({ type, status, reason }) => [type, status, reason]),
      [["DisruptionTarget", "True", "PreemptionByScheduler"]],
    );
    assert.deepEqual(decision!.changes.removes, []);
    assert.deepEqual(
      decision!.changes.unchanged.map(({ name }) => name),
      ["a"],
    );
    assert.deepEqual(
      decision!.events.map(({ reason, object }) => [reason, object.metadata.name]),
      [
        ["FailedScheduling", "vip"],
        ["Preempted", "x"],
      ],
    );
    assert.equal(now, world.now);
  });
});

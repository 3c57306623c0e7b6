import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Pod } from "../../src/api/kinds/pod.js";
import { isActive } from "../../src/controllers/pod-state.js";
import { deletion } from "../../src/controllers/deletion.js";
import { Cluster } from "./cluster.js";
import { any, deployment, node, readyStatus } from "./objects.js";

/** What users, Pods and machines may do to a Deployment. */
type Act =
  | { readonly type: "scale"; readonly replicas: number }
  | { readonly type: "image"; readonly version: number; readonly broken: boolean }
  | { readonly type: "pause"; readonly paused: boolean }
  | { readonly type: "delete" | "fail" | "unready"; readonly pick: number }
  | { readonly type: "lose" | "find"; readonly node: string }
  | { readonly type: "depose" };

const pick = fc.nat(9);
const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant("scale" as const), replicas: fc.integer({ min: 0, max: 7 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("image" as const),
      version: fc.integer({ min: 1, max: 4 }),
      broken: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("pause" as const), paused: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constantFrom("delete" as const, "fail" as const, "unready" as const), pick }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom("lose" as const, "find" as const),
      node: fc.constantFrom("alpha", "beta"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("depose" as const) }) },
);

const bounds = fc.oneof(
  fc.record({ maxSurge: fc.constantFrom(1, 2, "25%", "100%"), maxUnavailable: fc.constantFrom(0, 1, "25%", "50%") }),
  fc.constant({ maxSurge: 0, maxUnavailable: 1 }),
);

describe("whatever happens to a Deployment", () => {
  it("its bounds hold, it comes to rest as wanted, and then nothing is written any more", () => {
    const plays = fc.property(
      bounds,
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.tuple(acts, fc.integer({ min: 0, max: 900 })), { maxLength: 25 }),
      fc.nat(),
      (given, replicas, steps, seed) => play(given, replicas, steps, seed),
    );
    fc.assert(plays, {
      numRuns: Number(process.env["IKADA_TEST_RUNS"] ?? 40),
      seed: Number(process.env["IKADA_TEST_SEED"] ?? 1717),
    });
  }).timeout(60_000);
});

function play(
  given: { readonly maxSurge: number | string; readonly maxUnavailable: number | string },
  replicas: number,
  steps: readonly (readonly [Act, number])[],
  seed: number,
): void {
  const cluster = new Cluster({
    seed,
    nodes: [node("alpha"), node("beta"), node("gamma")],
    behaviour: {
      readyAfterMs: (pod) =>
        pod.spec.containers[0]?.image.includes("broken") ? undefined : cluster.env.random.int(400),
      stopAfterMs: () => 1 + cluster.env.random.int(400),
    },
  });
  cluster.elect();
  cluster.create(any(deployment({ replicas, ...given })));
  for (const [act, waitMs] of steps) {
    perform(cluster, act);
    cluster.time.pass(waitMs);
  }
  // Peace: every machine is back, the image is good, somebody leads.
  for (const name of cluster.agents.keys()) cluster.findNode(name);
  cluster.edit("web", () => ({ paused: false }));
  cluster.time.pass(50);
  cluster.setImage("web", "web:good");
  cluster.time.pass(50);
  const entriesBefore = cluster.entries;
  assert(
    cluster.time.pass(120_000, () => cluster.settled("web")),
    "comes to rest",
  );
  cluster.time.pass(70_000);
  assert(cluster.settled("web"), "stays at rest");
  const entries = cluster.entries;
  assert(entries - entriesBefore < 400, `${entries - entriesBefore} log entries to come to rest`);
  cluster.time.pass(20_000);
  assert.equal(cluster.entries, entries, "nothing is written at rest");
  assert.deepEqual(cluster.breaches, []);
}

function perform(cluster: Cluster, act: Act): void {
  switch (act.type) {
    case "scale":
      return cluster.edit("web", () => ({ replicas: act.replicas }));
    case "image":
      return cluster.setImage("web", `web:${act.version}${act.broken ? "-broken" : ""}`);
    case "pause":
      return cluster.edit("web", () => ({ paused: act.paused }));
    case "lose":
      return cluster.loseNode(act.node);
    case "find":
      return cluster.findNode(act.node);
    case "depose":
      cluster.depose();
      cluster.time.pass(20);
      return cluster.elect();
    case "delete":
    case "fail":
    case "unready":
      return disturb(cluster, act.type, act.pick);
  }
}

function disturb(cluster: Cluster, type: "delete" | "fail" | "unready", choice: number): void {
  const pods = cluster.pods().filter((pod) => isActive(pod) && pod.spec.nodeName !== undefined);
  const victim = pods[choice % Math.max(1, pods.length)];
  if (victim === undefined) return;
  const { namespace = "", name, uid = "" } = victim.metadata;
  const agent = cluster.agents.get(victim.spec.nodeName ?? "");
  if (type === "delete") {
    cluster.ownDeletions.add(uid);
    cluster.change("/Pod", namespace, name, (live) => deletion(live, cluster.time.now()).updates[0]);
  } else if (type === "fail") {
    cluster.ownDeletions.add(uid);
    if (agent?.dead === false) agent.end(uid);
  } else if (agent?.dead === false) {
    agent.report(uid, (now) => readyStatus(now, false));
    const isBroken = (pod: Pod): boolean => pod.spec.containers[0]?.image.includes("broken") === true;
    if (!isBroken(victim)) cluster.time.after(700, () => agent.dead || agent.report(uid, (now) => readyStatus(now)));
  }
}

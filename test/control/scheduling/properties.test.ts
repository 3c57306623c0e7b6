import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Node } from "../../../src/api/kinds/core.js";
import type { Pod } from "../../../src/api/kinds/pod.js";
import type { AnyObject } from "../../../src/api/object.js";
import { keyOfObject, storeKey } from "../../../src/objects/keys.js";
import { ObjectIndex } from "../../../src/objects/object-index.js";
import { refusalNow } from "./verdicts.js";
import { Scheduler } from "../../../src/scheduler/scheduler.js";
import { any } from "../objects.js";
import { host, nodeOf, podOf, zone, type PodGiven } from "./objects.js";

/** Pods of few kinds, so that they meet: who keeps together, apart, spread, and who is more important. */
const kinds: readonly PodGiven[] = [
  { cpu: "500m", memory: "512Mi", labels: { app: "a" } },
  { cpu: "1", memory: "1Gi", labels: { app: "b" }, priority: 10 },
  { cpu: "2", memory: "1Gi", labels: { app: "c" }, priority: 100 },
  {
    labels: { app: "d" },
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: host, labelSelector: { matchLabels: { app: "d" } } },
        ],
      },
    },
  },
  {
    cpu: "100m",
    labels: { app: "e" },
    topologySpreadConstraints: [
      {
        topologyKey: zone,
        maxSkew: 1,
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: { matchLabels: { app: "e" } },
      },
    ],
  },
  {
    cpu: "100m",
    labels: { app: "f" },
    affinity: {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: zone, labelSelector: { matchLabels: { app: "a" } } },
        ],
      },
    },
  },
  { cpu: "3", labels: { app: "g" }, priority: 100, preemptionPolicy: "Never" },
  { labels: { app: "h" }, containers: [{ name: "m", image: "x", ports: [{ containerPort: 80, hostPort: 80 }] }] },
];

type Act =
  | { readonly type: "create"; readonly kind: number; readonly count: number }
  | { readonly type: "remove" | "end"; readonly pick: number }
  | { readonly type: "cordon" | "uncordon"; readonly node: number }
  | { readonly type: "pass" | "elect" };

const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("create" as const),
      kind: fc.nat(kinds.length - 1),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("remove" as const, "end" as const), pick: fc.nat(30) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom("cordon" as const, "uncordon" as const), node: fc.nat(3) }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom("pass" as const, "pass" as const, "elect" as const) }) },
);

/** A store in memory, with a scheduler that follows it and one that may be made anew at any time. */
class Play {
  readonly index = new ObjectIndex();
  scheduler = new Scheduler();
  now = 1_000_000;
  #revision = 0;
  #made = 0;

  constructor() {
    this.put(...[0, 1, 2, 3].map((at) => any(nodeOf(`n${at}`, { [zone]: at % 2 === 0 ? "east" : "west" }))));
    this.elect();
  }

  elect(): void {
    this.scheduler = new Scheduler();
    this.scheduler.start(this.index.snapshot());
  }

  pods(): readonly Pod[] {
    return this.index.snapshot().list<Pod>("/Pod");
  }

  put(...objects: readonly AnyObject[]): void {
    this.#apply(objects.map((object) => [storeKey(keyOfObject(object)), object]));
  }

  remove(object: AnyObject): void {
    this.#apply([[storeKey(keyOfObject(object)), undefined]]);
  }

  perform(act: Act): void {
    const bound = this.pods();
    switch (act.type) {
      case "create":
        for (let left = act.count; left > 0; left -= 1) {
          this.#made += 1;
          this.put(any(podOf(`p${this.#made}`, { ...kinds[act.kind], created: "2026-01-01T00:00:00Z" })));
        }
        return;
      case "remove":
      case "end": {
        const pod = bound[act.pick % Math.max(1, bound.length)];
        if (pod === undefined) return;
        if (act.type === "remove") this.remove(any(pod));
        else this.put(any({ ...pod, status: { ...pod.status, phase: "Succeeded" } } as Pod));
        return;
      }
      case "cordon":
      case "uncordon": {
        const node = this.index.snapshot().list<Node>("/Node")[act.node];
        if (node !== undefined) this.put(any({ ...node, spec: { unschedulable: act.type === "cordon" } } as Node));
        return;
      }
      case "pass":
        return this.pass();
      case "elect":
        return this.elect();
    }
  }

  /** One pass, of which each binding is judged before it takes place, on a state that is made anew. */
  pass(): void {
    this.now += 20_000;
    const world = { snapshot: this.index.snapshot(), now: this.now };
    const { decisions } = this.scheduler.pass(world);
    const anew = new Scheduler();
    anew.start(world.snapshot);
    for (const { changes } of decisions)
      for (const object of changes.updates) {
        const pod = object as unknown as Pod;
        const nodeName = pod.spec.nodeName ?? "";
        const waited = this.index.snapshot().get<Pod>("/Pod", "default", pod.metadata.name)?.spec.nodeName ?? "";
        if (nodeName !== "" && waited === "") {
          const refusal = refusalNow(this.index.snapshot(), pod, nodeName);
          assert.equal(refusal, undefined, `${pod.metadata.name} on ${nodeName}`);
        }
        this.put(object);
      }
    // Agents confirm the end of what was told to go.
    for (const pod of this.pods()) if (pod.metadata.deletionTimestamp !== undefined) this.remove(any(pod));
  }

  #apply(entries: readonly (readonly [string, AnyObject | undefined])[]): void {
    this.#revision += 1;
    for (const { before, after } of this.index.apply(this.#revision, entries)) this.scheduler.changed(before, after);
  }
}

describe("whatever comes and goes", () => {
  const seed = Number(process.env["IKADA_TEST_SEED"] ?? 2026);
  const numRuns = Number(process.env["IKADA_TEST_RUNS"] ?? 60);

  it("every binding is one that all filters allow at that moment, so that nothing is given twice", () => {
    const plays = fc.property(fc.array(acts, { maxLength: 40 }), (steps) => {
      const play = new Play();
      for (const act of steps) play.perform(act);
    });
    fc.assert(plays, { numRuns, seed });
  }).timeout(120_000);

  it("a scheduler that follows changes decides as one that is made anew, and two runs give the same plan", () => {
    const plays = fc.property(fc.array(acts, { maxLength: 30 }), (steps) => {
      const play = new Play();
      for (const act of steps) if (act.type !== "pass") play.perform(act);
      const world = { snapshot: play.index.snapshot(), now: play.now };
      const decide = (): unknown => {
        const anew = new Scheduler();
        anew.start(world.snapshot);
        return anew.pass(world).decisions.map(({ changes, events }) => [changes.updates, events]);
      };
      const followed = play.scheduler.pass(world).decisions.map(({ changes, events }) => [changes.updates, events]);
      assert.deepEqual(followed, decide());
      assert.deepEqual(decide(), decide());
    });
    fc.assert(plays, { numRuns, seed });
  }).timeout(120_000);

  it("it comes to rest: with nothing new, passes decide nothing", () => {
    const plays = fc.property(fc.array(acts, { maxLength: 30 }), (steps) => {
      const play = new Play();
      for (const act of steps) play.perform(act);
      let left = 40;
      const busy = (): boolean => {
        const before = play.index.revision;
        play.pass();
        return play.index.revision !== before;
      };
      while (busy()) assert.ok((left -= 1) > 0, "40 passes");
    });
    fc.assert(plays, { numRuns, seed });
  }).timeout(120_000);
});

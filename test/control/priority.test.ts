import assert from "node:assert/strict";
import type { PriorityClass } from "../../src/api/kinds/priority.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { jobController } from "../../src/controllers/job.js";
import { priorityClassController } from "../../src/controllers/priority-class.js";
import { replicaSetController } from "../../src/controllers/replica-set.js";
import { acts, decide, worldOf } from "./fixture.js";
import { any, job, replicaSet, template } from "./objects.js";

function priorityClass(name: string, value: number, more: Partial<PriorityClass> = {}): PriorityClass {
  return {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name, uid: name, resourceVersion: "1" },
    value,
    ...more,
  };
}

describe("priority of Pods that controllers make", () => {
  const web = (podSpec: Partial<Pod["spec"]>) =>
    replicaSet("web", { replicas: 1, template: template("web", "web:1", podSpec) });
  const priorityOf = (podSpec: Partial<Pod["spec"]>, ...classes: PriorityClass[]): unknown => {
    const set = web(podSpec);
    const [made] = decide(replicaSetController, set, worldOf([set, ...classes])).changes?.creates ?? [];
    const { priority, priorityClassName, preemptionPolicy } = (made as unknown as Pod).spec;
    return [priorityClassName, priority, preemptionPolicy];
  };

  it("is that of the class it names", () => {
    const high = priorityClass("high", 1000, { preemptionPolicy: "Never" });
    assert.deepEqual(priorityOf({ priorityClassName: "high" }, high), ["high", 1000, "Never"]);
  });

  it("is that of everyone's default, the lowest of several", () => {
    const classes = [priorityClass("a", 7, { globalDefault: true }), priorityClass("b", 3, { globalDefault: true })];
    assert.deepEqual(priorityOf({}, ...classes), ["b", 3, "PreemptLowerPriority"]);
  });

  it("is nothing without one", () => assert.deepEqual(priorityOf({}), [undefined, undefined, undefined]));

  it("the classes of the system are known before they are there", () => {
    assert.deepEqual(priorityOf({ priorityClassName: "system-node-critical" }), [
      "system-node-critical",
      2_000_001_000,
      "PreemptLowerPriority",
    ]);
  });

  const refused: readonly (readonly [podSpec: Partial<Pod["spec"]>, message: RegExp])[] = [
    [{ priorityClassName: "high" }, /spec\.template\.spec\.priorityClassName: there is no PriorityClass "high"/],
    [{ priority: 5 }, /spec\.template\.spec\.priority: must be left out, or be 0 as its PriorityClass says, not 5/],
    [{ preemptionPolicy: "Never" }, /spec\.template\.spec\.preemptionPolicy: must be left out/],
  ];
  for (const [podSpec, message] of refused)
    it(`none is made with ${JSON.stringify(podSpec)}, and it is told why`, () => {
      const set = web(podSpec);
      const decision = decide(replicaSetController, set, worldOf([set]));
      assert.deepEqual(acts(decision), ["update ReplicaSet web"]);
      assert.match(decision.events?.[0]?.message ?? "", message);
      const work = job("work", { podSpec });
      const ofJob = decide(jobController, work, worldOf([work]));
      assert.deepEqual(acts(ofJob), ["update Job work"]);
      assert.match(ofJob.events?.[0]?.message ?? "", message);
    });
});

describe("priority class controller", () => {
  it("makes the classes of the system, once, and again when they are deleted", () => {
    const [first, second] = priorityClassController.keys(worldOf([]).snapshot);
    assert(first !== undefined && second !== undefined);
    const made = [first, second].map((key) => decide(priorityClassController, key, worldOf([])).changes?.creates[0]);
    assert.deepEqual(
      made.map((one) => [one?.metadata.name, one?.["value"]]),
      [
        ["system-cluster-critical", 2_000_000_000],
        ["system-node-critical", 2_000_001_000],
      ],
    );
    const stored = priorityClass(first.name, 2_000_000_000);
    assert.deepEqual(decide(priorityClassController, first, worldOf([stored])), {});
    const { snapshot } = worldOf([]);
    assert.deepEqual(priorityClassController.wakes(any(stored), undefined, snapshot), [first]);
    assert.deepEqual(priorityClassController.wakes(undefined, any(stored), snapshot), []);
    const own = { groupKind: first.groupKind, namespace: "", name: "own" };
    assert.deepEqual(decide(priorityClassController, own, worldOf([])), {});
  });
});

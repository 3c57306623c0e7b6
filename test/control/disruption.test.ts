import assert from "node:assert/strict";
import type { PodDisruptionBudget, PodDisruptionBudgetSpec } from "../../src/api/kinds/policy.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import type { ObjectMeta } from "../../src/api/object.js";
import { disruptionController } from "../../src/controllers/disruption.js";
import { IkadaError } from "../../src/base/errors.js";
import { evictPod } from "../../src/objects/evict-pod.js";
import { toTimestamp } from "../../src/api/time.js";
import { changed, decide, now, worldOf } from "./fixture.js";
import { any, deployment, ownedBy, pod, readyStatus, replicaSet } from "./objects.js";

type Given = { readonly metadata: ObjectMeta };

const web = { app: "web" };
const budget = (spec: PodDisruptionBudgetSpec, status?: PodDisruptionBudget["status"]): PodDisruptionBudget => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: "web", namespace: "default", uid: "uid-pdb", generation: 2, resourceVersion: "1" },
  spec: { selector: { matchLabels: web }, ...spec },
  ...(status === undefined ? {} : { status }),
});
const set = replicaSet("web-1", { replicas: 9 }, ownedBy(deployment({ replicas: 5 })));
const webPod = (name: string, ready = true, more: Partial<ObjectMeta> = {}): Pod =>
  pod(name, {
    metadata: { labels: web, ...ownedBy(set), ...more },
    status: readyStatus(now, ready),
    spec: { nodeName: "a" },
  });
const five = ["p1", "p2", "p3", "p4", "p5"].map((name) => webPod(name));

function statusOf(spec: PodDisruptionBudgetSpec, objects: readonly Given[], before?: PodDisruptionBudget["status"]) {
  const given = budget(spec, before);
  const decision = decide(disruptionController, given, worldOf([given, deployment({ replicas: 5 }), set, ...objects]));
  return { decision, status: changed<PodDisruptionBudget>(decision, "PodDisruptionBudget", "web")?.status };
}

describe("disruption budgets", () => {
  const table: readonly (readonly [string, PodDisruptionBudgetSpec, readonly Pod[], readonly number[]])[] = [
    // allowed, healthy, needed, expected
    ["minAvailable as a number counts Pods", { minAvailable: 3 }, five, [2, 5, 3, 5]],
    ["minAvailable as a percentage is of what is wanted, rounded up", { minAvailable: "50%" }, five, [2, 5, 3, 5]],
    ["maxUnavailable is of what is wanted", { maxUnavailable: 1 }, five, [1, 5, 4, 5]],
    ["maxUnavailable as a percentage is rounded up", { maxUnavailable: "30%" }, five, [2, 5, 3, 5]],
    ["what is missing already counts", { maxUnavailable: 1 }, five.slice(1), [0, 4, 4, 5]],
    ["what is not ready is not healthy", { minAvailable: 3 }, [webPod("p0", false), ...five.slice(1)], [1, 4, 3, 5]],
    [
      "nor is what is on its way out",
      { minAvailable: 3 },
      [webPod("p1", true, { deletionTimestamp: toTimestamp(now) }), ...five.slice(1)],
      [1, 4, 3, 5],
    ],
    ["0% may all stay", { maxUnavailable: "0%" }, five, [0, 5, 5, 5]],
    ["100% may all go", { maxUnavailable: "100%" }, five, [5, 5, 0, 5]],
    ["Pods of other labels do not count", { minAvailable: 1 }, [pod("x", { status: readyStatus(now) })], [0, 0, 1, 0]],
  ];
  for (const [rule, spec, pods, [allowed, healthy, needed, expected]] of table)
    it(rule, () => {
      const { status } = statusOf(spec, pods);
      assert.deepEqual(
        [status?.disruptionsAllowed, status?.currentHealthy, status?.desiredHealthy, status?.expectedPods],
        [allowed, healthy, needed, expected],
      );
      assert.equal(status?.observedGeneration, 2);
      assert.equal(status?.conditions?.[0]?.reason, allowed! > 0 ? "SufficientPods" : "InsufficientPods");
    });

  it("what wants no number of Pods is no owner to take a share of: nothing is allowed, with the reason", () => {
    const job = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "odd", namespace: "default", uid: "uid-odd" },
    };
    const odd = pod("p", { metadata: { labels: web, ...ownedBy(job) }, status: readyStatus(now) });
    const { status } = statusOf({ maxUnavailable: 1 }, [job, odd]);
    assert.equal(status?.disruptionsAllowed, 0);
    assert.deepEqual(
      status?.conditions?.map(({ reason, message }) => [reason, message]),
      [["SyncFailed", "ConfigMap odd does not implement the scale subresource"]],
    );
  });

  it("a granted eviction counts for two minutes, unless the Pod is gone before", () => {
    const at = (seconds: number): string => toTimestamp(now - seconds * 1000);
    const before = { disruptedPods: { p1: at(10), p2: at(121), gone: at(1) } };
    const { status, decision } = statusOf({ minAvailable: 3 }, five, before);
    assert.deepEqual(status?.disruptedPods, { p1: at(10) });
    assert.equal(status?.disruptionsAllowed, 1);
    assert.equal(decision.wakeAt, now + 110_000);
  });

  it("writes nothing when all is as it says", () => {
    const { status } = statusOf({ minAvailable: 3 }, five);
    assert.equal(statusOf({ minAvailable: 3 }, five, status).decision.changes, undefined);
  });

  it("wakes for its Pods' health and for the number that is wanted, not for a Pod's other news", () => {
    const given = budget({ minAvailable: 3 });
    const { snapshot } = worldOf([given, set, ...five]);
    const wakes = (before: Given | undefined, after: Given | undefined): number =>
      disruptionController.wakes(before && any(before), after && any(after), snapshot).length;
    assert.equal(wakes(webPod("p1"), webPod("p1", false)), 1);
    assert.equal(wakes(webPod("p1"), webPod("p1", true, { annotations: { a: "b" } })), 0);
    assert.equal(wakes(undefined, pod("x")), 0);
    assert.equal(wakes(webPod("p1"), undefined), 1);
    assert.equal(wakes(deployment({ replicas: 5 }), deployment({ replicas: 6 })), 1);
    assert.equal(wakes(deployment({ replicas: 5 }), deployment({ replicas: 5, paused: true })), 0);
  });
});

describe("an eviction", () => {
  const status = {
    observedGeneration: 2,
    disruptionsAllowed: 1,
    currentHealthy: 3,
    desiredHealthy: 2,
    expectedPods: 3,
  };
  const evict = (one: Pod, ...budgets: readonly PodDisruptionBudget[]) => evictPod(one, budgets, {}, now);
  const refusal = (one: Pod, ...budgets: readonly PodDisruptionBudget[]): string => {
    try {
      evict(one, ...budgets);
    } catch (caught) {
      const { reason, message, details } = IkadaError.from(caught);
      return `${reason}: ${message} ${details.hint ?? ""}`.trimEnd();
    }
    return "granted";
  };
  const refused = "DisruptionBudget: Cannot evict pod as it would violate the pod's disruption budget.";

  it("takes one from the budget and marks the Pod, in one transaction", () => {
    const { changes } = evict(webPod("p1"), budget({}, status));
    const [updated, gone] = changes.updates as unknown as readonly [PodDisruptionBudget, Pod];
    assert.equal(updated.status?.disruptionsAllowed, 0);
    assert.deepEqual(updated.status?.disruptedPods, { p1: toTimestamp(now) });
    assert.equal(gone.metadata.deletionGracePeriodSeconds, 30);
    assert.equal(gone.status?.conditions?.at(-1)?.reason, "EvictionByEvictionAPI");
  });

  it("is refused when the budget has nothing left, has not been looked at, or can't be told", () => {
    assert.equal(
      refusal(webPod("p1"), budget({}, { ...status, disruptionsAllowed: 0 })),
      `${refused} The disruption budget web needs 2 healthy pods and has 3 currently`,
    );
    assert.equal(
      refusal(webPod("p1"), budget({}, { ...status, observedGeneration: 1 })),
      `${refused} The disruption budget web is still being processed by the server.`,
    );
    assert.equal(
      refusal(webPod("p1"), budget({})),
      `${refused} The disruption budget web is still being processed by the server.`,
    );
    const conditions = [{ type: "DisruptionAllowed", status: "False" as const, reason: "SyncFailed", message: "odd" }];
    assert.match(
      refusal(webPod("p1"), budget({}, { ...status, disruptionsAllowed: 0, conditions })),
      /because it failed sync: odd$/,
    );
  });

  it("has bounds against what makes no sense", () => {
    assert.match(refusal(webPod("p1"), budget({}, { ...status, disruptionsAllowed: -1 })), /^Forbidden: .*negative/);
    const disruptedPods = Object.fromEntries(Array.from({ length: 2001 }, (_, at) => [`p${at}`, toTimestamp(now)]));
    assert.match(
      refusal(webPod("p1"), budget({}, { ...status, disruptedPods })),
      /^Forbidden: DisruptedPods map too big/,
    );
    assert.match(
      refusal(webPod("p1"), budget({}, status), budget({}, status)),
      /^Unsupported: This pod has more than one/,
    );
  });

  const none = { ...status, disruptionsAllowed: 0 };
  const free: readonly (readonly [string, Pod])[] = [
    ["is pending", { ...webPod("p1"), status: { phase: "Pending" } }],
    ["has succeeded", { ...webPod("p1"), status: { phase: "Succeeded" } }],
    ["has failed", { ...webPod("p1"), status: { phase: "Failed" } }],
    ["goes already", webPod("p1", true, { deletionTimestamp: toTimestamp(now), deletionGracePeriodSeconds: 30 })],
    ["is of no budget", pod("x", { status: readyStatus(now), spec: { nodeName: "a" } })],
  ];
  for (const [what, one] of free)
    it(`needs no budget for a Pod that ${what}`, () => assert.equal(refusal(one, budget({}, none)), "granted"));

  it("of a Pod that runs and is not ready is free while enough others are healthy, or always where the budget says so", () => {
    const unready = webPod("p1", false);
    assert.equal(refusal(unready, budget({}, none)), "granted");
    assert.match(refusal(unready, budget({}, { ...none, currentHealthy: 1 })), /^DisruptionBudget/);
    assert.match(refusal(unready, budget({}, { ...none, desiredHealthy: 0, currentHealthy: 0 })), /^DisruptionBudget/);
    const always = budget({ unhealthyPodEvictionPolicy: "AlwaysAllow" }, { ...none, currentHealthy: 1 });
    assert.equal(refusal(unready, always), "granted");
    // Nothing is taken from the budget for it.
    assert.equal(evict(unready, always).changes.updates.length, 1);
  });

  it("with a precondition that does not hold is refused before anything else", () => {
    assert.throws(() => evictPod(webPod("p1"), [], { uid: "other" }, now), /has the uid/);
  });

  it("an empty selector is about all Pods of the Namespace, an absent one about none", () => {
    const selecting = (selector: object | undefined): PodDisruptionBudget => ({
      ...budget({}, none),
      spec: selector === undefined ? {} : { selector },
    });
    const other = pod("x", { status: readyStatus(now), spec: { nodeName: "a" } });
    assert.match(refusal(other, selecting({})), /^DisruptionBudget/);
    assert.equal(refusal(other, selecting(undefined)), "granted");
  });
});

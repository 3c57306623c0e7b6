import { sameJson } from "../api/json.js";
import type { PodDisruptionBudget } from "../api/kinds/policy.js";
import type { Pod } from "../api/kinds/pod.js";
import { countAt, valueAt } from "../api/path.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject, kindOf } from "../api/registry.js";
import { matchesSelector } from "../api/selector.js";
import { fromTimestamp } from "../api/time.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import { noChanges } from "../objects/transaction.js";
import { withCondition, type Verdict } from "./conditions.js";
import type { Controller, Decision, World } from "./controller.js";
import { asObject, controllerOf, isActive, isReady, isTerminating } from "./pod-state.js";
import { amountOf } from "./rollout.js";
import { earliest } from "./set-view.js";

/**
 * Keeps the status of PodDisruptionBudgets: how many of their Pods are healthy, how many have to be, and so how many may go. Kubernetes'
 * pkg/controller/disruption.
 */
export const disruptionController: Controller = {
  name: "disruption",
  wakes: budgetsConcerned,
  keys: (snapshot) => snapshot.list(budgetKind).map(keyOfObject),
  reconcile(key: ObjectKey, world: World): Decision {
    const budget = world.snapshot.get<PodDisruptionBudget>(budgetKind, key.namespace, key.name);
    return budget === undefined || isTerminating(budget) ? {} : decide(budget, world);
  },
};

const budgetKind = "policy/PodDisruptionBudget";
/** A granted eviction whose Pod is still there after this time did not happen. */
const disruptionMs = 2 * 60_000;

function decide(budget: PodDisruptionBudget, { snapshot, now }: World): Decision {
  const pods = podsOf(budget, snapshot);
  const disrupted = stillDisrupted(budget, pods, now);
  const expectation = expectationOf(budget, pods, snapshot);
  const currentHealthy = pods.filter(
    (pod) => isReady(pod) && !isTerminating(pod) && disrupted.pods[pod.metadata.name] === undefined,
  ).length;
  const { expectedPods = 0, desiredHealthy = 0, fault } = expectation;
  const allowed = expectedPods <= 0 || fault !== undefined ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const verdict: Verdict = {
    type: "DisruptionAllowed",
    status: allowed > 0 ? "True" : "False",
    reason: fault === undefined ? (allowed > 0 ? "SufficientPods" : "InsufficientPods") : "SyncFailed",
    message: fault ?? "",
  };
  const { status = {} } = budget;
  const { disruptedPods: _, ...rest } = status;
  const updated: PodDisruptionBudget = {
    ...budget,
    status: {
      ...rest,
      ...(Object.keys(disrupted.pods).length > 0 ? { disruptedPods: disrupted.pods } : {}),
      // With a fault what was counted last stays, and nothing is allowed.
      ...(fault === undefined ? { currentHealthy, desiredHealthy, expectedPods } : {}),
      disruptionsAllowed: allowed,
      observedGeneration: budget.metadata.generation ?? 0,
      conditions: withCondition(status.conditions ?? [], verdict, now),
    },
  };
  const wake = disrupted.wakeAt === undefined ? {} : { wakeAt: disrupted.wakeAt };
  if (sameJson(updated.status, budget.status)) return wake;
  return { ...wake, changes: { ...noChanges, updates: [asObject(updated)] } };
}

function podsOf({ spec, metadata }: PodDisruptionBudget, snapshot: Snapshot): readonly Pod[] {
  const { selector } = spec;
  if (selector === undefined) return [];
  return snapshot
    .list<Pod>("/Pod", metadata.namespace ?? "")
    .filter((pod) => matchesSelector(selector, pod.metadata.labels));
}

interface Expectation {
  readonly expectedPods?: number;
  readonly desiredHealthy?: number;
  /** Why it can't be told. */
  readonly fault?: string;
}

function expectationOf({ spec }: PodDisruptionBudget, pods: readonly Pod[], snapshot: Snapshot): Expectation {
  const { minAvailable, maxUnavailable } = spec;
  if (typeof minAvailable === "number") return { expectedPods: pods.length, desiredHealthy: minAvailable };
  if (minAvailable === undefined && maxUnavailable === undefined) return { expectedPods: 0, desiredHealthy: 0 };
  const scale = wantedReplicas(pods, snapshot);
  if (typeof scale === "string") return { fault: scale };
  if (minAvailable !== undefined)
    return { expectedPods: scale, desiredHealthy: amountOf(minAvailable, scale, Math.ceil) };
  return { expectedPods: scale, desiredHealthy: Math.max(0, scale - amountOf(maxUnavailable ?? 0, scale, Math.ceil)) };
}

/** What the owners of the Pods want together: of a ReplicaSet that has one, its Deployment. Pods on their own do not count. A text: why that can't be told. */
function wantedReplicas(pods: readonly Pod[], snapshot: Snapshot): number | string {
  const scales = new Map<string, number>();
  for (const pod of pods) {
    const reference = controllerOf(pod);
    if (reference === undefined || scales.has(reference.uid)) continue;
    const owner = topOwner(snapshot.byUid(reference.uid), snapshot);
    if (owner === undefined) continue;
    if (!kindOf(owner).hasScale) return `${owner.kind} ${owner.metadata.name} does not implement the scale subresource`;
    const replicas = valueAt(owner, "spec", "replicas");
    scales.set(reference.uid, 0);
    scales.set(owner.metadata.uid ?? "", replicas === undefined ? 1 : countAt(owner, "spec", "replicas"));
  }
  return [...scales.values()].reduce((sum, scale) => sum + scale, 0);
}

function topOwner(owner: AnyObject | undefined, snapshot: Snapshot): AnyObject | undefined {
  const above = owner && controllerOf(owner);
  const higher = above && snapshot.byUid(above.uid);
  return higher !== undefined && kindOf(higher).hasScale ? higher : owner;
}

/** Granted evictions that may still take place. */
function stillDisrupted(
  { status }: PodDisruptionBudget,
  pods: readonly Pod[],
  now: number,
): { readonly pods: Readonly<Record<string, string>>; readonly wakeAt: number | undefined } {
  const kept: Record<string, string> = {};
  let wakeAt: number | undefined;
  for (const [name, time] of Object.entries(status?.disruptedPods ?? {})) {
    const pod = pods.find(({ metadata }) => metadata.name === name);
    const until = (fromTimestamp(time) ?? 0) + disruptionMs;
    // One that is on its way out is not healthy anyway.
    if (pod === undefined || isTerminating(pod) || until <= now) continue;
    kept[name] = time;
    wakeAt = earliest(wakeAt, until);
  }
  return { pods: kept, wakeAt };
}

/** The budget itself; those of a Pod that came, went, changed its labels or its health; all of the Namespace when a number of replicas changed. */
function budgetsConcerned(
  before: AnyObject | undefined,
  after: AnyObject | undefined,
  snapshot: Snapshot,
): readonly ObjectKey[] {
  const object = after ?? before;
  if (object === undefined) return [];
  const groupKind = groupKindOfObject(object);
  if (groupKind === budgetKind) return [keyOfObject(object)];
  const namespace = object.metadata.namespace ?? "";
  if (namespace === "") return [];
  if (groupKind === "/Pod") {
    const [was, is] = [before as Pod | undefined, after as Pod | undefined];
    if (was !== undefined && is !== undefined && countsAlike(was, is)) return [];
    const budgets = snapshot.list<PodDisruptionBudget>(budgetKind, namespace);
    return budgets
      .filter(({ spec: { selector } }) =>
        [was, is].some((pod) => pod && selector && matchesSelector(selector, pod.metadata.labels)),
      )
      .map((budget) => keyOfObject(asObject(budget)));
  }
  if (!kindOf(object).hasScale) return [];
  if (valueAt(before, "spec", "replicas") === valueAt(after, "spec", "replicas")) return [];
  return snapshot.list(budgetKind, namespace).map(keyOfObject);
}

function countsAlike(was: Pod, is: Pod): boolean {
  return (
    isActive(was) === isActive(is) &&
    isReady(was) === isReady(is) &&
    sameJson(was.metadata.labels, is.metadata.labels) &&
    controllerOf(was)?.uid === controllerOf(is)?.uid
  );
}

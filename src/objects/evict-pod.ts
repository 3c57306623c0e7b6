import { IkadaError } from "../base/errors.js";
import { checkPreconditions } from "../api/preconditions.js";
import type { PodDisruptionBudget } from "../api/kinds/policy.js";
import type { Pod } from "../api/kinds/pod.js";
import type { AnyObject, Condition } from "../api/object.js";
import { matchesSelector } from "../api/selector.js";
import { toTimestamp } from "../api/time.js";
import { deletePod, type DeleteOptions, type Deletion } from "./delete-object.js";
import { mergeChanges, noChanges } from "./transaction.js";

/** The budgets, of all given, that are about this Pod. */
export function budgetsOf(pod: Pod, budgets: readonly PodDisruptionBudget[]): readonly PodDisruptionBudget[] {
  return budgets.filter(
    ({ spec, metadata }) =>
      metadata.namespace === pod.metadata.namespace &&
      spec.selector !== undefined &&
      matchesSelector(spec.selector, pod.metadata.labels),
  );
}

/**
 * What an eviction of `pod` does, as in Kubernetes' eviction subresource: a deletion that a disruption budget may forbid. Granting it
 * takes one from the budget in the same transaction. Pods that do not run yet, have ended or go already need no budget; those that run and are not ready
 * need none when the budget says so, or while enough others are healthy.
 * @throws IkadaError DisruptionBudget when the budget has nothing left, or has not been looked at since it was changed; Conflict for a
 * precondition, Unsupported when two budgets are about the Pod, Forbidden when the budget's status makes no sense
 */
export function evictPod(
  pod: Pod,
  budgets: readonly PodDisruptionBudget[],
  options: DeleteOptions,
  now: number,
): Deletion {
  checkPreconditions(asObject(pod), options);
  const about = budgetsOf(pod, budgets);
  if (needsNoBudget(pod)) return deletePod(asObject(pod), options, now);
  const [budget, second] = about;
  if (second !== undefined)
    throw new IkadaError(
      "Unsupported",
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
      { object: nameOf(pod), hint: `leave one of ${about.map(({ metadata }) => metadata.name).join(", ")}` },
    );
  const deletion = deletePod(asObject(marked(pod, now)), options, now);
  if (budget === undefined || isFreeToGo(pod, budget)) return deletion;
  const updated = asObject(takenFrom(budget, pod, now));
  return { ...deletion, changes: mergeChanges([{ ...noChanges, updates: [updated] }, deletion.changes]) };
}

/** Kubernetes' bound; above it the budget's controller does not keep up. */
const disruptedPodsMax = 2000;

function needsNoBudget({ metadata, status }: Pod): boolean {
  const phase = status?.phase ?? "Pending";
  return metadata.deletionTimestamp !== undefined || phase === "Succeeded" || phase === "Failed" || phase === "Pending";
}

function isFreeToGo({ status }: Pod, { spec, status: budget }: PodDisruptionBudget): boolean {
  if (status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true) return false;
  if (spec.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

/** The budget with one disruption less. @throws IkadaError DisruptionBudget, Forbidden */
function takenFrom(budget: PodDisruptionBudget, pod: Pod, now: number): PodDisruptionBudget {
  const { name, generation = 0 } = budget.metadata;
  const { status = {} } = budget;
  const { observedGeneration = 0, disruptionsAllowed = 0, disruptedPods = {} } = status;
  if (observedGeneration < generation)
    throw refused(pod, `The disruption budget ${name} is still being processed by the server.`);
  if (disruptionsAllowed < 0)
    throw new IkadaError("Forbidden", "pdb disruptions allowed is negative", { object: nameOf(pod) });
  if (Object.keys(disruptedPods).length > disruptedPodsMax)
    throw new IkadaError(
      "Forbidden",
      "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
      {
        object: nameOf(pod),
      },
    );
  if (disruptionsAllowed === 0) throw refused(pod, whyNone(budget));
  const left = disruptionsAllowed - 1;
  return {
    ...budget,
    status: {
      ...status,
      disruptionsAllowed: left,
      disruptedPods: { ...disruptedPods, [pod.metadata.name]: toTimestamp(now) },
    },
  };
}

function whyNone({ metadata, status }: PodDisruptionBudget): string {
  const failed = status?.conditions?.find(
    ({ type, reason }) => type === "DisruptionAllowed" && reason === "SyncFailed",
  );
  if (failed !== undefined)
    return `The disruption budget ${metadata.name} does not allow evicting pods currently because it failed sync: ${failed.message ?? ""}`;
  const { desiredHealthy = 0, currentHealthy = 0 } = status ?? {};
  return `The disruption budget ${metadata.name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
}

function refused(pod: Pod, cause: string): IkadaError {
  return new IkadaError("DisruptionBudget", "Cannot evict pod as it would violate the pod's disruption budget.", {
    object: nameOf(pod),
    hint: cause,
  });
}

function marked(pod: Pod, now: number): Pod {
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== "DisruptionTarget");
  const target: Condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "EvictionByEvictionAPI",
    message: "Eviction API: evicting",
    lastTransitionTime: toTimestamp(now),
  };
  return { ...pod, status: { ...pod.status, conditions: [...others, target] } };
}

function nameOf(pod: Pod): string {
  return `pods "${pod.metadata.name}"`;
}

function asObject(object: Pod | PodDisruptionBudget): AnyObject {
  return object as unknown as AnyObject;
}

import { completionIndexKey, isIndexed, trackingFinalizer, type Job } from "../api/kinds/batch.js";
import type { Pod } from "../api/kinds/pod.js";
import { hasIndex, indexSetOf, sizeOf, storedIndexes, unionOf, type IndexSet } from "../api/index-set.js";
import type { Snapshot } from "../objects/snapshot.js";
import { judgeFailure } from "./pod-failure-policy.js";
import { finishedAt, isActive, isControlledBy, isFinished, isTerminating } from "./pod-state.js";

/** A Job and its Pods, counted: what Kubernetes' syncJobCtx holds. The counts are those of the status and what has ended since. */
export interface JobView {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly active: readonly Pod[];
  /** Being deleted, and not known to have ended. */
  readonly terminating: readonly Pod[];
  /** Ended, and not in the status yet. Of an Indexed Job only those with an index of it. */
  readonly newSucceeded: readonly Pod[];
  readonly newFailed: readonly Pod[];
  readonly succeeded: number;
  readonly failed: number;
  /** Of an Indexed Job. */
  readonly completedIndexes: IndexSet;
  /** Of a Job with backoffLimitPerIndex. */
  readonly failedIndexes: IndexSet;
  /** By index: the last failed Pod of an index that is to be tried again. It stays until its successor has taken over its count. */
  readonly heldBack: ReadonlyMap<number, Pod>;
}

export function viewJob(job: Job, snapshot: Snapshot): JobView {
  const pods = snapshot.ownedBy<Pod>(job.metadata.uid ?? "", "/Pod").filter((pod) => isControlledBy(pod, job));
  const uncounted = pods.filter((pod) => isTracked(pod) && hasPlace(pod, job));
  const newSucceeded = uncounted.filter((pod) => pod.status?.phase === "Succeeded");
  const newFailed = uncounted.filter((pod) => hasFailed(pod, job));
  const { status = {}, spec } = job;
  const counted = newFailed.filter((pod) => judgeFailure(spec.podFailurePolicy, pod).counts);
  const view = {
    job,
    pods,
    active: pods.filter(isActive),
    terminating: pods.filter((pod) => isTerminating(pod) && !isFinished(pod)),
    newSucceeded,
    newFailed,
    failed: (status.failed ?? 0) + counted.length,
  };
  if (!isIndexed(spec)) {
    const succeeded = (status.succeeded ?? 0) + newSucceeded.length;
    return { ...view, succeeded, completedIndexes: [], failedIndexes: [], heldBack: new Map() };
  }
  const limit = spec.completions ?? 0;
  const known = storedIndexes(status.completedIndexes, limit);
  const completedIndexes = unionOf(known, indexSetOf(newSucceeded.map(indexOf)));
  const newFailedIndexes = newFailed.filter((pod) => failsIndex(pod, job)).map(indexOf);
  const failedIndexes = unionOf(storedIndexes(status.failedIndexes, limit), indexSetOf(newFailedIndexes));
  const done = unionOf(completedIndexes, failedIndexes, indexSetOf(view.active.map(indexOf).filter((at) => at >= 0)));
  return {
    ...view,
    succeeded: sizeOf(completedIndexes),
    completedIndexes,
    failedIndexes,
    heldBack: hasLimitPerIndex(job) ? lastFailures(newFailed, done) : new Map(),
  };
}

/** Not counted yet. */
export function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(trackingFinalizer) === true;
}

/** The completion index of an Indexed Job's Pod; -1 when it has none. */
export function indexOf(pod: Pod): number {
  const text = pod.metadata.annotations?.[completionIndexKey] ?? "";
  return /^\d{1,10}$/.test(text) ? Number(text) : -1;
}

export function hasLimitPerIndex({ spec }: Job): boolean {
  return isIndexed(spec) && spec.backoffLimitPerIndex !== undefined;
}

/** Its place in the count: of an Indexed Job an index below the number of completions. */
export function hasPlace(pod: Pod, { spec }: Job): boolean {
  return !isIndexed(spec) || (indexOf(pod) >= 0 && indexOf(pod) < (spec.completions ?? 0));
}

/** A Pod that is replaced only when it has ended has not failed before. Else a deleted one counts at once: it may never be heard of again. */
export function hasFailed(pod: Pod, job: Job): boolean {
  const phase = pod.status?.phase;
  if (phase === "Failed") return true;
  return !replacesEndedOnly(job) && isTerminating(pod) && phase !== "Succeeded";
}

export function replacesEndedOnly({ spec }: Job): boolean {
  return spec.podReplacementPolicy === "Failed" || spec.podFailurePolicy !== undefined;
}

/** How often the Pod's index had failed before it was made; `ignored` ones do not count against the limit. */
export function indexFailures(pod: Pod): { readonly counted: number; readonly ignored: number } {
  const read = (key: string): number => {
    const text = pod.metadata.annotations?.[key] ?? "";
    return /^\d{1,9}$/.test(text) ? Number(text) : 0;
  };
  return { counted: read(indexFailuresKey), ignored: read(indexIgnoredKey) };
}

export const indexFailuresKey = "batch.kubernetes.io/job-index-failure-count";
export const indexIgnoredKey = "batch.kubernetes.io/job-index-ignored-failure-count";

function failsIndex(pod: Pod, job: Job): boolean {
  const { backoffLimitPerIndex, podFailurePolicy } = job.spec;
  if (backoffLimitPerIndex === undefined) return false;
  const { action, counts } = judgeFailure(podFailurePolicy, pod);
  return action === "FailIndex" || (counts && indexFailures(pod).counted >= backoffLimitPerIndex);
}

function lastFailures(failed: readonly Pod[], done: IndexSet): ReadonlyMap<number, Pod> {
  const last = new Map<number, Pod>();
  for (const pod of failed) {
    const index = indexOf(pod);
    if (hasIndex(done, index)) continue;
    const before = last.get(index);
    if (before === undefined || isLater(pod, before)) last.set(index, pod);
  }
  return last;
}

function isLater(pod: Pod, other: Pod): boolean {
  const failures = (one: Pod): number => indexFailures(one).counted + indexFailures(one).ignored;
  return failures(pod) >= failures(other) && finishedAt(pod) >= finishedAt(other);
}

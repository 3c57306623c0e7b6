import { isIndexed } from "../api/kinds/batch.js";
import type { Pod } from "../api/kinds/pod.js";
import { indexSetOf, missingFrom, unionOf } from "../api/index-set.js";
import { deletionOrder } from "./deletion-order.js";
import { backoffWith, nextPodAt, nextPodOfIndexAt } from "./job-backoff.js";
import { hasLimitPerIndex, hasPlace, indexOf, replacesEndedOnly, type JobView } from "./job-view.js";
import type { Snapshot } from "../objects/snapshot.js";
import { earliest } from "./set-view.js";

/** What a Job that goes on does now: Pods are deleted or made, never both (Kubernetes' manageJob). */
export interface JobPlan {
  readonly deletes: readonly Pod[];
  /** Pods to make: of an Indexed Job their indexes, else as many undefined. */
  readonly makes: readonly (number | undefined)[];
  /** From when on a Pod may be made that is held back by its predecessors' failures. */
  readonly wakeAt?: number;
}

/** `makesMax`: of Pods to make. */
export function planOf(view: JobView, snapshot: Snapshot, now: number, makesMax: number): JobPlan {
  const { job, active } = view;
  if (job.spec.suspend === true) return { deletes: active, makes: [] };
  const wanted = wantedActive(view);
  const deletes = victimsOf(view, Math.max(0, active.length - wanted), snapshot);
  if (deletes.length > 0) return { deletes, makes: [] };
  const leaving = replacesEndedOnly(job) ? view.terminating.length : 0;
  const missing = Math.min(makesMax, wanted - leaving - active.length);
  if (missing <= 0) return { deletes, makes: [] };
  if (hasLimitPerIndex(job)) return planByIndex(view, missing, now);
  const at = nextPodAt(backoffWith(job.metadata.annotations, view.newSucceeded, view.newFailed));
  if (at > now) return { deletes, makes: [], wakeAt: at };
  if (!isIndexed(job.spec)) return { deletes, makes: Array.from({ length: missing }, () => undefined) };
  return { deletes, makes: [...firstOf(pendingIndexes(view), missing)] };
}

/** Each index waits for its own failures alone. */
function planByIndex(view: JobView, missing: number, now: number): JobPlan {
  const makes: number[] = [];
  let wakeAt: number | undefined;
  for (const index of pendingIndexes(view)) {
    const failed = view.heldBack.get(index);
    const at = failed === undefined ? now : nextPodOfIndexAt(failed);
    if (at > now) wakeAt = earliest(wakeAt, at);
    else if (makes.push(index) === missing) break;
  }
  return { deletes: [], makes, ...(wakeAt === undefined || makes.length === missing ? {} : { wakeAt }) };
}

/** Of a work queue no more are started once one has succeeded. */
function wantedActive({ job, active, succeeded }: JobView): number {
  const { completions, parallelism = 1 } = job.spec;
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(parallelism, completions - succeeded));
}

function pendingIndexes(view: JobView): Generator<number> {
  const { job, active, terminating, completedIndexes, failedIndexes } = view;
  const busy = replacesEndedOnly(job) ? [...active, ...terminating] : active;
  const taken = indexSetOf(busy.map(indexOf).filter((index) => index >= 0));
  return missingFrom(unionOf(taken, completedIndexes, failedIndexes), job.spec.completions ?? 0);
}

function* firstOf(indexes: Iterable<number>, count: number): Generator<number> {
  let left = count;
  for (const index of indexes) {
    if (left-- <= 0) return;
    yield index;
  }
}

/** Pods without a place among the indexes or with one that another has, and then as many as are too many, in the order of ReplicaSets. */
function victimsOf({ job, active }: JobView, surplus: number, snapshot: Snapshot): readonly Pod[] {
  const misplaced = isIndexed(job.spec) ? active.filter((pod) => !hasPlace(pod, job)) : [];
  if (surplus === 0 && misplaced.length === 0 && !isIndexed(job.spec)) return [];
  const ordered = deletionOrder({ set: job, active }, snapshot);
  const doubled: Pod[] = [];
  if (isIndexed(job.spec)) {
    const seen = new Set<number>();
    // From the last to be deleted on: the one that is left is the best of its index.
    for (const pod of [...ordered].reverse()) {
      if (!hasPlace(pod, job)) continue;
      if (seen.has(indexOf(pod))) doubled.push(pod);
      seen.add(indexOf(pod));
    }
  }
  const first = new Set([...misplaced, ...doubled]);
  const others = ordered.filter((pod) => !first.has(pod)).slice(0, Math.max(0, surplus - first.size));
  return [...first, ...others];
}

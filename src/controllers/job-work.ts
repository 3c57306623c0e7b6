import { trackingFinalizer, type Job } from "../api/kinds/batch.js";
import { without } from "../api/json.js";
import type { Pod } from "../api/kinds/pod.js";
import type { Changes } from "../objects/changes.js";
import { updateOrFinish } from "../objects/delete-object.js";
import { mergeChanges } from "../objects/transaction.js";
import { deletion } from "./deletion.js";
import type { JobVerdict } from "./job-verdict.js";
import { hasFailed, hasPlace, indexOf, isTracked, type JobView } from "./job-view.js";
import { judgeFailure } from "./pod-failure-policy.js";
import { asObject, isFinished, isTerminating } from "./pod-state.js";

/** What becomes of a Job's Pods in one decision. */
export interface JobWork {
  readonly changes: Changes;
  /** Counted with this decision: the Pod's finalizer goes in the entry in which the Job's status has it, so that none counts twice or never. */
  readonly succeeded: readonly Pod[];
  readonly failed: readonly Pod[];
  /** Failures that let the next Pod wait: also those that a rule ignores, but not Pods that the Job's own end took. */
  readonly failures: readonly Pod[];
  readonly deleted: readonly Pod[];
  /** The Pods that are left, as they are then. */
  readonly left: readonly Pod[];
  /** None is left that has not been looked at, for want of room in one entry. */
  readonly isWhole: boolean;
}

/** Takes out what has ended or has to go, at most `podsMax` Pods. `verdict`: the Job is to end. */
export function workOf(
  view: JobView,
  deletes: readonly Pod[],
  verdict: JobVerdict | undefined,
  now: number,
  podsMax: number,
): JobWork {
  const { job, pods } = view;
  const doomed = new Set(deletes);
  const wanted = pods.filter((pod) => doomed.has(pod) || (isTracked(pod) && mayRelease(pod, view, verdict)));
  const touched = new Set(wanted.slice(0, podsMax));
  const released = [...touched].filter(isTracked);
  const left: Pod[] = [];
  const changes = pods.flatMap((pod): readonly Changes[] => {
    const done = touched.has(pod) ? changesOf(pod, doomed.has(pod), now) : undefined;
    if (done === undefined || done.removes.length === 0) left.push((done?.updates[0] as Pod | undefined) ?? pod);
    return done === undefined ? [] : [done];
  });
  return {
    changes: mergeChanges(changes),
    succeeded: released.filter((pod) => pod.status?.phase === "Succeeded" && hasPlace(pod, job)),
    failed: released.filter((pod) => countsAsFailed(pod, job, verdict)),
    failures: released.filter((pod) => hasFailed(pod, job) && hasPlace(pod, job)),
    deleted: deletes.filter((pod) => touched.has(pod)),
    left,
    isWhole: touched.size === wanted.length,
  };
}

/** The Pod without the Job's finalizer. */
export function released(pod: Pod): Pod {
  const finalizers = (pod.metadata.finalizers ?? []).filter((name) => name !== trackingFinalizer);
  const metadata = without(pod.metadata, "finalizers");
  return { ...pod, metadata: finalizers.length > 0 ? { ...metadata, finalizers } : metadata };
}

/** Kubernetes' canRemoveFinalizer. */
function mayRelease(pod: Pod, { job, heldBack }: JobView, verdict: JobVerdict | undefined): boolean {
  if (verdict !== undefined || isTerminating(job) || pod.status?.phase === "Succeeded") return true;
  return hasFailed(pod, job) && heldBack.get(indexOf(pod)) !== pod;
}

/** When a Job fails, what still ran of it counts as failed. */
function countsAsFailed(pod: Pod, job: Job, verdict: JobVerdict | undefined): boolean {
  if (pod.status?.phase === "Succeeded" || !hasPlace(pod, job)) return false;
  if (!hasFailed(pod, job) && verdict?.type !== "FailureTarget") return false;
  return judgeFailure(job.spec.podFailurePolicy, pod).counts;
}

function changesOf(pod: Pod, isDoomed: boolean, now: number): Changes {
  const free = asObject(released(pod));
  return isDoomed && !isTerminating(pod) && !isFinished(pod) ? deletion(free, now) : updateOrFinish(free);
}

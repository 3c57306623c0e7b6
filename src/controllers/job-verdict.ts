import { isIndexed, jobCondition, type Job, type SuccessRule } from "../api/kinds/batch.js";
import { overlapOf, sizeOf, storedIndexes, type IndexSet } from "../api/index-set.js";
import { fromTimestamp } from "../api/time.js";
import { judgeFailure } from "./pod-failure-policy.js";
import { hasFailed, hasLimitPerIndex, type JobView } from "./job-view.js";

/** That a Job is to end, and how. The condition of this type comes at once, `Failed` or `Complete` when no Pod of it is left running. */
export interface JobVerdict {
  readonly type: "FailureTarget" | "SuccessCriteriaMet";
  readonly reason: string;
  readonly message: string;
}

/** Whether the Job is to end without more Pods; what was decided once stays. The order is that of Kubernetes' syncJob. */
export function verdictOf(view: JobView, now: number): JobVerdict | undefined {
  const { job } = view;
  for (const type of ["SuccessCriteriaMet", "FailureTarget"] as const) {
    const decided = jobCondition(job, type);
    if (decided !== undefined) return { type, reason: decided.reason ?? "", message: decided.message ?? "" };
  }
  return failureOf(view, now) ?? successOf(view);
}

function failureOf(view: JobView, now: number): JobVerdict | undefined {
  const { job } = view;
  const fail = (reason: string, message: string): JobVerdict => ({ type: "FailureTarget", reason, message });
  const byPolicy = view.pods
    .filter((pod) => hasFailed(pod, job))
    .map((pod) => judgeFailure(job.spec.podFailurePolicy, pod).message)
    .find((message) => message !== undefined);
  if (byPolicy !== undefined) return fail("PodFailurePolicy", byPolicy);
  if (view.failed > backoffLimitOf(job) || hasRestartedTooOften(view))
    return fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  const deadline = deadlineOf(job);
  if (deadline !== undefined && deadline <= now)
    return fail("DeadlineExceeded", "Job was active longer than specified deadline");
  if (!hasLimitPerIndex(job)) return undefined;
  const failed = sizeOf(view.failedIndexes);
  if (failed > (job.spec.maxFailedIndexes ?? Number.POSITIVE_INFINITY))
    return fail("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
  const isOver = failed + view.succeeded >= (job.spec.completions ?? 0);
  return failed > 0 && isOver ? fail("FailedIndexes", "Job has failed indexes") : undefined;
}

function successOf({ job, completedIndexes }: JobView): JobVerdict | undefined {
  if (!isIndexed(job.spec) || completedIndexes.length === 0) return undefined;
  const rules = job.spec.successPolicy?.rules ?? [];
  const at = rules.findIndex((rule) => isMet(rule, completedIndexes, job.spec.completions ?? 0));
  if (at < 0) return undefined;
  return { type: "SuccessCriteriaMet", reason: "SuccessPolicy", message: `Matched rules at index ${at}` };
}

function isMet({ succeededIndexes, succeededCount }: SuccessRule, done: IndexSet, completions: number): boolean {
  if (succeededIndexes === undefined) return succeededCount !== undefined && sizeOf(done) >= succeededCount;
  // Of a Job that was made smaller, the indexes that are left.
  const wanted = storedIndexes(succeededIndexes, completions);
  if (wanted.length === 0) return false;
  const met = overlapOf(wanted, done);
  return met === sizeOf(wanted) || (succeededCount !== undefined && met >= succeededCount);
}

/** When a Job that is not suspended has been active for too long; undefined: never. Milliseconds since 1970. */
export function deadlineOf({ spec, status }: Job): number | undefined {
  const start = fromTimestamp(status?.startTime ?? "");
  if (spec.activeDeadlineSeconds === undefined || start === undefined || spec.suspend === true) return undefined;
  return start + spec.activeDeadlineSeconds * 1000;
}

/** Restarts in place count as failures too where Pods are restarted in place. */
function hasRestartedTooOften({ job, pods }: JobView): boolean {
  if (job.spec.template.spec.restartPolicy !== "OnFailure") return false;
  let restarts = 0;
  for (const { status } of pods) {
    if (status?.phase !== "Running" && status?.phase !== "Pending") continue;
    for (const container of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])])
      restarts += container.restartCount;
  }
  const limit = backoffLimitOf(job);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

function backoffLimitOf({ spec }: Job): number {
  return spec.backoffLimit ?? 6;
}

import { isIndexed, jobCondition, type Job, type JobStatus } from "../api/kinds/batch.js";
import { formatIndexes, sizeOf } from "../api/index-set.js";
import { without } from "../api/json.js";
import type { Pod } from "../api/kinds/pod.js";
import { toTimestamp } from "../api/time.js";
import { withJobCondition } from "./job-conditions.js";
import type { JobVerdict } from "./job-verdict.js";
import { hasLimitPerIndex, type JobView } from "./job-view.js";
import type { JobWork } from "./job-work.js";
import { isActive, isFinished, isReady, isTerminating } from "./pod-state.js";

/** A Job from the first time that it is looked at and not suspended; suspending takes the start back. */
export function withStart(job: Job, now: number): Job {
  const { status = {} } = job;
  if (job.spec.suspend === true) return { ...job, status: without(status, "startTime") };
  return { ...job, status: { ...status, startTime: status.startTime ?? toTimestamp(now) } };
}

/** The status as it is when the decision is committed. */
export function statusAfter(
  view: JobView,
  work: JobWork,
  made: readonly Pod[],
  verdict: JobVerdict | undefined,
  now: number,
): JobStatus {
  const { job } = view;
  const { status = {}, spec } = job;
  const active = work.left.filter(isActive);
  const terminating = work.left.filter((pod) => isTerminating(pod) && !isFinished(pod));
  const completed = formatIndexes(view.completedIndexes);
  const counted: JobStatus = {
    ...status,
    active: active.length + made.length,
    ready: active.filter(isReady).length,
    terminating: terminating.length,
    succeeded: isIndexed(spec) ? sizeOf(view.completedIndexes) : (status.succeeded ?? 0) + work.succeeded.length,
    failed: (status.failed ?? 0) + work.failed.length,
    ...(completed === "" ? {} : { completedIndexes: completed }),
    ...(hasLimitPerIndex(job) ? { failedIndexes: formatIndexes(view.failedIndexes) } : {}),
  };
  if (verdict === undefined) return withSuspension(counted, job, now);
  const conditions = withJobCondition(status.conditions ?? [], { ...verdict, status: "True" }, now);
  const isOver = work.isWhole && active.length + made.length + terminating.length === 0;
  if (!isOver) return { ...counted, conditions };
  const type = verdict.type === "FailureTarget" ? "Failed" : "Complete";
  return {
    ...counted,
    ...(type === "Complete" ? { completionTime: toTimestamp(now) } : {}),
    conditions: withJobCondition(conditions, { ...verdict, type, status: "True" }, now),
  };
}

function withSuspension(status: JobStatus, job: Job, now: number): JobStatus {
  if (isTerminating(job)) return status;
  const conditions = status.conditions ?? [];
  const after = withJobCondition(
    conditions,
    job.spec.suspend === true
      ? { type: "Suspended", status: "True", reason: "JobSuspended", message: "Job suspended" }
      : { type: "Suspended", status: "False", reason: "JobResumed", message: "Job resumed" },
    now,
  );
  return after === conditions ? status : { ...status, conditions: after };
}

/** Whether this decision suspends or resumes it. */
export function suspensionTold(before: Job, after: JobStatus): "Suspended" | "Resumed" | undefined {
  const was = jobCondition(before, "Suspended") !== undefined;
  const is = jobCondition({ status: after }, "Suspended") !== undefined;
  return was === is ? undefined : is ? "Suspended" : "Resumed";
}

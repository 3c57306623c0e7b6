import { finishedCondition, type CronJob, type Job, type JobSpec } from "../src/api/kinds/batch.js";
import { formatAge, fromTimestamp } from "../src/api/time.js";
import { conditionLines, pairs, selectorText, templateLines, type Line } from "./describe-lines.js";

export function jobLines(job: Job): Line[] {
  const { spec, status = {} } = job;
  const { active = 0, ready = 0, terminating = 0, succeeded = 0, failed = 0 } = status;
  return [
    ["Selector", spec.selector === undefined ? "<none>" : selectorText(spec.selector)],
    ...specLines(spec),
    ["Start Time", status.startTime ?? "<none>"],
    ...(status.completionTime === undefined ? [] : ([["Completed At", status.completionTime]] as const)),
    ...durationLines(job),
    [
      "Pods Statuses",
      `${active} active (${ready} ready) / ${succeeded} succeeded / ${failed} failed / ${terminating} terminating`,
    ],
    ...(spec.completionMode === "Indexed"
      ? ([["Completed Indexes", status.completedIndexes ?? "<none>"]] as const)
      : []),
    ...(status.failedIndexes === undefined ? [] : ([["Failed Indexes", status.failedIndexes || "<none>"]] as const)),
    ["Pod Template", templateLines(spec.template)],
    conditionLines(status.conditions),
  ];
}

export function cronJobLines({ spec, status = {} }: CronJob): Line[] {
  const { jobTemplate } = spec;
  return [
    ["Schedule", spec.schedule],
    ["Time Zone", spec.timeZone ?? "UTC"],
    ["Concurrency Policy", spec.concurrencyPolicy ?? "Allow"],
    ["Suspend", String(spec.suspend ?? false)],
    ["Starting Deadline Seconds", spec.startingDeadlineSeconds?.toString() ?? "<unset>"],
    ["Successful Job History Limit", String(spec.successfulJobsHistoryLimit ?? 3)],
    ["Failed Job History Limit", String(spec.failedJobsHistoryLimit ?? 1)],
    [
      "Job Template",
      [
        ["Labels", pairs(jobTemplate.metadata?.labels)],
        ...specLines(jobTemplate.spec),
        ["Pod Template", templateLines(jobTemplate.spec.template)],
      ],
    ],
    ["Last Schedule Time", status.lastScheduleTime ?? "<unset>"],
    ["Last Successful Time", status.lastSuccessfulTime ?? "<unset>"],
    ["Active Jobs", (status.active ?? []).map(({ name }) => name).join(", ") || "<none>"],
  ];
}

function specLines(spec: JobSpec): Line[] {
  const given: readonly (readonly [string, number | string | undefined])[] = [
    ["Parallelism", spec.parallelism],
    ["Completions", spec.completions ?? "<unset>"],
    ["Completion Mode", spec.completionMode ?? "NonIndexed"],
    ["Suspend", spec.suspend === true ? "true" : undefined],
    ["Backoff Limit", spec.backoffLimitPerIndex === undefined ? spec.backoffLimit : undefined],
    ["Backoff Limit Per Index", spec.backoffLimitPerIndex],
    ["Max Failed Indexes", spec.maxFailedIndexes],
    [
      "Active Deadline Seconds",
      spec.activeDeadlineSeconds === undefined ? undefined : `${spec.activeDeadlineSeconds}s`,
    ],
    ["TTL Seconds After Finished", spec.ttlSecondsAfterFinished],
    ["Pod Replacement Policy", spec.podReplacementPolicy],
  ];
  return given.flatMap(([name, value]): Line[] => (value === undefined ? [] : [[name, String(value)]]));
}

function durationLines(job: Job): Line[] {
  const { status = {} } = job;
  const start = fromTimestamp(status.startTime ?? "");
  const end = fromTimestamp(status.completionTime ?? finishedCondition(job)?.lastTransitionTime ?? "");
  return start === undefined || end === undefined ? [] : [["Duration", formatAge(end - start)]];
}

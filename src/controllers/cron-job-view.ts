import { finishedCondition, type CronJob, type Job, type JobReference } from "../api/kinds/batch.js";
import { fromTimestamp } from "../api/time.js";
import type { Snapshot } from "../objects/snapshot.js";
import { objectsPerDecisionMax } from "./bounds.js";
import { isControlledBy, isTerminating } from "./pod-state.js";

/** The Jobs that a CronJob controls. */
export function jobsOf(cron: CronJob, snapshot: Snapshot): readonly Job[] {
  return snapshot.ownedBy<Job>(cron.metadata.uid ?? "", "batch/Job").filter((job) => isControlledBy(job, cron));
}

/** Those that go on. What a person started by hand from the CronJob is none of its runs. */
export function activeJobs(jobs: readonly Job[]): readonly Job[] {
  return jobs.filter(
    (job) => finishedCondition(job) === undefined && job.metadata.annotations?.[instantiateAnnotation] !== "manual",
  );
}

/** As kubectl marks Jobs of `create job --from=cronjob/…`. */
export const instantiateAnnotation = "cronjob.kubernetes.io/instantiate";

export function referenceTo({ apiVersion, kind, metadata }: Job): JobReference {
  const { namespace, name, uid } = metadata;
  return { apiVersion, kind, name, ...(namespace !== undefined && { namespace }), ...(uid !== undefined && { uid }) };
}

/** Ended Jobs above the CronJob's history limits, those that started first going first. */
export function surplusJobs({ spec }: CronJob, jobs: readonly Job[]): readonly Job[] {
  const above = (type: "Complete" | "Failed", limit: number): readonly Job[] => {
    const ended = jobs.filter((job) => finishedCondition(job)?.type === type && !isTerminating(job));
    return [...ended].sort(byStart).slice(0, Math.max(0, ended.length - limit));
  };
  const surplus = [
    ...above("Complete", spec.successfulJobsHistoryLimit ?? 3),
    ...above("Failed", spec.failedJobsHistoryLimit ?? 1),
  ];
  return surplus.slice(0, objectsPerDecisionMax / 2);
}

/** The latest completion of a Job that succeeded, as far as it is known. */
export function lastSuccess({ status }: CronJob, jobs: readonly Job[]): string | undefined {
  const times = [
    status?.lastSuccessfulTime,
    ...jobs.filter((job) => finishedCondition(job)?.type === "Complete").map((job) => job.status?.completionTime),
  ];
  // Of one form and in UTC: they are ordered as texts.
  return times
    .filter((time) => time !== undefined)
    .sort()
    .at(-1);
}

function byStart(left: Job, right: Job): number {
  const start = ({ status }: Job): number => fromTimestamp(status?.startTime ?? "") ?? Number.POSITIVE_INFINITY;
  const [a, b] = [start(left), start(right)];
  return a === b ? (left.metadata.name < right.metadata.name ? -1 : 1) : a - b;
}

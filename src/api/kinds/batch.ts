import type { Condition, KubeObject, LabelSelector } from "../object.js";
import type { PodTemplateSpec } from "./pod.js";

/** Pods that run until enough of them have ended well. */
export type Job = KubeObject<JobSpec, JobStatus>;

/** What a Job is to do; its fields are those of Kubernetes (`ikada explain job.spec`). */
export interface JobSpec {
  readonly parallelism?: number;
  /** Undefined: a work queue, whose Pods know themselves when all is done. */
  readonly completions?: number;
  readonly completionMode?: "NonIndexed" | "Indexed";
  readonly backoffLimit?: number;
  readonly backoffLimitPerIndex?: number;
  readonly maxFailedIndexes?: number;
  readonly activeDeadlineSeconds?: number;
  readonly ttlSecondsAfterFinished?: number;
  readonly suspend?: boolean;
  readonly podFailurePolicy?: { readonly rules: readonly PodFailureRule[] };
  readonly successPolicy?: { readonly rules: readonly SuccessRule[] };
  readonly podReplacementPolicy?: "TerminatingOrFailed" | "Failed";
  readonly manualSelector?: boolean;
  readonly managedBy?: string;
  /** Of a stored Job always there. */
  readonly selector?: LabelSelector;
  readonly template: PodTemplateSpec;
}

/** What becomes of a Pod's failure; one of the two requirements is given. */
export interface PodFailureRule {
  readonly action: "FailJob" | "FailIndex" | "Ignore" | "Count";
  readonly onExitCodes?: {
    readonly containerName?: string;
    readonly operator: "In" | "NotIn";
    readonly values: readonly number[];
  };
  readonly onPodConditions?: readonly { readonly type: string; readonly status?: Condition["status"] }[];
}

/** Which indexes have to succeed; at least one of the two is given. */
export interface SuccessRule {
  readonly succeededIndexes?: string;
  readonly succeededCount?: number;
}

/** How a Job stands. */
export interface JobStatus {
  readonly active?: number;
  readonly ready?: number;
  readonly terminating?: number;
  readonly succeeded?: number;
  readonly failed?: number;
  readonly completedIndexes?: string;
  readonly failedIndexes?: string;
  readonly startTime?: string;
  readonly completionTime?: string;
  readonly conditions?: readonly Condition[];
}

/** Jobs at the times of a schedule. */
export type CronJob = KubeObject<CronJobSpec, CronJobStatus>;

/** When a CronJob starts Jobs, and which. */
export interface CronJobSpec {
  readonly schedule: string;
  readonly timeZone?: string;
  readonly concurrencyPolicy?: "Allow" | "Forbid" | "Replace";
  readonly startingDeadlineSeconds?: number;
  readonly suspend?: boolean;
  readonly successfulJobsHistoryLimit?: number;
  readonly failedJobsHistoryLimit?: number;
  readonly jobTemplate: {
    readonly metadata?: {
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
    };
    readonly spec: JobSpec;
  };
}

/** How a CronJob stands. */
export interface CronJobStatus {
  readonly active?: readonly JobReference[];
  readonly lastScheduleTime?: string;
  readonly lastSuccessfulTime?: string;
}

/** One Job of a CronJob. */
export interface JobReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** How a Job has ended, or is about to: its condition of this type, when that is True. */
export function jobCondition(
  job: { readonly status?: { readonly conditions?: readonly Condition[] } },
  type: "Complete" | "Failed" | "FailureTarget" | "SuccessCriteriaMet" | "Suspended",
): Condition | undefined {
  return job.status?.conditions?.find((one) => one.type === type && one.status === "True");
}

/** The condition with which a Job ended; undefined while it goes on. */
export function finishedCondition(job: Parameters<typeof jobCondition>[0]): Condition | undefined {
  return jobCondition(job, "Complete") ?? jobCondition(job, "Failed");
}

export function isIndexed(spec: Pick<JobSpec, "completionMode">): boolean {
  return spec.completionMode === "Indexed";
}

/** The finalizer of a Job's Pods: none is gone before it is counted. */
export const trackingFinalizer = "batch.kubernetes.io/job-tracking";
/** Annotation and label of an Indexed Job's Pods. */
export const completionIndexKey = "batch.kubernetes.io/job-completion-index";
/** The controller of Jobs that name none in `managedBy`. */
export const jobControllerName = "kubernetes.io/job-controller";

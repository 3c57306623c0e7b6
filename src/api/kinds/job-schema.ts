import {
  atomicList,
  boolean,
  int32,
  int64,
  object,
  oneOf,
  required,
  setOf,
  string,
  time,
  immutable,
  type Schema,
} from "../schema.js";
import { conditionsWith, labelSelector } from "./metadata-schema.js";
import { podTemplate } from "./pod-spec-schema.js";

const podFailurePolicy = object({
  rules: required(
    atomicList(
      object({
        action: required(oneOf(["FailJob", "FailIndex", "Ignore", "Count"])),
        onExitCodes: object({
          containerName: string(),
          operator: required(oneOf(["In", "NotIn"])),
          values: required(setOf(int32({ minimum: -(2 ** 31) }))),
        }),
        onPodConditions: atomicList(
          object({
            type: required(string({ format: "qualifiedName" })),
            status: oneOf(["True", "False", "Unknown"], { default: "True" }),
          }),
        ),
      }),
    ),
  ),
});

const successPolicy = object({
  rules: required(atomicList(object({ succeededIndexes: string({ lengthMax: 65_536 }), succeededCount: int32() }))),
});

/** The fields of batch/v1 JobSpec in Kubernetes 1.33, of a Job and of a CronJob's template. Defaults that depend on others are in job-rules.ts. */
export const jobSpecFields: Readonly<Record<string, Schema>> = {
  parallelism: int32(),
  completions: int32(),
  completionMode: oneOf(["NonIndexed", "Indexed"], { default: "NonIndexed" }),
  backoffLimit: int32(),
  backoffLimitPerIndex: int32(),
  maxFailedIndexes: int32(),
  activeDeadlineSeconds: int64(),
  ttlSecondsAfterFinished: int32(),
  suspend: boolean({ default: false }),
  podFailurePolicy,
  successPolicy,
  podReplacementPolicy: oneOf(["TerminatingOrFailed", "Failed"]),
  manualSelector: boolean(),
  managedBy: string({ lengthMax: 63 }),
  selector: labelSelector,
  template: required(podTemplate),
};

/** What of a Job's spec never changes. `completions` and `template` may in some cases (job-rules.ts). */
const fixedFields = new Set([
  "selector",
  "completionMode",
  "podFailurePolicy",
  "successPolicy",
  "backoffLimitPerIndex",
  "managedBy",
]);

export const jobSpec = object(
  Object.fromEntries(
    Object.entries(jobSpecFields).map(([name, field]) => [name, fixedFields.has(name) ? immutable(field) : field]),
  ),
);

export const jobStatus = object({
  active: int32(),
  ready: int32(),
  terminating: int32(),
  succeeded: int32(),
  failed: int32(),
  completedIndexes: string(),
  failedIndexes: string(),
  uncountedTerminatedPods: object({ succeeded: setOf(string()), failed: setOf(string()) }),
  startTime: time(),
  completionTime: time(),
  conditions: conditionsWith({ lastProbeTime: time() }),
});

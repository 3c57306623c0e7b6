import type { FieldFault } from "../../base/errors.js";
import { formats } from "../format.js";
import { sameJson, without } from "../json.js";
import type { AnyObject } from "../object.js";
import { isIndexed, type Job, type JobSpec } from "./batch.js";
import { jobPolicyRules } from "./job-policy-rules.js";
import { selectorRules } from "./job-selector.js";
import { podSpecRules } from "./pod-rules.js";
import type { PodTemplateSpec } from "./pod.js";
import { selectorRules as expressionRules } from "./selector-rules.js";

/** Rules across a Job's fields, as in Kubernetes' pkg/apis/batch/validation. */
export function jobRules(object: AnyObject, faults: FieldFault[]): void {
  const job = object as unknown as Job;
  jobSpecRules(job.spec, "spec", faults);
  selectorRules(job, faults);
  if (job.spec.selector !== undefined) expressionRules(job.spec.selector, "spec.selector", faults);
  const { completions = 0 } = job.spec;
  if (!isIndexed(job.spec) || completions === 0) return;
  const hostname = `${job.metadata.name}-${completions - 1}`;
  const fault = formats.dnsLabel(hostname);
  if (fault !== undefined)
    faults.push(invalid("metadata.name", `gives Pods of an Indexed Job the hostname "${hostname}", which ${fault}`));
}

/** Of a Job that exists, its size, limits, times and `suspend` may change; the rest stays. */
export function jobUpdateRules(before: AnyObject, after: AnyObject, faults: FieldFault[]): void {
  const [was, is] = [before as unknown as Job, after as unknown as Job];
  if (was.spec.completions !== is.spec.completions) {
    if (!isIndexed(is.spec)) faults.push(fixed("spec.completions", "may not be changed"));
    else if (is.spec.completions !== is.spec.parallelism)
      faults.push(fixed("spec.completions", "may only be changed together with parallelism, to the same number"));
  }
  const mayPlaceAnew = mayBePlacedAnew(was);
  const [then, now] = mayPlaceAnew
    ? [withoutPlacing(was.spec.template), withoutPlacing(is.spec.template)]
    : [was.spec.template, is.spec.template];
  if (!sameJson(then, now))
    faults.push(
      fixed(
        "spec.template",
        mayPlaceAnew
          ? "only its labels, annotations, nodeSelector, tolerations, node affinity and scheduling gates may be changed"
          : "may not be changed; of a suspended Job, only what says where its Pods run may",
      ),
    );
}

/** Rules of a Job's spec at `path`, its selector aside. */
export function jobSpecRules(spec: JobSpec, path: string, faults: FieldFault[]): void {
  if (isIndexed(spec)) indexedRules(spec, path, faults);
  else
    for (const name of ["backoffLimitPerIndex", "maxFailedIndexes"] as const)
      if (spec[name] !== undefined) faults.push(invalid(`${path}.${name}`, "needs completionMode Indexed"));
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined)
    faults.push(required(`${path}.backoffLimitPerIndex`, "is required with maxFailedIndexes"));
  if (spec.managedBy !== undefined && !/^[^/]+\/[^/]+$/.test(spec.managedBy))
    faults.push(invalid(`${path}.managedBy`, "must be a domain and a name, such as example.com/jobs"));
  jobPolicyRules(spec, path, faults);
  podSpecRules(spec.template.spec, `${path}.template.spec`, faults);
  const policy = spec.template.spec.restartPolicy ?? "Always";
  const field = `${path}.template.spec.restartPolicy`;
  if (policy === "Always")
    faults.push({ field, reason: "NotSupported", message: "must be Never or OnFailure for Pods that are to end" });
  else if (policy !== "Never" && spec.podFailurePolicy !== undefined)
    faults.push(invalid(field, "must be Never where there is a podFailurePolicy"));
}

/** Kubernetes' bounds, which keep the lists of indexes in a Job's status small. */
const parallelismMax = 100_000;
const failedIndexesMax = 100_000;
const manyCompletions = 100_000;
const parallelismMaxOfMany = 10_000;
const failedIndexesMaxOfMany = 10_000;

function indexedRules(spec: JobSpec, path: string, faults: FieldFault[]): void {
  const { completions, parallelism = 1, maxFailedIndexes, backoffLimitPerIndex } = spec;
  if (completions === undefined)
    faults.push(required(`${path}.completions`, "is required with completionMode Indexed"));
  const most = (name: "parallelism" | "maxFailedIndexes", max: number, why: string): void => {
    if ((spec[name] ?? 0) > max) faults.push(invalid(`${path}.${name}`, `must not be more than ${max}${why}`));
  };
  most("parallelism", parallelismMax, " with completionMode Indexed");
  most("maxFailedIndexes", Math.min(failedIndexesMax, completions ?? failedIndexesMax), "");
  if (completions === undefined || completions <= manyCompletions || backoffLimitPerIndex === undefined) return;
  const why = ` with more than ${manyCompletions} completions and backoffLimitPerIndex`;
  if (maxFailedIndexes === undefined) faults.push(required(`${path}.maxFailedIndexes`, `is required${why}`));
  if (parallelism > parallelismMaxOfMany) most("parallelism", parallelismMaxOfMany, why);
  most("maxFailedIndexes", failedIndexesMaxOfMany, why);
}

/** A suspended Job that has not started; suspending one takes its start back. */
function mayBePlacedAnew({ spec, status }: Job): boolean {
  return spec.suspend === true && status?.startTime === undefined;
}

function withoutPlacing(template: PodTemplateSpec): unknown {
  const spec = without(template.spec, "nodeSelector", "tolerations", "schedulingGates", "affinity");
  return { ...without(template, "metadata"), spec, affinity: without(template.spec.affinity ?? {}, "nodeAffinity") };
}

function invalid(field: string, message: string): FieldFault {
  return { field, reason: "Invalid", message };
}

function required(field: string, message: string): FieldFault {
  return { field, reason: "Required", message };
}

function fixed(field: string, message: string): FieldFault {
  return { field, reason: "Immutable", message };
}

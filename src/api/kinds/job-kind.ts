import type { KindDefinition } from "../kind.js";
import type { AnyObject } from "../object.js";
import { countAt, textAt, valueAt } from "../path.js";
import { object, required } from "../schema.js";
import { formatAge, fromTimestamp } from "../time.js";
import { finishedCondition, jobCondition, type Job } from "./batch.js";
import { completeJobSpec } from "./job-defaults.js";
import { jobRules, jobUpdateRules } from "./job-rules.js";
import { jobSpec, jobStatus } from "./job-schema.js";
import { generateSelector } from "./job-selector.js";
import { typeMeta } from "./metadata-schema.js";
import { ageColumn, column, nameColumn, workloadColumns } from "./shared-columns.js";

export const jobKind: KindDefinition = {
  group: "batch",
  version: "v1",
  kind: "Job",
  plural: "jobs",
  singular: "job",
  shortNames: [],
  categories: ["all"],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: true,
  hasScale: false,
  selectableFields: [],
  schema: object({ ...typeMeta, spec: required(jobSpec), status: jobStatus }),
  columns: [
    nameColumn,
    column("Status", "How it stands", (job) => statusOf(job as unknown as Job)),
    column("Completions", "Pods that succeeded, of those wanted", completionsOf),
    column("Duration", "Time from its start to its end, or to now", durationOf),
    ageColumn,
    ...workloadColumns,
  ],
  complete: (draft) => completeJobSpec(valueAt(draft, "spec")),
  prepare: generateSelector,
  rules: jobRules,
  updateRules: jobUpdateRules,
};

/** As kubectl prints it. */
function statusOf(job: Job): string {
  const ended = finishedCondition(job);
  if (ended !== undefined) return ended.type;
  if (textAt(job, ["metadata", "deletionTimestamp"]) !== "") return "Terminating";
  if (jobCondition(job, "Suspended") !== undefined) return "Suspended";
  if (jobCondition(job, "FailureTarget") !== undefined) return "FailureTarget";
  return jobCondition(job, "SuccessCriteriaMet") === undefined ? "Running" : "SuccessCriteriaMet";
}

/** `2/3`; of a work queue `0/1 of 2`, since one success is enough. */
function completionsOf(job: AnyObject): string {
  const succeeded = countAt(job, "status", "succeeded");
  const completions = valueAt(job, "spec", "completions");
  if (typeof completions === "number") return `${succeeded}/${completions}`;
  const parallelism = countAt(job, "spec", "parallelism");
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationOf(job: AnyObject, now: number): string {
  const start = fromTimestamp(textAt(job, ["status", "startTime"]));
  if (start === undefined) return "";
  const ended = finishedCondition(job as unknown as Job)?.lastTransitionTime;
  const end = fromTimestamp(textAt(job, ["status", "completionTime"], ended ?? ""));
  return formatAge((end ?? now) - start);
}

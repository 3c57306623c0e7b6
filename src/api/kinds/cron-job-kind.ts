import type { FieldFault } from "../../base/errors.js";
import { parseSchedule } from "../cron/schedule.js";
import { timeZoneOf } from "../cron/time-zone.js";
import type { KindDefinition } from "../kind.js";
import type { AnyObject } from "../object.js";
import { listAt, textAt, valueAt } from "../path.js";
import { atomicList, boolean, int32, int64, object, oneOf, required, string, time } from "../schema.js";
import type { CronJob } from "./batch.js";
import { completeJobSpec } from "./job-defaults.js";
import { jobSpecRules } from "./job-rules.js";
import { jobSpecFields } from "./job-schema.js";
import { templateMetadata, typeMeta } from "./metadata-schema.js";
import { ageColumn, ageSince, column, countColumn, nameColumn, templateColumns } from "./shared-columns.js";

const jobReference = object({
  apiVersion: string(),
  kind: string(),
  namespace: string(),
  name: string(),
  uid: string(),
  resourceVersion: string(),
  fieldPath: string(),
});

export const cronJobKind: KindDefinition = {
  group: "batch",
  version: "v1",
  kind: "CronJob",
  plural: "cronjobs",
  singular: "cronjob",
  shortNames: ["cj"],
  categories: ["all"],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: true,
  hasScale: false,
  selectableFields: [],
  schema: object({
    ...typeMeta,
    spec: required(
      object({
        schedule: required(string()),
        timeZone: string(),
        concurrencyPolicy: oneOf(["Allow", "Forbid", "Replace"], { default: "Allow" }),
        startingDeadlineSeconds: int64(),
        suspend: boolean({ default: false }),
        successfulJobsHistoryLimit: int32({ default: 3 }),
        failedJobsHistoryLimit: int32({ default: 1 }),
        jobTemplate: required(object({ metadata: templateMetadata, spec: required(object(jobSpecFields)) })),
      }),
    ),
    status: object({ active: atomicList(jobReference), lastScheduleTime: time(), lastSuccessfulTime: time() }),
  }),
  columns: [
    nameColumn,
    column("Schedule", "When it is due", (cron) => textAt(cron, ["spec", "schedule"])),
    column("Timezone", "Whose clocks that means", (cron) => textAt(cron, ["spec", "timeZone"], "<none>")),
    column("Suspend", "Whether nothing is started", (cron) => textAt(cron, ["spec", "suspend"], "false")),
    countColumn("Active", "Jobs that go on", (cron) => String(listAt(cron, "status", "active").length)),
    column("Last Schedule", "Time since the last Job was due", (cron, now) => {
      const last = textAt(cron, ["status", "lastScheduleTime"]);
      return last === "" ? "<none>" : ageSince(last, now);
    }),
    ageColumn,
    ...templateColumns("spec", "jobTemplate", "spec", "template"),
  ],
  complete: (draft) => completeJobSpec(valueAt(draft, "spec", "jobTemplate", "spec")),
  rules: cronJobRules,
};

/** A Job's name may have 63 characters, and 11 of them are the time: `-` and minutes since 1970. */
const nameLengthMax = 52;

function cronJobRules(object: AnyObject, faults: FieldFault[]): void {
  const { metadata, spec } = object as unknown as CronJob;
  const invalid = (field: string, message: string): number => faults.push({ field, reason: "Invalid", message });
  if (metadata.name !== undefined && metadata.name.length > nameLengthMax)
    invalid(
      "metadata.name",
      `must be no more than ${nameLengthMax} characters, so that its Jobs can be named after it`,
    );
  const schedule = parseSchedule(spec.schedule);
  if (typeof schedule === "string") invalid("spec.schedule", schedule);
  if (spec.timeZone !== undefined && timeZoneOf(spec.timeZone) === undefined)
    invalid(
      "spec.timeZone",
      `there is no time zone "${spec.timeZone.slice(0, 60)}": write a name of the IANA database, such as Europe/Berlin`,
    );
  const template = spec.jobTemplate.spec;
  jobSpecRules(template, "spec.jobTemplate.spec", faults);
  if (template.selector !== undefined)
    invalid("spec.jobTemplate.spec.selector", "must be left out: each Job gets one of its own");
  if (template.manualSelector === true)
    invalid("spec.jobTemplate.spec.manualSelector", "must not be true: each Job gets a selector of its own");
}

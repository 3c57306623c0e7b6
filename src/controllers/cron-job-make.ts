import type { TimeZone } from "../api/cron/time-zone.js";
import { cloneJson } from "../api/json.js";
import type { CronJob, Job, JobSpec } from "../api/kinds/batch.js";
import { generateSelector } from "../api/kinds/job-selector.js";
import type { Draft } from "../api/kind.js";
import { toTimestamp } from "../api/time.js";
import { derivedUid } from "../objects/derived-id.js";
import { controllerReference } from "./claims.js";

/** When the Job was due, as its CronJob's clocks show it. */
const scheduledAnnotation = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** The CronJob's name and the minutes since 1970. */
export function jobNameAt({ metadata }: CronJob, due: number): string {
  return `${metadata.name}-${Math.floor(due / 60_000)}`;
}

/** The Job of one time. The template's own defaults were set when the CronJob was stored. */
export function newJob(cron: CronJob, due: number, zone: TimeZone, now: number): Job {
  const { metadata = {}, spec } = cron.spec.jobTemplate;
  const { uid = "", namespace } = cron.metadata;
  const job: Job = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: jobNameAt(cron, due),
      ...(namespace !== undefined && { namespace }),
      uid: derivedUid(uid, "Job", due),
      generation: 1,
      creationTimestamp: toTimestamp(now),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      annotations: { ...metadata.annotations, [scheduledAnnotation]: localTimestamp(due, zone) },
      ownerReferences: [controllerReference(cron)],
    },
    spec: cloneJson(spec) as JobSpec,
  };
  generateSelector(job as unknown as Draft, undefined);
  return job;
}

/** RFC 3339 with the zone's own offset: `2026-03-29T03:00:00+02:00`. */
function localTimestamp(time: number, zone: TimeZone): string {
  const offset = zone.offsetMs(time);
  const local = toTimestamp(time + offset);
  if (offset === 0) return local;
  const minutes = Math.floor(Math.abs(offset) / 60_000);
  const pad = (value: number): string => String(value).padStart(2, "0");
  return `${local.slice(0, -1)}${offset < 0 ? "-" : "+"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

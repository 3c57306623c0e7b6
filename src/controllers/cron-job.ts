import { parseSchedule, type CronSchedule } from "../api/cron/schedule.js";
import { timeZoneOf, utc, type TimeZone } from "../api/cron/time-zone.js";
import { countTimes, latestTime, nextTime } from "../api/cron/times.js";
import { sameJson, without } from "../api/json.js";
import type { CronJob, CronJobStatus, Job } from "../api/kinds/batch.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import { fromTimestamp, toTimestamp } from "../api/time.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey } from "../objects/snapshot.js";
import { isEmpty, mergeChanges } from "../objects/transaction.js";
import type { Controller, Decision, DecisionEvent, World } from "./controller.js";
import { finishedCondition } from "../api/kinds/batch.js";
import { activeJobs, jobsOf, lastSuccess, referenceTo, surplusJobs } from "./cron-job-view.js";
import { jobNameAt, newJob } from "./cron-job-make.js";
import { deletion } from "./deletion.js";
import {
  asObject,
  controllerOf,
  createdAt,
  decidedFrom,
  isNamespaceOpen,
  isTerminating,
  namespaceGuard,
} from "./pod-state.js";

/**
 * CronJob → Jobs: Kubernetes' pkg/controller/cronjob. The Job and the status that tells of it are one entry, and the Job's name is that of its
 * minute: no two leaders start one time twice.
 */
export const cronJobController: Controller = {
  name: "cronjob",
  wakes: concerned,
  keys: (snapshot) => snapshot.list("batch/CronJob").map(keyOfObject),
  reconcile(key: ObjectKey, world: World): Decision {
    const cron = world.snapshot.get<CronJob>("batch/CronJob", key.namespace, key.name);
    return cron === undefined ? {} : decide(cron, world);
  },
};

function decide(cron: CronJob, world: World): Decision {
  const { snapshot, now } = world;
  const jobs = jobsOf(cron, snapshot);
  const step = isTerminating(cron) || cron.spec.suspend === true ? nothing : stepOf(cron, jobs, world);
  const deleted = [...new Set([...surplusJobs(cron, jobs), ...step.deletes])];
  const left = activeJobs(jobs.filter((job) => !deleted.includes(job)));
  const lastSuccessfulTime = lastSuccess(cron, jobs);
  const active = [...left, ...step.made].map(referenceTo);
  const status: CronJobStatus = {
    ...without(cron.status ?? {}, "active"),
    ...(active.length === 0 ? {} : { active }),
    ...(step.scheduledAt === undefined ? {} : { lastScheduleTime: toTimestamp(step.scheduledAt) }),
    ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime }),
  };
  const changed = !sameJson(status, cron.status ?? {});
  const changes = mergeChanges([
    {
      creates: step.made.map(asObject),
      updates: changed ? [asObject({ ...cron, status } as CronJob)] : [],
      removes: [],
      unchanged: [
        ...(changed ? [] : [decidedFrom(cron)]),
        ...(step.made.length > 0 ? namespaceGuard(snapshot, cron.metadata.namespace ?? "") : []),
      ],
    },
    ...deleted.map((job) => deletion(asObject(job), now, "Background")),
  ]);
  return {
    ...(isEmpty(changes) ? {} : { changes }),
    ...(step.wakeAt === undefined ? {} : { wakeAt: step.wakeAt }),
    events: [...endings(cron, jobs), ...tellings(cron, step.made, deleted), ...step.events],
  };
}

/** What the time asks for. */
interface Step {
  readonly made: readonly Job[];
  readonly deletes: readonly Job[];
  /** The time that was started, in milliseconds since 1970. */
  readonly scheduledAt?: number;
  readonly wakeAt?: number;
  readonly events: readonly DecisionEvent[];
}

const nothing: Step = { made: [], deletes: [], events: [] };

/** Times that may be missed before that is told as odd. */
const missedMax = 100;

function stepOf(cron: CronJob, jobs: readonly Job[], { snapshot, now }: World): Step {
  const clock = clockOf(cron);
  const tell = (type: DecisionEvent["type"], reason: string, message: string): DecisionEvent => ({
    object: asObject(cron),
    type,
    reason,
    message,
  });
  if ("fault" in clock) return { ...nothing, events: [tell("Warning", clock.reason, clock.fault)] };
  const { schedule, zone } = clock;
  const next = nextTime(schedule, zone, now);
  const waiting: Step = next === undefined ? nothing : { ...nothing, wakeAt: next };
  const since = fromTimestamp(cron.status?.lastScheduleTime ?? "") ?? createdAt(cron);
  const due = latestTime(schedule, zone, since, now);
  if (due === undefined) return waiting;
  const { startingDeadlineSeconds, concurrencyPolicy } = cron.spec;
  if (startingDeadlineSeconds !== undefined && due + startingDeadlineSeconds * 1000 < now)
    return {
      ...waiting,
      events: [tell("Warning", "MissSchedule", `Missed scheduled time to start a job: ${toTimestamp(due)}`)],
    };
  const active = activeJobs(jobs);
  if (concurrencyPolicy === "Forbid" && active.length > 0) {
    const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
    return { ...waiting, events: [tell("Normal", "JobAlreadyActive", message)] };
  }
  const namespace = cron.metadata.namespace ?? "";
  if (!isNamespaceOpen(snapshot, namespace)) return waiting;
  const missedSince =
    startingDeadlineSeconds === undefined ? since : Math.max(since, now - startingDeadlineSeconds * 1000);
  const many = countTimes(schedule, zone, missedSince, now, missedMax + 1) > missedMax;
  const events = many ? [tell("Warning", "TooManyMissedTimes", tooMany)] : [];
  const taken = snapshot.get<Job>("batch/Job", namespace, jobNameAt(cron, due));
  if (taken !== undefined) {
    if (jobs.includes(taken)) return { ...waiting, scheduledAt: due, events };
    const message = `Error creating job: there is another one named ${taken.metadata.name}`;
    return { ...waiting, scheduledAt: due, events: [...events, tell("Warning", "FailedCreate", message)] };
  }
  const deletes = concurrencyPolicy === "Replace" ? active.filter((job) => !isTerminating(job)) : [];
  return { ...waiting, made: [newJob(cron, due, zone, now)], deletes, scheduledAt: due, events };
}

const tooMany = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";

type ClockOf =
  | { readonly schedule: CronSchedule; readonly zone: TimeZone }
  | { readonly reason: string; readonly fault: string };

/** Both were checked when the object was written, but perhaps by a server with other time zone data. */
function clockOf({ spec }: CronJob): ClockOf {
  const schedule = parseSchedule(spec.schedule);
  if (typeof schedule === "string")
    return { reason: "UnparseableSchedule", fault: `unparseable schedule "${spec.schedule}": it ${schedule}` };
  const zone = spec.timeZone === undefined ? utc : timeZoneOf(spec.timeZone);
  return zone === undefined
    ? { reason: "UnknownTimeZone", fault: `this server knows no time zone "${spec.timeZone}"` }
    : { schedule, zone };
}

/** Jobs that the status calls active and that are so no more. */
function endings(cron: CronJob, jobs: readonly Job[]): readonly DecisionEvent[] {
  const tell = (reason: string, message: string): DecisionEvent => ({
    object: asObject(cron),
    type: "Normal",
    reason,
    message,
  });
  return (cron.status?.active ?? []).flatMap(({ uid, name }) => {
    const job = jobs.find(({ metadata }) => metadata.uid === uid);
    if (job === undefined) return [tell("MissingJob", `Active job went missing: ${name}`)];
    const ended = finishedCondition(job);
    return ended === undefined ? [] : [tell("SawCompletedJob", `Saw completed job: ${name}, condition: ${ended.type}`)];
  });
}

function tellings(cron: CronJob, made: readonly Job[], deleted: readonly Job[]): readonly DecisionEvent[] {
  const tell = (reason: string, message: string): DecisionEvent => ({
    object: asObject(cron),
    type: "Normal",
    reason,
    message,
  });
  return [
    ...made.map(({ metadata }) => tell("SuccessfulCreate", `Created job ${metadata.name}`)),
    ...deleted.map(({ metadata }) => tell("SuccessfulDelete", `Deleted job ${metadata.name}`)),
  ];
}

/** The CronJob itself; the one of a Job that comes, ends or goes. */
function concerned(before: AnyObject | undefined, now: AnyObject | undefined): readonly ObjectKey[] {
  const object = now ?? before;
  if (object === undefined) return [];
  if (groupKindOfObject(object) === "batch/CronJob") return [keyOfObject(object)];
  if (groupKindOfObject(object) !== "batch/Job" || isAsBefore(before, now)) return [];
  return [before, now].flatMap((job) => {
    const owner = job && controllerOf(job);
    return owner?.kind === "CronJob"
      ? [{ groupKind: "batch/CronJob", namespace: object.metadata.namespace ?? "", name: owner.name }]
      : [];
  });
}

/** Its Pods come and go, which is not the CronJob's concern. */
function isAsBefore(before: AnyObject | undefined, now: AnyObject | undefined): boolean {
  if (before === undefined || now === undefined || before.metadata.uid !== now.metadata.uid) return false;
  const ended = (job: AnyObject): unknown => finishedCondition(job as unknown as Job)?.type;
  return ended(before) === ended(now) && controllerOf(before)?.uid === controllerOf(now)?.uid;
}

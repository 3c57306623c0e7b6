import assert from "node:assert/strict";
import type { CronJob, CronJobSpec, CronJobStatus, Job, JobStatus } from "../../src/api/kinds/batch.js";
import { toTimestamp } from "../../src/api/time.js";
import type { Decision } from "../../src/controllers/controller.js";
import { cronJobController } from "../../src/controllers/cron-job.js";
import { acts, changed, decide, now, worldOf } from "./fixture.js";
import { any, cronJob, job, ownedBy } from "./objects.js";

/** `now` is 2026-01-01T00:01:40Z; the last full minute was 100 s after midnight less 40. */
const minute = 60_000;
const lastMinute = now - 40_000;
const due = (time: number): string => `tick-${time / minute}`;

function tick(spec: Partial<CronJobSpec> = {}, status?: CronJobStatus, ageMs = minute): CronJob {
  const made = cronJob("tick", spec, { creationTimestamp: toTimestamp(now - ageMs) });
  return status === undefined ? made : { ...made, status };
}

function run(
  owner: CronJob,
  name: string,
  status: JobStatus = {},
  annotations: Readonly<Record<string, string>> = {},
): Job {
  return { ...job(name, {}, { ...ownedBy(owner), annotations }), status };
}

function ended(type: "Complete" | "Failed", startedMsAgo: number): JobStatus {
  return {
    startTime: toTimestamp(now - startedMsAgo),
    ...(type === "Complete" && { completionTime: toTimestamp(now - startedMsAgo + 5000) }),
    conditions: [{ type, status: "True", lastTransitionTime: toTimestamp(now - startedMsAgo + 5000) }],
  };
}

function look(cron: CronJob, jobs: readonly Job[] = [], at = now): Decision {
  return decide(cronJobController, cron, worldOf([cron, ...jobs], { now: at }));
}

function statusOf(decision: Decision): CronJobStatus {
  return changed<CronJob>(decision, "CronJob", "tick")?.status ?? {};
}

const told = (decision: Decision): readonly string[] =>
  (decision.events ?? []).map(({ type, reason }) => `${type} ${reason}`);

describe("cron job controller: when a Job is started", () => {
  it("a due Job is made in one entry with the status that tells of it, named after its minute", () => {
    const decision = look(tick());
    assert.deepEqual(acts(decision), ["create Job", "update CronJob tick"]);
    const made = decision.changes?.creates[0] as unknown as Job;
    assert.equal(made.metadata.name, due(lastMinute));
    assert.equal(
      made.metadata.annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"],
      "2026-01-01T00:01:00Z",
    );
    assert.equal(made.metadata.ownerReferences?.[0]?.controller, true);
    assert.equal(made.spec.selector?.matchLabels?.["batch.kubernetes.io/controller-uid"], made.metadata.uid);
    assert.equal(statusOf(decision).lastScheduleTime, "2026-01-01T00:01:00Z");
    assert.deepEqual(
      statusOf(decision).active?.map(({ name }) => name),
      [due(lastMinute)],
    );
    assert.deepEqual([told(decision), decision.wakeAt], [["Normal SuccessfulCreate"], lastMinute + minute]);
  });

  it("labels and annotations come from the template, and the time is the zone's", () => {
    const { jobTemplate } = tick().spec;
    const decision = look(
      tick({
        timeZone: "America/New_York",
        jobTemplate: { ...jobTemplate, metadata: { labels: { app: "tick" }, annotations: { why: "test" } } },
      }),
    );
    const { labels, annotations } = decision.changes?.creates[0]?.metadata ?? {};
    assert.deepEqual([labels, annotations?.["why"]], [{ app: "tick" }, "test"]);
    assert.equal(annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"], "2025-12-31T19:01:00-05:00");
  });

  it("nothing before its time, and one look when that comes", () => {
    const decision = look(tick({ schedule: "0 12 * * *" }));
    assert.deepEqual([acts(decision), decision.wakeAt], [[], Date.parse("2026-01-01T12:00:00Z")]);
    const berlin = look(tick({ schedule: "0 12 * * *", timeZone: "Europe/Berlin" }));
    assert.equal(berlin.wakeAt, Date.parse("2026-01-01T11:00:00Z"));
  });

  it("a time is started once, by whichever leader", () => {
    const first = changed<CronJob>(look(tick()), "CronJob", "tick") ?? tick();
    assert.deepEqual(acts(look(first, [run(first, due(lastMinute))])), ["update CronJob tick"]);
    // The status was lost, the Job was not.
    const again = look(tick(), [run(tick(), due(lastMinute))]);
    assert.deepEqual(acts(again), ["update CronJob tick"]);
    assert.equal(statusOf(again).lastScheduleTime, "2026-01-01T00:01:00Z");
  });

  it("another one's Job of that name is not touched, and told of", () => {
    const decision = look(tick(), [job(due(lastMinute))]);
    assert.deepEqual([acts(decision), told(decision)], [["update CronJob tick"], ["Warning FailedCreate"]]);
    assert.equal(statusOf(decision).active, undefined);
  });

  it("of several missed times only the latest is started", () => {
    const decision = look(tick({}, undefined, 50 * minute));
    assert.deepEqual(
      decision.changes?.creates.map(({ metadata }) => metadata.name),
      [due(lastMinute)],
    );
    assert.deepEqual(told(decision), ["Normal SuccessfulCreate"]);
  });

  it("more than 100 missed times are told, and the latest started", () => {
    const many = look(tick({}, undefined, 102 * minute));
    assert.deepEqual(told(many), ["Normal SuccessfulCreate", "Warning TooManyMissedTimes"]);
    assert.deepEqual(
      many.changes?.creates.map(({ metadata }) => metadata.name),
      [due(lastMinute)],
    );
    assert.deepEqual(told(look(tick({}, undefined, 100 * minute))), ["Normal SuccessfulCreate"]);
    // With a deadline, only what lies within it counts as missed.
    assert.deepEqual(told(look(tick({ startingDeadlineSeconds: 600 }, undefined, 102 * minute))), [
      "Normal SuccessfulCreate",
    ]);
  });

  it("the reference is the last time that was started", () => {
    const started = { lastScheduleTime: toTimestamp(lastMinute) };
    assert.deepEqual(acts(look(tick({}, started, 50 * minute))), []);
    assert.equal(look(tick({}, { lastScheduleTime: toTimestamp(lastMinute - minute) })).changes?.creates.length, 1);
  });

  it("not when it is later than startingDeadlineSeconds", () => {
    assert.equal(look(tick({ startingDeadlineSeconds: 40 })).changes?.creates.length, 1);
    const hourly = tick({ schedule: "0 * * * *", startingDeadlineSeconds: 99 }, undefined, 60 * minute);
    assert.deepEqual([acts(look(hourly)), look(hourly).wakeAt], [[], Date.parse("2026-01-01T01:00:00Z")]);
    assert.deepEqual(told(look(hourly)), ["Warning MissSchedule"]);
  });

  it("not while it is suspended; afterwards what was missed last", () => {
    const decision = look(tick({ suspend: true }));
    assert.deepEqual([acts(decision), decision.wakeAt], [[], undefined]);
    assert.equal(look(tick({ suspend: false })).changes?.creates.length, 1);
  });

  it("not when it is being deleted, nor in a Namespace that is", () => {
    const going = cronJob(
      "tick",
      {},
      { creationTimestamp: toTimestamp(now - minute), deletionTimestamp: toTimestamp(now) },
    );
    assert.deepEqual(acts(look(going)), []);
    const closing = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "default", resourceVersion: "1", deletionTimestamp: toTimestamp(now) },
    };
    assert.deepEqual(acts(decide(cronJobController, tick(), worldOf([tick(), closing]))), []);
  });

  it("a schedule or zone that this server does not understand is told, and nothing done", () => {
    assert.deepEqual(told(look(tick({ schedule: "nonsense" }))), ["Warning UnparseableSchedule"]);
    assert.deepEqual(told(look(tick({ timeZone: "Mars/Olympus" }))), ["Warning UnknownTimeZone"]);
  });
});

describe("cron job controller: concurrency", () => {
  const before = due(lastMinute - minute);
  const status = { lastScheduleTime: toTimestamp(lastMinute - minute) };

  it("Allow starts another one", () => {
    const cron = tick({}, status);
    const decision = look(cron, [run(cron, before)]);
    assert.deepEqual(
      statusOf(decision).active?.map(({ name }) => name),
      [before, due(lastMinute)],
    );
  });

  it("Forbid passes the time over, and says so", () => {
    const cron = tick({ concurrencyPolicy: "Forbid" }, status);
    const decision = look(cron, [run(cron, before)]);
    assert.deepEqual([decision.changes?.creates, told(decision)], [[], ["Normal JobAlreadyActive"]]);
    assert.equal(statusOf(decision).lastScheduleTime, status.lastScheduleTime);
    assert.equal(look(cron, [run(cron, before, ended("Complete", minute))]).changes?.creates.length, 1);
  });

  it("Replace deletes it and starts the new one, in one entry", () => {
    const cron = tick({ concurrencyPolicy: "Replace" }, status);
    const decision = look(cron, [run(cron, before)]);
    assert.deepEqual(acts(decision), ["create Job", "update CronJob tick", `remove batch/Job ${before}`]);
    assert.deepEqual(
      statusOf(decision).active?.map(({ name }) => name),
      [due(lastMinute)],
    );
    assert.deepEqual(told(decision), ["Normal SuccessfulCreate", "Normal SuccessfulDelete"]);
  });

  it("a Job that a person started by hand is none of its runs", () => {
    const cron = tick({ concurrencyPolicy: "Forbid" }, status);
    const manual = run(cron, "by-hand", {}, { "cronjob.kubernetes.io/instantiate": "manual" });
    const decision = look(cron, [manual]);
    assert.deepEqual(
      statusOf(decision).active?.map(({ name }) => name),
      [due(lastMinute)],
    );
  });
});

describe("cron job controller: what is kept", () => {
  const started = { lastScheduleTime: toTimestamp(lastMinute) };

  it("three that succeeded and one that failed, the latest to start", () => {
    const cron = tick({}, started);
    const jobs = [
      ...[1, 2, 3, 4, 5].map((at) => run(cron, `good-${at}`, ended("Complete", at * minute))),
      ...[1, 2, 3].map((at) => run(cron, `bad-${at}`, ended("Failed", at * minute))),
    ];
    const { removes = [] } = look(cron, jobs).changes ?? {};
    assert.deepEqual(removes.map(({ name }) => name).sort(), ["bad-2", "bad-3", "good-4", "good-5"]);
  });

  it("as many as its limits say, also none, also while suspended", () => {
    const cron = tick({ suspend: true, successfulJobsHistoryLimit: 0, failedJobsHistoryLimit: 2 }, started);
    const jobs = [run(cron, "good", ended("Complete", minute)), run(cron, "bad", ended("Failed", minute))];
    assert.deepEqual(
      look(cron, jobs).changes?.removes.map(({ name }) => name),
      ["good"],
    );
  });

  it("the last success, also when its Job is gone", () => {
    const cron = tick({}, started);
    const decision = look(cron, [
      run(cron, "a", ended("Complete", 3 * minute)),
      run(cron, "b", ended("Complete", minute)),
    ]);
    assert.equal(statusOf(decision).lastSuccessfulTime, toTimestamp(now - minute + 5000));
    const later = changed<CronJob>(decision, "CronJob", "tick") ?? cron;
    assert.deepEqual(acts(look(later)), []);
  });

  it("tells of Jobs that ended or went missing", () => {
    const active = [
      { apiVersion: "batch/v1", kind: "Job", namespace: "default", name: "a", uid: "uid-a" },
      { apiVersion: "batch/v1", kind: "Job", namespace: "default", name: "b", uid: "uid-b" },
    ];
    const cron = tick({}, { ...started, active });
    const decision = look(cron, [run(cron, "a", ended("Failed", minute))]);
    assert.deepEqual(
      [statusOf(decision).active, told(decision)],
      [undefined, ["Normal SawCompletedJob", "Normal MissingJob"]],
    );
  });
});

describe("cron job controller: what wakes it", () => {
  it("Jobs that come, end or go, and not what their Pods do", () => {
    const cron = tick();
    const one = run(cron, "a", { active: 1 });
    const { snapshot } = worldOf([cron, one]);
    const wakes = (before: Job | undefined, after: Job | undefined): number =>
      cronJobController.wakes(before && any(before), after && any(after), snapshot).length;
    assert.notEqual(wakes(undefined, one), 0);
    assert.equal(wakes(one, { ...one, status: { active: 2 } }), 0);
    assert.notEqual(wakes(one, { ...one, status: ended("Complete", minute) }), 0);
    assert.notEqual(wakes(one, undefined), 0);
    assert.equal(wakes(undefined, job("free")), 0);
  });
});

import assert from "node:assert/strict";
import type { Job, JobSpec, JobStatus } from "../../src/api/kinds/batch.js";
import type { Pod, PodStatus } from "../../src/api/kinds/pod.js";
import type { ObjectMeta } from "../../src/api/object.js";
import { toTimestamp } from "../../src/api/time.js";
import type { Decision } from "../../src/controllers/controller.js";
import { jobController } from "../../src/controllers/job.js";
import { acts, changed, decide, now, worldOf } from "./fixture.js";
import { any, endedStatus, job, ownedBy, pod, readyStatus } from "./objects.js";

const finalizers = ["batch.kubernetes.io/job-tracking"];
const terminating = { deletionTimestamp: toTimestamp(now + 30_000), deletionGracePeriodSeconds: 30 };
const indexed = { completionMode: "Indexed" } as const;

/** A Pod of the Job, counted only when it has no finalizer. */
function of(
  owner: Job,
  name: string,
  status: PodStatus = readyStatus(now - 60_000),
  metadata: Partial<ObjectMeta> = {},
): Pod {
  const labels = owner.spec.template.metadata?.labels ?? {};
  return pod(name, {
    status,
    spec: { nodeName: "alpha" },
    metadata: { labels, finalizers, ...ownedBy(owner), ...metadata },
  });
}

function at(owner: Job, index: number, status?: PodStatus, metadata: Partial<ObjectMeta> = {}): Pod {
  const annotations = { "batch.kubernetes.io/job-completion-index": String(index), ...metadata.annotations };
  return of(owner, `${owner.metadata.name}-${index}-x`, status, { ...metadata, annotations });
}

const succeeded = (msAgo = 1000): PodStatus => endedStatus(now - msAgo, 0);
const failed = (exitCode = 1, msAgo = 1000): PodStatus => endedStatus(now - msAgo, exitCode);

function withStatus(one: Job, status: JobStatus): Job {
  return { ...one, status: { startTime: toTimestamp(now - 60_000), ...status } };
}

function look(one: Job, pods: readonly Pod[] = []): Decision {
  return decide(jobController, one, worldOf([one, ...pods]));
}

function statusOf(decision: Decision, name = "work"): JobStatus {
  return changed<Job>(decision, "Job", name)?.status ?? {};
}

function conditions(decision: Decision): readonly (string | undefined)[] {
  return (statusOf(decision).conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`);
}

function made(decision: Decision): readonly Pod[] {
  return (decision.changes?.creates ?? []) as readonly unknown[] as readonly Pod[];
}

describe("job controller: how many Pods", () => {
  const cases: readonly (readonly [
    title: string,
    spec: Partial<JobSpec>,
    status: JobStatus,
    active: number,
    makes: number,
  ])[] = [
    ["one by default", {}, {}, 0, 1],
    ["parallelism at a time", { completions: 5, parallelism: 2 }, {}, 0, 2],
    ["no more than are left to succeed", { completions: 5, parallelism: 4 }, { succeeded: 3 }, 0, 2],
    ["none when enough are active", { completions: 5, parallelism: 2 }, {}, 2, 0],
    ["parallelism of a work queue", { parallelism: 3 }, {}, 1, 2],
    ["no more of a work queue once one has succeeded", { parallelism: 3 }, { succeeded: 1 }, 1, 0],
    ["none with parallelism 0", { completions: 2, parallelism: 0 }, {}, 0, 0],
    ["none while suspended", { suspend: true }, {}, 0, 0],
  ];
  for (const [title, spec, status, active, makes] of cases)
    it(title, () => {
      const work = withStatus(job("work", spec), status);
      const pods = Array.from({ length: active }, (_, at) => of(work, `work-${at}`));
      assert.equal(made(look(work, pods)).length, makes);
    });

  it("Pods hold a finalizer, and are the Job's", () => {
    const [first] = made(look(job("work")));
    assert.deepEqual(first?.metadata.finalizers, finalizers);
    assert.equal(first.metadata.ownerReferences?.[0]?.kind, "Job");
    assert.equal(first.metadata.labels?.["batch.kubernetes.io/job-name"], "work");
    assert.match(first.metadata.name, /^work-[a-z0-9]{5}$/);
  });

  it("the status has it in the same entry", () => {
    const decision = look(job("work", { completions: 5, parallelism: 2 }));
    assert.deepEqual(acts(decision), ["create Pod", "create Pod", "update Job work"]);
    const { active, ready, terminating: leaving, succeeded: done, failed: lost, startTime } = statusOf(decision);
    assert.deepEqual([active, ready, leaving, done, lost, startTime], [2, 0, 0, 0, 0, toTimestamp(now)]);
  });

  it("surplus Pods go when it is made smaller, uncounted", () => {
    const work = withStatus(job("work", { completions: 5, parallelism: 1 }), {});
    const pods = [of(work, "work-a"), of(work, "work-b", { phase: "Pending" })];
    const decision = look(work, pods);
    assert.deepEqual(acts(decision), ["update Job work", "delete Pod work-b"]);
    assert.deepEqual([statusOf(decision).active, statusOf(decision).terminating, statusOf(decision).failed], [1, 1, 0]);
  });

  it("another controller's Job is left alone", () => {
    assert.deepEqual(look(job("work", { managedBy: "example.com/other" })), {});
    assert.equal(made(look(job("work", { managedBy: "kubernetes.io/job-controller" }))).length, 1);
  });

  it("tells why no Pod may be made, and looks again", () => {
    const decision = look(job("work", { podSpec: { hostNetwork: true } }));
    assert.equal(decision.events?.[0]?.reason, "FailedCreate");
    assert.equal(decision.wakeAt, now + 30_000);
  });
});

describe("job controller: counting", () => {
  it("counts a Pod in the entry that takes its finalizer", () => {
    const work = withStatus(job("work", { completions: 3, parallelism: 1 }), { succeeded: 1 });
    const decision = look(work, [of(work, "work-a", succeeded())]);
    assert.deepEqual(acts(decision), ["create Pod", "update Job work", "update Pod work-a"]);
    assert.equal(statusOf(decision).succeeded, 2);
    assert.deepEqual(changed<Pod>(decision, "Pod", "work-a")?.metadata.finalizers, undefined);
  });

  it("and never again", () => {
    const work = withStatus(job("work", { completions: 3, parallelism: 1 }), { succeeded: 2 });
    const decision = look(work, [of(work, "work-a", succeeded(), { finalizers: [] }), of(work, "work-b")]);
    assert.equal(statusOf(decision).succeeded, 2);
  });

  it("a Pod that is deleted while it runs has failed, and is replaced at once", () => {
    const work = withStatus(job("work", { backoffLimit: 3 }), {});
    const decision = decide(
      jobController,
      work,
      worldOf([
        work,
        of(work, "work-a", readyStatus(now - 60_000), {
          deletionTimestamp: toTimestamp(now - 20_000),
          deletionGracePeriodSeconds: 0,
        }),
      ]),
    );
    assert.equal(statusOf(decision).failed, 1);
    assert.deepEqual(
      decision.changes?.removes.map(({ name }) => name),
      ["work-a"],
    );
  });

  it("with podReplacementPolicy Failed only when it has ended", () => {
    const work = withStatus(job("work", { podReplacementPolicy: "Failed", backoffLimit: 3 }), {});
    const decision = look(work, [of(work, "work-a", readyStatus(now - 60_000), terminating)]);
    assert.deepEqual(made(decision), []);
    assert.deepEqual([statusOf(decision).failed, statusOf(decision).terminating], [0, 1]);
    const ended = look(work, [of(work, "work-a", failed(1, 20_000), terminating)]);
    assert.deepEqual([statusOf(ended).failed, made(ended).length], [1, 1]);
  });

  it("lets Pods go that no Job counts any more", () => {
    const gone = job("work");
    const key = { groupKind: "/Pod", namespace: "default", name: "work-a" };
    const orphan = of(gone, "work-a", succeeded());
    assert.deepEqual(acts(decide(jobController, key, worldOf([orphan]))), ["update Pod work-a"]);
    const free = pod("work-a", { metadata: { finalizers: [...finalizers, "example.com/own"] } });
    const kept = decide(jobController, key, worldOf([free]));
    assert.deepEqual(changed<Pod>(kept, "Pod", "work-a")?.metadata.finalizers, ["example.com/own"]);
    const over = withStatus(gone, { conditions: [{ type: "Complete", status: "True" }] });
    assert.deepEqual(acts(decide(jobController, key, worldOf([over, orphan]))), ["update Pod work-a"]);
    assert.deepEqual(decide(jobController, key, worldOf([gone, orphan])), {});
    assert.deepEqual(jobController.keys(worldOf([orphan]).snapshot), [key]);
  });

  it("adopts Pods that match, with the finalizer, and lets others go", () => {
    const selector = { matchLabels: { app: "own" } };
    const mine = job("work", {
      manualSelector: true,
      selector,
      template: { metadata: { labels: { app: "own" } }, spec: job("x").spec.template.spec },
    });
    const stray = pod("stray", { metadata: { labels: { app: "own" } } });
    const adopted = changed<Pod>(look(mine, [stray]), "Pod", "stray");
    assert.deepEqual(adopted?.metadata.finalizers, finalizers);
    assert.equal(adopted.metadata.ownerReferences?.[0]?.name, "work");
    const lost = changed<Pod>(look(mine, [of(mine, "work-a", undefined, { labels: {} })]), "Pod", "work-a");
    assert.deepEqual([lost?.metadata.finalizers, lost?.metadata.ownerReferences], [undefined, []]);
  });
});

describe("job controller: the end", () => {
  it("Complete when enough have succeeded", () => {
    const work = withStatus(job("work", { completions: 2 }), { succeeded: 1 });
    const decision = look(work, [of(work, "work-b", succeeded())]);
    assert.deepEqual(conditions(decision), [
      "SuccessCriteriaMet=True CompletionsReached",
      "Complete=True CompletionsReached",
    ]);
    assert.equal(statusOf(decision).completionTime, toTimestamp(now));
    assert.equal(decision.events?.[0]?.reason, "Completed");
    const after = changed<Job>(decision, "Job", "work");
    assert.deepEqual(look(after ?? work), {});
  });

  it("at once without anything to do", () => {
    assert.deepEqual(conditions(look(job("work", { completions: 0 }))), [
      "SuccessCriteriaMet=True CompletionsReached",
      "Complete=True CompletionsReached",
    ]);
  });

  it("of a work queue when one has succeeded and the others have ended", () => {
    const work = withStatus(job("work", { parallelism: 2 }), {});
    const done = of(work, "work-a", succeeded());
    assert.deepEqual(conditions(look(work, [done, of(work, "work-b")])), []);
    const decision = look(work, [done, of(work, "work-b", failed())]);
    assert.equal(statusOf(decision).failed, 1);
    assert.equal(conditions(decision).at(-1), "Complete=True CompletionsReached");
  });

  it("waits for Pods that are still terminating", () => {
    const work = withStatus(job("work", { completions: 1 }), {});
    const leaving = of(work, "work-b", readyStatus(now - 60_000), { ...terminating, finalizers: [] });
    const decision = look(work, [of(work, "work-a", succeeded()), leaving]);
    assert.deepEqual(conditions(decision), ["SuccessCriteriaMet=True CompletionsReached"]);
    const waiting = changed<Job>(decision, "Job", "work") ?? work;
    assert.equal(conditions(look(waiting)).at(-1), "Complete=True CompletionsReached");
  });

  it("BackoffLimitExceeded when more Pods have failed than may, and what runs then fails too", () => {
    const work = withStatus(job("work", { completions: 3, parallelism: 2, backoffLimit: 1 }), { failed: 1 });
    const decision = look(work, [of(work, "work-a", failed()), of(work, "work-b")]);
    assert.deepEqual(acts(decision), ["update Job work", "update Pod work-a", "delete Pod work-b"]);
    assert.deepEqual(conditions(decision), ["FailureTarget=True BackoffLimitExceeded"]);
    assert.deepEqual([statusOf(decision).failed, statusOf(decision).active], [3, 0]);
    const failing = changed<Job>(decision, "Job", "work") ?? work;
    const end = look(failing);
    assert.equal(conditions(end).at(-1), "Failed=True BackoffLimitExceeded");
    assert.deepEqual([end.events?.[0]?.type, end.events?.[0]?.reason], ["Warning", "BackoffLimitExceeded"]);
    assert.equal(statusOf(end).completionTime, undefined);
  });

  it("as many failures as the limit are borne", () => {
    const work = withStatus(job("work", { backoffLimit: 2 }), { failed: 1 });
    assert.deepEqual(conditions(look(work, [of(work, "work-a", failed())])), []);
  });

  it("restarts in place count with OnFailure", () => {
    const restarted = (restartCount: number): PodStatus => ({
      phase: "Running",
      containerStatuses: [{ name: "main", image: "work:1", imageID: "", ready: true, restartCount }],
    });
    const cases: readonly (readonly [limit: number, restarts: number, fails: boolean])[] = [
      [3, 2, false],
      [3, 3, true],
      [0, 0, false],
      [0, 1, true],
    ];
    for (const [backoffLimit, restarts, fails] of cases) {
      const work = withStatus(job("work", { backoffLimit, podSpec: { restartPolicy: "OnFailure" } }), {});
      const found = conditions(look(work, [of(work, "work-a", restarted(restarts))]));
      assert.deepEqual(
        found,
        fails ? ["FailureTarget=True BackoffLimitExceeded"] : [],
        `${restarts} of ${backoffLimit}`,
      );
    }
  });

  it("DeadlineExceeded from the start on, whatever the backoff limit", () => {
    const work = withStatus(job("work", { activeDeadlineSeconds: 61 }), {});
    const running = of(work, "work-a");
    assert.equal(look(work, [running]).wakeAt, now + 1000);
    const late = withStatus(job("work", { activeDeadlineSeconds: 60 }), {});
    assert.deepEqual(conditions(look(late, [running])), ["FailureTarget=True DeadlineExceeded"]);
    assert.deepEqual(conditions(look({ ...late, spec: { ...late.spec, suspend: true } }, [running])), [
      "Suspended=True JobSuspended",
    ]);
  });
});

describe("job controller: backoff", () => {
  it("waits 10 s after a failure, doubled for each in a row, at most 10 minutes", () => {
    const waits = [10, 20, 40, 80, 160, 320, 600, 600];
    let work = withStatus(job("work", { backoffLimit: 100 }), {});
    for (const [at, seconds] of waits.entries()) {
      const decision = look(work, [of(work, `work-${at}`, failed(1, 0))]);
      assert.deepEqual(made(decision), []);
      assert.equal(decision.wakeAt, now + seconds * 1000, `after ${at + 1} failures`);
      work = changed<Job>(decision, "Job", "work") ?? work;
      // A new leader knows it from the Job alone.
      assert.equal(look(work).wakeAt, now + seconds * 1000);
    }
    assert.equal(work.metadata.annotations?.["ikada.dev/pod-failures-in-a-row"], "8");
  });

  it("goes on when the time is over", () => {
    const work = withStatus(job("work"), {});
    assert.equal(made(look(work, [of(work, "work-a", failed(1, 10_000))])).length, 1);
  });

  it("a success ends the row; failures after it begin one", () => {
    const annotations = {
      "ikada.dev/pod-failures-in-a-row": "5",
      "ikada.dev/last-pod-failure": toTimestamp(now - 1000),
    };
    const work = withStatus(job("work", { completions: 5, parallelism: 3 }, { annotations }), {});
    const free = look(work, [of(work, "work-a", succeeded()), of(work, "work-b", failed(1, 2000))]);
    assert.equal(made(free).length, 3);
    assert.equal(
      changed<Job>(free, "Job", "work")?.metadata.annotations?.["ikada.dev/pod-failures-in-a-row"],
      undefined,
    );
    const again = look(work, [of(work, "work-a", succeeded(3000)), of(work, "work-b", failed(1, 2000))]);
    assert.equal(again.wakeAt, now + 8000);
  });
});

describe("job controller: suspension", () => {
  it("deletes what runs, uncounted, and takes the start back", () => {
    const work = withStatus(job("work", { completions: 3, suspend: true }), { succeeded: 1 });
    const decision = look(work, [of(work, "work-a")]);
    assert.deepEqual(acts(decision), ["update Job work", "delete Pod work-a"]);
    const { startTime, failed: lost, succeeded: done, active } = statusOf(decision);
    assert.deepEqual([startTime, lost, done, active], [undefined, 0, 1, 0]);
    assert.deepEqual(conditions(decision), ["Suspended=True JobSuspended"]);
    assert.equal(decision.events?.[0]?.reason, "Suspended");
  });

  it("starts anew when it is resumed", () => {
    const suspended = { type: "Suspended", status: "True", reason: "JobSuspended", message: "Job suspended" } as const;
    const work = { ...job("work", { completions: 3 }), status: { succeeded: 1, conditions: [suspended] } };
    const decision = look(work);
    assert.deepEqual(conditions(decision), ["Suspended=False JobResumed"]);
    assert.equal(statusOf(decision).startTime, toTimestamp(now));
    assert.equal(made(decision).length, 1);
    assert.equal(decision.events?.[0]?.reason, "Resumed");
  });

  it("a Job that was never suspended has no such condition", () => {
    assert.deepEqual(conditions(look(job("work"))), []);
  });
});

describe("job controller: indexes", () => {
  it("gives each Pod its index as label, annotation, variable and hostname", () => {
    const work = job("work", {
      ...indexed,
      completions: 3,
      parallelism: 2,
      podSpec: {
        initContainers: [{ name: "first", image: "x", env: [{ name: "JOB_COMPLETION_INDEX", value: "own" }] }],
      },
    });
    const [, second] = made(look(work));
    const key = "batch.kubernetes.io/job-completion-index";
    assert.match(second?.metadata.name ?? "", /^work-1-[a-z0-9]{5}$/);
    assert.deepEqual([second?.metadata.labels?.[key], second?.metadata.annotations?.[key]], ["1", "1"]);
    assert.equal(second?.spec.hostname, "work-1");
    assert.deepEqual(second?.spec.containers[0]?.env, [
      { name: "JOB_COMPLETION_INDEX", valueFrom: { fieldRef: { fieldPath: `metadata.labels['${key}']` } } },
    ]);
    assert.deepEqual(second?.spec.initContainers?.[0]?.env, [{ name: "JOB_COMPLETION_INDEX", value: "own" }]);
  });

  it("takes the lowest index that is neither done nor under way", () => {
    const work = withStatus(job("work", { ...indexed, completions: 6, parallelism: 3 }), {
      completedIndexes: "0,2",
      succeeded: 2,
    });
    const decision = look(work, [at(work, 1), at(work, 3, succeeded())]);
    assert.deepEqual(
      made(decision).map(({ spec }) => spec.hostname),
      ["work-4", "work-5"],
    );
    assert.deepEqual([statusOf(decision).completedIndexes, statusOf(decision).succeeded], ["0,2,3", 3]);
  });

  it("counts an index once, however many of its Pods succeed", () => {
    const work = withStatus(job("work", { ...indexed, completions: 3, parallelism: 3 }), {
      completedIndexes: "0",
      succeeded: 1,
    });
    const decision = look(work, [at(work, 0, succeeded()), at(work, 1), at(work, 2)]);
    assert.equal(statusOf(decision).succeeded, 1);
    assert.deepEqual(changed<Pod>(decision, "Pod", "work-0-x")?.metadata.finalizers, undefined);
  });

  it("deletes Pods without a place, and all but the best of one index", () => {
    const work = withStatus(job("work", { ...indexed, completions: 2, parallelism: 2 }), {});
    const twin = at(work, 1, { phase: "Pending" });
    const pods = [
      at(work, 0),
      at(work, 1),
      { ...twin, metadata: { ...twin.metadata, name: "twin", uid: "twin" } },
      at(work, 7),
    ];
    const decision = look(work, pods);
    assert.deepEqual(acts(decision).slice(1).sort(), ["delete Pod twin", "delete Pod work-7-x"]);
    assert.deepEqual([statusOf(decision).failed, statusOf(decision).active], [0, 2]);
  });

  it("made smaller, it is done with the indexes that are left", () => {
    const work = withStatus(job("work", { ...indexed, completions: 2, parallelism: 2 }), {
      completedIndexes: "0-3",
      succeeded: 4,
    });
    const decision = look(work);
    assert.deepEqual([statusOf(decision).completedIndexes, statusOf(decision).succeeded], ["0,1", 2]);
    assert.equal(conditions(decision).at(-1), "Complete=True CompletionsReached");
  });
});

describe("job controller: limits per index", () => {
  const perIndex = { ...indexed, completions: 3, parallelism: 3, backoffLimitPerIndex: 1 };
  const key = "batch.kubernetes.io/job-index-failure-count";
  const after = (count: number): Partial<ObjectMeta> => ({ annotations: { [key]: String(count) } });

  it("a failed Pod stays until its successor has taken over its count", () => {
    const work = withStatus(job("work", perIndex), { failedIndexes: "" });
    const waiting = look(work, [at(work, 0, failed(1, 0), after(0)), at(work, 1), at(work, 2)]);
    assert.deepEqual([made(waiting), waiting.wakeAt, statusOf(waiting).failed], [[], now + 10_000, 0]);
    const due = look(work, [at(work, 0, failed(1, 10_000), after(0)), at(work, 1), at(work, 2)]);
    assert.deepEqual(
      made(due).map(({ metadata }) => metadata.annotations?.[key]),
      ["1"],
    );
    const successor = {
      ...at(work, 0, undefined, after(1)),
      metadata: { ...at(work, 0, undefined, after(1)).metadata, name: "next", uid: "next" },
    };
    const released = look(work, [at(work, 0, failed(1, 10_000), after(0)), successor, at(work, 1), at(work, 2)]);
    assert.equal(statusOf(released).failed, 1);
    assert.deepEqual(changed<Pod>(released, "Pod", "work-0-x")?.metadata.finalizers, undefined);
  });

  it("an index above its limit fails; the others go on", () => {
    const work = withStatus(job("work", perIndex), { failedIndexes: "" });
    const decision = look(work, [at(work, 0, failed(), after(1)), at(work, 1), at(work, 2)]);
    assert.deepEqual([statusOf(decision).failedIndexes, statusOf(decision).failed, conditions(decision)], ["0", 1, []]);
  });

  it("an index that waits does not keep others from their turn", () => {
    const work = withStatus(job("work", { ...perIndex, parallelism: 1 }), { failedIndexes: "" });
    const decision = look(work, [at(work, 0, failed(1, 0), after(0))]);
    assert.deepEqual(
      made(decision).map(({ spec }) => spec.hostname),
      ["work-1"],
    );
  });

  it("FailedIndexes when all are over and some failed", () => {
    const work = withStatus(job("work", perIndex), { completedIndexes: "1,2", succeeded: 2, failedIndexes: "" });
    const decision = look(work, [at(work, 0, failed(), after(1))]);
    assert.deepEqual(conditions(decision), ["FailureTarget=True FailedIndexes", "Failed=True FailedIndexes"]);
  });

  it("MaxFailedIndexesExceeded ends it before", () => {
    const work = withStatus(job("work", { ...perIndex, maxFailedIndexes: 0 }), { failedIndexes: "" });
    const decision = look(work, [at(work, 0, failed(), after(1)), at(work, 1), at(work, 2)]);
    assert.deepEqual(conditions(decision), ["FailureTarget=True MaxFailedIndexesExceeded"]);
    assert.equal(statusOf(decision).active, 0);
  });
});

describe("job controller: pod failure policy", () => {
  type Rules = NonNullable<JobSpec["podFailurePolicy"]>["rules"];
  const withRules = (rules: Rules, spec: Partial<JobSpec> = {}): Job =>
    withStatus(job("work", { backoffLimit: 0, ...spec, podFailurePolicy: { rules } }), {});
  const codes = (operator: "In" | "NotIn", ...values: number[]): NonNullable<Rules[number]["onExitCodes"]> => ({
    operator,
    values,
  });

  it("FailJob ends it with the Pod, the code and the rule", () => {
    const work = withRules([{ action: "FailJob", onExitCodes: codes("In", 3) }], { backoffLimit: 6 });
    const decision = look(work, [of(work, "work-a", failed(3))]);
    assert.equal(conditions(decision)[0], "FailureTarget=True PodFailurePolicy");
    assert.equal(
      statusOf(decision).conditions?.[0]?.message,
      "Container main for pod default/work-a failed with exit code 3 matching FailJob rule at index 0",
    );
  });

  it("Ignore does not count, but the next Pod waits", () => {
    const work = withRules([{ action: "Ignore", onExitCodes: codes("In", 3) }]);
    const decision = look(work, [of(work, "work-a", failed(3, 0))]);
    assert.deepEqual([statusOf(decision).failed, conditions(decision), decision.wakeAt], [0, [], now + 10_000]);
  });

  it("the first rule that matches decides; without one it counts", () => {
    const work = withRules([
      { action: "Count", onExitCodes: codes("In", 3) },
      { action: "Ignore", onExitCodes: codes("NotIn", 4) },
    ]);
    assert.deepEqual(
      conditions(look(work, [of(work, "work-a", failed(3))])).at(-1),
      "Failed=True BackoffLimitExceeded",
    );
    assert.deepEqual(conditions(look(work, [of(work, "work-a", failed(5))])), []);
    assert.deepEqual(
      conditions(look(work, [of(work, "work-a", failed(4))])).at(-1),
      "Failed=True BackoffLimitExceeded",
    );
  });

  it("conditions of the Pod match, as when its node was lost", () => {
    const work = withRules([{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] }]);
    const disrupted = { ...failed(137), conditions: [{ type: "DisruptionTarget", status: "True" } as const] };
    assert.deepEqual(conditions(look(work, [of(work, "work-a", disrupted)])), []);
    assert.equal(conditions(look(work, [of(work, "work-a", failed(137))])).at(-1), "Failed=True BackoffLimitExceeded");
  });

  it("a container that is meant alone", () => {
    const work = withRules([{ action: "Ignore", onExitCodes: { containerName: "other", ...codes("In", 3) } }]);
    assert.equal(conditions(look(work, [of(work, "work-a", failed(3))])).at(-1), "Failed=True BackoffLimitExceeded");
  });

  it("FailIndex fails the index without more tries", () => {
    const work = withRules([{ action: "FailIndex", onExitCodes: codes("In", 3) }], {
      ...indexed,
      completions: 2,
      parallelism: 2,
      backoffLimit: 2 ** 31 - 1,
      backoffLimitPerIndex: 5,
    });
    const decision = look(work, [at(work, 0, failed(3)), at(work, 1)]);
    assert.equal(statusOf(decision).failedIndexes, "0");
  });
});

describe("job controller: success policy", () => {
  const withRules = (rules: NonNullable<JobSpec["successPolicy"]>["rules"], completedIndexes: string): Job =>
    withStatus(job("work", { ...indexed, completions: 5, parallelism: 5, successPolicy: { rules } }), {
      completedIndexes,
    });
  const cases: readonly (readonly [
    title: string,
    rule: { succeededIndexes?: string; succeededCount?: number },
    done: string,
    met: boolean,
  ])[] = [
    ["all of the indexes", { succeededIndexes: "0,2" }, "0,2", true],
    ["not all of the indexes", { succeededIndexes: "0,2" }, "0-1", false],
    ["so many of any", { succeededCount: 2 }, "1,4", true],
    ["so many of the indexes", { succeededIndexes: "0-2", succeededCount: 1 }, "2", true],
    ["so many, but others", { succeededIndexes: "0-2", succeededCount: 1 }, "3-4", false],
  ];
  for (const [title, rule, done, met] of cases)
    it(title, () => {
      const work = withRules([rule], done);
      const decision = look(work, [at(work, 3)]);
      assert.equal(
        conditions(decision).includes("SuccessCriteriaMet=True SuccessPolicy"),
        met,
        conditions(decision).join(),
      );
      if (met) assert.deepEqual([statusOf(decision).active, statusOf(decision).failed], [0, 0]);
    });

  it("Complete when what ran on is gone, with the rule that was met", () => {
    const work = withRules([{ succeededIndexes: "4" }, { succeededCount: 1 }], "0");
    const met = changed<Job>(look(work, [at(work, 3)]), "Job", "work") ?? work;
    const end = look(met, [at(met, 3, failed(), { finalizers: [] })]);
    assert.equal(conditions(end).at(-1), "Complete=True SuccessPolicy");
    assert.match(statusOf(end).conditions?.at(-1)?.message ?? "", /Matched rules at index 1/);
  });
});

describe("job controller: what wakes it", () => {
  it("its Pods, Pods that it may adopt, and Pods that are left over", () => {
    const work = job("work");
    const own = of(work, "work-a");
    const { snapshot } = worldOf([work, own]);
    const names = (before: Pod | undefined, after: Pod | undefined): readonly string[] =>
      jobController
        .wakes(before && any(before), after && any(after), snapshot)
        .map(({ groupKind, name }) => `${groupKind} ${name}`);
    assert.deepEqual(names(undefined, own), ["batch/Job work"]);
    const stray = pod("stray", { metadata: { labels: work.spec.template.metadata?.labels ?? {} } });
    assert.deepEqual(names(undefined, stray), ["batch/Job work"]);
    const left = of(job("other"), "other-a");
    assert.deepEqual(names(undefined, left), ["batch/Job other", "/Pod other-a"]);
  });
});

import assert from "node:assert/strict";
import { kindOf } from "../../src/api/registry.js";
import { newObject } from "../../src/objects/new-object.js";
import type { CronJob, Job } from "../../src/api/kinds/batch.js";
import type { AnyObject } from "../../src/api/object.js";
import { validateChange, validateObject } from "../../src/api/validate.js";
import { countingRandom } from "./objects/quiet-env.js";
import {
  cronJobManifest,
  decodedOf,
  jobManifest,
  noon,
  objectOf,
  priorityClassManifest,
  withValue,
  type Manifest,
} from "./manifests.js";

/** As the server makes it: with defaults, uid and selector. */
function created(manifest: Manifest): AnyObject {
  return newObject(objectOf(manifest), noon, countingRandom());
}

function jobOf(manifest: Manifest): Job {
  return created(manifest) as unknown as Job;
}

function faultsOf(object: AnyObject): readonly string[] {
  return validateObject(object).map((fault) => `${fault.field} ${fault.reason}`);
}

/** The manifest with values at several paths. */
function withAll(manifest: Manifest, values: Readonly<Record<string, unknown>>): Manifest {
  return Object.entries(values).reduce((now, [path, value]) => withValue(now, path, value), manifest);
}

type Row = readonly [what: string, values: Readonly<Record<string, unknown>>, ...faults: string[]];

function rows(base: () => Manifest, table: readonly Row[]): void {
  for (const [what, values, ...faults] of table)
    it(`${faults.length === 0 ? "takes" : "refuses"} ${what}`, () =>
      assert.deepEqual(faultsOf(created(withAll(base(), values))), faults));
}

const indexed = { "spec.completionMode": "Indexed", "spec.completions": 3 };
const policy = "spec.podFailurePolicy";

describe("a Job's defaults", () => {
  const defaultsOf = (values: Readonly<Record<string, unknown>>): unknown => {
    const { completions, parallelism, backoffLimit, completionMode, suspend, podReplacementPolicy } = jobOf(
      withAll(jobManifest(), values),
    ).spec;
    return [completions, parallelism, backoffLimit, completionMode, suspend, podReplacementPolicy];
  };
  const rule = { action: "Ignore", onExitCodes: { operator: "In", values: [3] } };
  it("one Pod once, six more tries", () =>
    assert.deepEqual(defaultsOf({}), [1, 1, 6, "NonIndexed", false, "TerminatingOrFailed"]));
  it("a work queue has no completions", () =>
    assert.deepEqual(defaultsOf({ "spec.parallelism": 3 }), [
      undefined,
      3,
      6,
      "NonIndexed",
      false,
      "TerminatingOrFailed",
    ]));
  it("one at a time", () =>
    assert.deepEqual(defaultsOf({ "spec.completions": 3 }), [3, 1, 6, "NonIndexed", false, "TerminatingOrFailed"]));
  it("failures without end where each index has its limit", () =>
    assert.deepEqual(defaultsOf({ ...indexed, "spec.backoffLimitPerIndex": 1 }), [
      3,
      1,
      2_147_483_647,
      "Indexed",
      false,
      "TerminatingOrFailed",
    ]));
  it("only ended Pods are replaced where they are judged", () =>
    assert.deepEqual(defaultsOf({ [policy]: { rules: [rule] } }), [1, 1, 6, "NonIndexed", false, "Failed"]));
});

describe("a Job's selector", () => {
  const labelsOf = (job: Job): unknown => job.spec.template.metadata?.labels;
  it("is made from its uid, with the template's labels", () => {
    const job = jobOf(jobManifest());
    const { uid = "" } = job.metadata;
    assert.deepEqual(job.spec.selector, { matchLabels: { "batch.kubernetes.io/controller-uid": uid } });
    assert.deepEqual(labelsOf(job), {
      "controller-uid": uid,
      "batch.kubernetes.io/controller-uid": uid,
      "job-name": "work",
      "batch.kubernetes.io/job-name": "work",
    });
  });

  it("of a copy of another Job is made anew", () => {
    const first = jobOf(jobManifest());
    const copy = { ...first, metadata: { ...first.metadata, name: "copy" } } as unknown as AnyObject;
    const random = countingRandom();
    random.bytes(3);
    const second = newObject(copy, noon, random) as unknown as Job;
    assert.notEqual(second.metadata.uid, first.metadata.uid);
    assert.deepEqual(faultsOf(second as unknown as AnyObject), []);
    assert.equal((labelsOf(second) as Record<string, string>)["job-name"], "copy");
  });

  const own = { "spec.manualSelector": true, "spec.selector": { matchLabels: { app: "own" } } };
  rows(jobManifest, [
    ["labels beside the generated ones", { "spec.template.metadata.labels": { app: "work" } }],
    [
      "another uid in the labels",
      { "spec.template.metadata.labels": { "controller-uid": "x" } },
      "spec.template.metadata.labels[controller-uid] Invalid",
    ],
    [
      "a selector that was not asked for",
      { "spec.selector": { matchLabels: { app: "x" } } },
      "spec.selector Invalid",
      "spec.template.metadata.labels Invalid",
    ],
    ["a selector of its own", { ...own, "spec.template.metadata.labels": { app: "own" } }],
    ["one that misses the template", own, "spec.template.metadata.labels Invalid"],
    ["none, though it was asked for", { "spec.manualSelector": true }, "spec.selector Required"],
  ]);
});

describe("a Job's rules", () => {
  const template = "spec.template.spec";
  const codes = { operator: "In", values: [1, 3] };
  const rules = (...given: object[]): Record<string, unknown> => ({ [policy]: { rules: given } });
  const rule = `${policy}.rules[0]`;
  rows(jobManifest, [
    ["OnFailure", { [`${template}.restartPolicy`]: "OnFailure" }],
    ["Pods that never end", { [`${template}.restartPolicy`]: "Always" }, `${template}.restartPolicy NotSupported`],
    ["no word on restarts", { [`${template}.restartPolicy`]: undefined }, `${template}.restartPolicy NotSupported`],
    ["negative completions", { "spec.completions": -1 }, "spec.completions Invalid"],
    ["no completions to do", { "spec.completions": 0 }],
    ["negative parallelism", { "spec.parallelism": -1 }, "spec.parallelism Invalid"],
    ["a negative deadline", { "spec.activeDeadlineSeconds": -1 }, "spec.activeDeadlineSeconds Invalid"],
    ["a time to live of 0", { "spec.ttlSecondsAfterFinished": 0 }],
    ["another mode", { "spec.completionMode": "Random" }, "spec.completionMode NotSupported"],
    [
      "indexes without a number of them",
      { "spec.completionMode": "Indexed", "spec.parallelism": 2 },
      "spec.completions Required",
    ],
    ["indexes", indexed],
    ["100001 at a time with indexes", { ...indexed, "spec.parallelism": 100_001 }, "spec.parallelism Invalid"],
    ["a limit per index without indexes", { "spec.backoffLimitPerIndex": 1 }, "spec.backoffLimitPerIndex Invalid"],
    ["a limit per index", { ...indexed, "spec.backoffLimitPerIndex": 1, "spec.maxFailedIndexes": 3 }],
    [
      "more failed indexes than there are",
      { ...indexed, "spec.backoffLimitPerIndex": 1, "spec.maxFailedIndexes": 4 },
      "spec.maxFailedIndexes Invalid",
    ],
    [
      "failed indexes without a limit for each",
      { ...indexed, "spec.maxFailedIndexes": 1 },
      "spec.backoffLimitPerIndex Required",
    ],
    [
      "very many indexes with a limit for each and none for all",
      { ...indexed, "spec.completions": 100_001, "spec.backoffLimitPerIndex": 1 },
      "spec.maxFailedIndexes Required",
    ],
    [
      "a name too long for its Pods' hostnames",
      { ...indexed, "metadata.name": "w".repeat(62) },
      "metadata.name Invalid",
    ],
    ["a controller that is no domain and name", { "spec.managedBy": "me" }, "spec.managedBy Invalid"],
    ["another controller", { "spec.managedBy": "example.com/me" }],
    ["a rule on codes", rules({ action: "FailJob", onExitCodes: codes })],
    ["a rule on conditions", rules({ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget" }] })],
    [
      "a rule on both",
      rules({ action: "Ignore", onExitCodes: codes, onPodConditions: [{ type: "A" }] }),
      `${rule} Invalid`,
    ],
    ["a rule on neither", rules({ action: "Ignore" }), `${rule} Invalid`],
    ["an action that is none", rules({ action: "Retry", onExitCodes: codes }), `${rule}.action NotSupported`],
    [
      "FailIndex without a limit per index",
      rules({ action: "FailIndex", onExitCodes: codes }),
      `${rule}.action Invalid`,
    ],
    [
      "code 0 as a failure",
      rules({ action: "Count", onExitCodes: { operator: "In", values: [0, 1] } }),
      `${rule}.onExitCodes.values Invalid`,
    ],
    [
      "codes out of order",
      rules({ action: "Count", onExitCodes: { operator: "In", values: [3, 1] } }),
      `${rule}.onExitCodes.values Invalid`,
    ],
    [
      "a code twice",
      rules({ action: "Count", onExitCodes: { operator: "In", values: [3, 3] } }),
      `${rule}.onExitCodes.values[1] Duplicate`,
    ],
    [
      "no codes",
      rules({ action: "Count", onExitCodes: { operator: "In", values: [] } }),
      `${rule}.onExitCodes.values Required`,
    ],
    [
      "codes of no container",
      rules({ action: "Count", onExitCodes: { ...codes, containerName: "x" } }),
      `${rule}.onExitCodes.containerName Invalid`,
    ],
    [
      "rules for Pods that restart in place",
      { ...rules({ action: "Count", onExitCodes: codes }), [`${template}.restartPolicy`]: "OnFailure" },
      `${template}.restartPolicy Invalid`,
    ],
    [
      "rules for Pods that are replaced before they end",
      { ...rules({ action: "Count", onExitCodes: codes }), "spec.podReplacementPolicy": "TerminatingOrFailed" },
      "spec.podReplacementPolicy NotSupported",
    ],
    [
      "a success policy",
      { ...indexed, "spec.successPolicy": { rules: [{ succeededIndexes: "0,2", succeededCount: 1 }] } },
    ],
    ["one without indexes", { "spec.successPolicy": { rules: [{ succeededCount: 1 }] } }, "spec.successPolicy Invalid"],
    ["one without rules", { ...indexed, "spec.successPolicy": { rules: [] } }, "spec.successPolicy.rules Required"],
    ["an empty rule", { ...indexed, "spec.successPolicy": { rules: [{}] } }, "spec.successPolicy.rules[0] Required"],
    [
      "an index that there is not",
      { ...indexed, "spec.successPolicy": { rules: [{ succeededIndexes: "3" }] } },
      "spec.successPolicy.rules[0].succeededIndexes Invalid",
    ],
    [
      "more than all",
      { ...indexed, "spec.successPolicy": { rules: [{ succeededIndexes: "0-1", succeededCount: 3 }] } },
      "spec.successPolicy.rules[0].succeededCount Invalid",
    ],
  ]);
});

describe("a change of a Job", () => {
  const changes = (before: Manifest, values: Readonly<Record<string, unknown>>): readonly string[] => {
    const live = created(before);
    const after = withAll(live as unknown as Manifest, values) as unknown as AnyObject;
    return validateChange(live, after).map((fault) => `${fault.field} ${fault.reason}`);
  };
  const suspended = withValue(jobManifest(), "spec.suspend", true);
  const table: readonly (readonly [
    what: string,
    before: Manifest,
    values: Readonly<Record<string, unknown>>,
    ...faults: string[],
  ])[] = [
    ["its parallelism", jobManifest(), { "spec.parallelism": 4 }],
    [
      "its limits and times",
      jobManifest(),
      { "spec.backoffLimit": 1, "spec.activeDeadlineSeconds": 5, "spec.ttlSecondsAfterFinished": 5 },
    ],
    ["suspend", jobManifest(), { "spec.suspend": true }],
    ["its completions", jobManifest(), { "spec.completions": 2 }, "spec.completions Immutable"],
    [
      "its indexes and parallelism together",
      withAll(jobManifest(), indexed),
      { "spec.completions": 5, "spec.parallelism": 5 },
    ],
    ["its indexes alone", withAll(jobManifest(), indexed), { "spec.completions": 5 }, "spec.completions Immutable"],
    [
      "its mode",
      withAll(jobManifest(), { "spec.completions": 3 }),
      { "spec.completionMode": "Indexed" },
      "spec.completionMode Immutable",
    ],
    [
      "its selector",
      jobManifest(),
      { "spec.selector.matchLabels.app": "x" },
      "spec.selector Invalid",
      "spec.template.metadata.labels Invalid",
      "spec.selector Immutable",
    ],
    ["its image", jobManifest(), { "spec.template.spec.containers.0.image": "work:2" }, "spec.template Immutable"],
    ["where its Pods run", jobManifest(), { "spec.template.spec.nodeSelector": { a: "b" } }, "spec.template Immutable"],
    [
      "where its Pods run while it is suspended",
      suspended,
      { "spec.template.spec.nodeSelector": { a: "b" }, "spec.template.spec.tolerations": [{ operator: "Exists" }] },
    ],
    [
      "its image while it is suspended",
      suspended,
      { "spec.template.spec.containers.0.image": "work:2" },
      "spec.template Immutable",
    ],
  ];
  for (const [what, before, values, ...faults] of table)
    it(`${faults.length === 0 ? "takes" : "refuses"} ${what}`, () => assert.deepEqual(changes(before, values), faults));
});

describe("a CronJob's rules", () => {
  const messageOf = (values: Readonly<Record<string, unknown>>): string =>
    validateObject(created(withAll(cronJobManifest(), values)))
      .map(({ field, message }) => `${field}: ${message}`)
      .join();
  rows(cronJobManifest, [
    ["its manifest", {}],
    ["a zone", { "spec.timeZone": "Europe/Berlin" }],
    ["a zone that there is not", { "spec.timeZone": "Europe/Nowhere" }, "spec.timeZone Invalid"],
    ["an empty zone", { "spec.timeZone": "" }, "spec.timeZone Invalid"],
    ["four fields", { "spec.schedule": "* * * *" }, "spec.schedule Invalid"],
    ["no schedule", { "spec.schedule": "" }, "spec.schedule Required"],
    ["another policy", { "spec.concurrencyPolicy": "Wait" }, "spec.concurrencyPolicy NotSupported"],
    ["a name of 52 characters", { "metadata.name": "t".repeat(52) }],
    ["a name of 53 characters", { "metadata.name": "t".repeat(53) }, "metadata.name Invalid"],
    [
      "a selector",
      { "spec.jobTemplate.spec.selector": { matchLabels: { a: "b" } } },
      "spec.jobTemplate.spec.selector Invalid",
    ],
    [
      "a selector of the user's",
      { "spec.jobTemplate.spec.manualSelector": true },
      "spec.jobTemplate.spec.manualSelector Invalid",
    ],
    [
      "Pods that never end",
      { "spec.jobTemplate.spec.template.spec.restartPolicy": "Always" },
      "spec.jobTemplate.spec.template.spec.restartPolicy NotSupported",
    ],
  ]);
  it("a bad schedule is told with its field", () =>
    assert.equal(
      messageOf({ "spec.schedule": "0 25 * * *" }),
      'spec.schedule: field 2 (hour): "25" is not from 0 to 23',
    ));
  it("has defaults, those of its Jobs too", () => {
    const { spec } = objectOf(cronJobManifest()) as unknown as CronJob;
    assert.deepEqual(
      [spec.concurrencyPolicy, spec.suspend, spec.successfulJobsHistoryLimit, spec.failedJobsHistoryLimit],
      ["Allow", false, 3, 1],
    );
    assert.deepEqual([spec.jobTemplate.spec.completions, spec.jobTemplate.spec.backoffLimit], [1, 6]);
    assert.equal(spec.jobTemplate.spec.selector, undefined);
  });
  it("may be changed", () => {
    const live = created(cronJobManifest());
    const after = withAll(live as unknown as Manifest, {
      "spec.schedule": "@daily",
      "spec.jobTemplate.spec.template.spec.containers.0.image": "b",
    });
    assert.deepEqual(validateChange(live, after as unknown as AnyObject), []);
  });
});

describe("a PriorityClass's rules", () => {
  rows(priorityClassManifest, [
    ["its manifest", {}],
    ["the greatest value", { value: 1_000_000_000 }],
    ["more than that", { value: 1_000_000_001 }, "value Invalid"],
    ["a negative value", { value: -2_147_483_648 }],
    ["less than 32 bits", { value: -2_147_483_649 }, "value Invalid"],
    ["no value", { value: undefined }, "value Required"],
    ["another policy", { preemptionPolicy: "Ask" }, "preemptionPolicy NotSupported"],
    ["a name of the system's", { "metadata.name": "system-mine" }, "metadata.name Invalid"],
    ["a class of the system with its value", { "metadata.name": "system-node-critical", value: 2_000_001_000 }],
    ["a class of the system with another value", { "metadata.name": "system-node-critical" }, "value Invalid"],
    [
      "a class of the system as the default",
      { "metadata.name": "system-node-critical", value: 2_000_001_000, globalDefault: true },
      "globalDefault Invalid",
    ],
  ]);
  it("value and policy stay, the rest may change", () => {
    const live = created(priorityClassManifest());
    const change = (values: Readonly<Record<string, unknown>>): readonly string[] =>
      validateChange(live, withAll(live as unknown as Manifest, values) as unknown as AnyObject).map(
        ({ field, reason }) => `${field} ${reason}`,
      );
    assert.deepEqual(change({ value: 5 }), ["value Immutable"]);
    assert.deepEqual(change({ preemptionPolicy: "Never" }), ["preemptionPolicy Immutable"]);
    assert.deepEqual(change({ globalDefault: true, description: "more" }), []);
  });
});

describe("columns of Jobs and CronJobs", () => {
  const rowOf = (object: AnyObject): readonly string[] =>
    kindOf(object)
      .columns.filter(({ priority }) => priority === 0)
      .map(({ cell }) => cell(object, noon));
  const withStatus = (object: AnyObject, status: object): AnyObject => ({ ...object, status });
  const at = "2026-01-01T11:59:00Z";
  it("how a Job stands", () => {
    const job = created(withValue(jobManifest(), "spec.completions", 3));
    const condition = (type: string, lastTransitionTime = at): object => ({ type, status: "True", lastTransitionTime });
    assert.deepEqual(rowOf(job), ["work", "Running", "0/3", "", "0s"]);
    assert.deepEqual(rowOf(withStatus(job, { succeeded: 2, startTime: at })).slice(1, 4), ["Running", "2/3", "60s"]);
    assert.deepEqual(
      rowOf(
        withStatus(job, {
          succeeded: 3,
          startTime: "2026-01-01T11:58:30Z",
          completionTime: at,
          conditions: [condition("Complete")],
        }),
      ).slice(1, 4),
      ["Complete", "3/3", "30s"],
    );
    assert.deepEqual(
      rowOf(
        withStatus(job, {
          startTime: "2026-01-01T11:58:50Z",
          conditions: [condition("FailureTarget"), condition("Failed")],
        }),
      ).slice(1, 4),
      ["Failed", "0/3", "10s"],
    );
    for (const type of ["Suspended", "FailureTarget", "SuccessCriteriaMet"])
      assert.equal(rowOf(withStatus(job, { conditions: [condition(type)] }))[1], type);
    assert.equal(rowOf(created(withValue(jobManifest(), "spec.parallelism", 2)))[2], "0/1 of 2");
  });
  it("when a CronJob was due", () => {
    const cron = created(cronJobManifest());
    assert.deepEqual(rowOf(cron), ["tick", "*/5 * * * *", "<none>", "false", "0", "<none>", "0s"]);
    const status = { active: [{ name: "a" }], lastScheduleTime: at };
    assert.deepEqual(rowOf(withStatus(cron, status)).slice(4, 6), ["1", "60s"]);
  });
  it("never fail on an object that misses all", () => {
    for (const { kind, apiVersion } of [
      jobManifest(),
      cronJobManifest(),
      priorityClassManifest(),
    ] as unknown as AnyObject[])
      for (const { cell } of kindOf({ kind, apiVersion }).columns)
        assert.equal(typeof cell({} as AnyObject, noon), "string");
  });
});

describe("manifests of Jobs from Kubernetes", () => {
  it("with everything that kubectl gives of them are read", () => {
    const job = withAll(jobManifest(), {
      status: {
        uncountedTerminatedPods: {},
        ready: 0,
        conditions: [{ type: "Complete", status: "True", lastProbeTime: "2026-01-01T00:00:00Z" }],
      },
    });
    assert.doesNotThrow(() => decodedOf(job));
  });
});

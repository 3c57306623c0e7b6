import assert from "node:assert/strict";
import { newContainerRecord, newPodRecord, type ContainerRecord } from "../../../node-agent/core/pod-record.js";
import { podStatus, type StatusInput } from "../../../node-agent/core/pod-status.js";
import type { ContainerInfo } from "../../../node-agent/core/runtime.js";
import { decodeObject } from "../../../src/api/decode.js";
import { validateObject } from "../../../src/api/validate.js";
import type { PodSpec } from "../../../src/api/kinds/pod.js";
import { podOf } from "../agent-world.js";

const now = 1_700_000_000_000;

function exit(exitCode: number): NonNullable<ContainerRecord["exit"]> {
  const reason = exitCode === 0 ? "Completed" : "Error";
  return { containerId: "x", exitCode, reason, message: undefined, startedAt: now - 9_000, finishedAt: now - 1_000 };
}

function info(name: string, attempt: number): ContainerInfo {
  return {
    id: `id-${name}-${attempt}`,
    podUid: "uid-p",
    podNamespace: "default",
    podName: "p",
    containerName: name,
    role: name === "" ? "sandbox" : "container",
    attempt,
    specHash: "",
    phase: "running",
    image: "i",
    imageId: "sha",
    startedAt: now - 5_000,
    finishedAt: undefined,
    exitCode: undefined,
    oomKilled: false,
    message: undefined,
    altered: undefined,
    impostor: false,
    ip: name === "" ? "10.0.0.5" : undefined,
  };
}

interface Case {
  readonly spec?: Partial<PodSpec>;
  readonly records?: Record<string, Partial<ContainerRecord>>;
  readonly running?: readonly ContainerInfo[];
  readonly waiting?: Record<string, string>;
  readonly terminating?: boolean;
}

function input({ spec = {}, records = {}, running = [], waiting = {}, terminating = false }: Case): StatusInput {
  const containers = Object.entries(records).map(
    ([name, record]) => [name, { ...newContainerRecord, ...record }] as const,
  );
  return {
    pod: podOf("p", spec),
    record: {
      ...newPodRecord(now - 60_000),
      containers: Object.fromEntries(containers),
      terminatingSince: terminating ? now : undefined,
    },
    observed: [info("", 0), ...running],
    waiting: new Map(Object.entries(waiting).map(([name, reason]) => [name, { reason }])),
    hostIP: "192.0.2.1",
    before: undefined,
    now,
  };
}

const two: Partial<PodSpec> = {
  containers: [
    { name: "a", image: "i" },
    { name: "b", image: "i" },
  ],
};

describe("status of a Pod", () => {
  const table: readonly [string, Case, string, "True" | "False", string | undefined][] = [
    ["nothing yet", {}, "Pending", "False", "ContainersNotReady"],
    [
      "one of two runs",
      { spec: two, running: [info("a", 0)], records: { a: {}, b: {} } },
      "Pending",
      "False",
      "ContainersNotReady",
    ],
    [
      "both run",
      { spec: two, running: [info("a", 0), info("b", 0)], records: { a: {}, b: {} } },
      "Running",
      "True",
      undefined,
    ],
    [
      "one backs off",
      {
        spec: two,
        running: [info("a", 0)],
        records: { a: {}, b: { exit: exit(1) } },
        waiting: { b: "CrashLoopBackOff" },
      },
      ...(["Running", "False", "ContainersNotReady"] as const),
    ],
    [
      "one finished, one runs, OnFailure",
      {
        spec: { ...two, restartPolicy: "OnFailure" },
        running: [info("a", 0)],
        records: { a: {}, b: { exit: exit(0) } },
      },
      ...(["Running", "False", "ContainersNotReady"] as const),
    ],
    [
      "both finished well",
      { spec: { ...two, restartPolicy: "OnFailure" }, records: { a: { exit: exit(0) }, b: { exit: exit(0) } } },
      ...(["Succeeded", "False", "PodCompleted"] as const),
    ],
    [
      "one failed, Never",
      { spec: { ...two, restartPolicy: "Never" }, records: { a: { exit: exit(0) }, b: { exit: exit(2) } } },
      ...(["Failed", "False", "PodFailed"] as const),
    ],
    [
      "an init container failed, Never",
      {
        spec: { restartPolicy: "Never", initContainers: [{ name: "init", image: "i" }] },
        records: { init: { exit: exit(1) } },
      },
      ...(["Failed", "False", "PodFailed"] as const),
    ],
    [
      "an init container runs",
      { spec: { initContainers: [{ name: "init", image: "i" }] }, running: [info("init", 0)], records: { init: {} } },
      ...(["Pending", "False", "ContainersNotReady"] as const),
    ],
    [
      "told to end and ended",
      { records: { main: { exit: exit(0) } }, terminating: true },
      ...(["Succeeded", "False", "PodCompleted"] as const),
    ],
  ];
  for (const [name, given, phase, ready, reason] of table) {
    it(`${name}: ${phase}`, () => {
      const status = podStatus(input(given));
      const condition = status.conditions?.find(({ type }) => type === "Ready");
      assert.deepEqual([status.phase, condition?.status, condition?.reason], [phase, ready, reason]);
    });
  }

  it("is what a server accepts: no unknown field, no wrong type", () => {
    for (const [name, given] of table) {
      const pod = { ...podOf("p", given.spec), status: podStatus(input(given)) };
      const { object, faults } = decodeObject(pod, { mode: "whole" });
      const found = object ? validateObject(object).filter(({ field }) => field.startsWith("status")) : faults;
      assert.deepEqual(found, [], name);
    }
  });

  it("keeps times of transition while a condition stays", () => {
    const given = { running: [info("main", 0)], records: { main: {} } };
    const before = podStatus(input(given));
    const later = podStatus({ ...input(given), before, now: now + 60_000 });
    assert.deepEqual(later, before);
    const unready = podStatus({ ...input({ records: { main: { exit: exit(1) } } }), before, now: now + 60_000 });
    const times = unready.conditions?.map(({ type, lastTransitionTime }) => `${type} ${lastTransitionTime}`);
    assert.deepEqual(times, [
      "PodScheduled 2023-11-14T22:13:20Z",
      "PodReadyToStartContainers 2023-11-14T22:13:20Z",
      "Initialized 2023-11-14T22:13:20Z",
      "ContainersReady 2023-11-14T22:14:20Z",
      "Ready 2023-11-14T22:14:20Z",
    ]);
  });

  it("says nothing of the conditions of others: what it knows of them may be old", () => {
    const foreign = { type: "example.org/checked", status: "True" as const };
    const { conditions } = podStatus({ ...input({}), before: { conditions: [foreign] } });
    assert.ok(!conditions?.some(({ type }) => type === foreign.type));
  });
});

import assert from "node:assert/strict";
import {
  newContainerRecord,
  newPodRecord,
  type ContainerRecord,
  type PodRecord,
} from "../../../node-agent/core/pod-record.js";
import { decide, type Decision, type PodView } from "../../../node-agent/core/pod-task.js";
import type { ContainerInfo } from "../../../node-agent/core/runtime.js";
import { specHash } from "../../../node-agent/core/spec-hash.js";
import { podOf, testImage } from "../agent-world.js";

const now = 1_700_000_000_000;
const pod = podOf("p");
const [main = { name: "", image: "" }] = pod.spec.containers;

function info(
  name: string,
  attempt: number,
  phase: ContainerInfo["phase"],
  more: Partial<ContainerInfo> = {},
): ContainerInfo {
  return {
    id: `${name === "" ? "sandbox" : name}-${attempt}`,
    podUid: "uid-p",
    podNamespace: "default",
    podName: "p",
    containerName: name,
    role: name === "" ? "sandbox" : "container",
    attempt,
    specHash: name === "" ? "sandbox" : specHash(main),
    phase,
    image: testImage,
    imageId: "sha",
    startedAt: phase === "created" ? undefined : now - 5_000,
    finishedAt: phase === "exited" ? now : undefined,
    exitCode: phase === "exited" ? 1 : undefined,
    oomKilled: false,
    message: undefined,
    altered: undefined,
    impostor: false,
    ip: name === "" && phase === "running" ? "10.0.0.5" : undefined,
    ...more,
  };
}

function view(observed: readonly ContainerInfo[], more: Partial<PodView> = {}): PodView {
  return {
    pod,
    removalGraceMs: undefined,
    lease: undefined,
    record: newPodRecord(now - 60_000),
    observed,
    images: new Map([
      ["main", { attempt: 0, pin: undefined, status: "ready", reference: "image:1", id: "sha", user: "" }],
    ]),
    busy: new Map(),
    failures: new Map(),
    startErrors: new Map(),
    unhealthy: new Map(),
    volumes: { wanted: new Map(), applied: new Map(), present: false },
    restartMsMax: 300_000,
    environment: () => ({ variables: [], command: ["sleep"], args: [] }),
    now,
    ...more,
  };
}

function record(container: Partial<ContainerRecord>, more: Partial<PodRecord> = {}): PodRecord {
  return { ...newPodRecord(now - 60_000), containers: { main: { ...newContainerRecord, ...container } }, ...more };
}

/** `kind target`, with the grace of a stop. */
function actions(decision: Decision): string[] {
  return decision.actions.map((action) => {
    if (action.kind === "stop") return `stop ${action.containerId} ${action.graceMs}`;
    if (action.kind === "create")
      return `create ${action.spec.containerName}-${action.spec.attempt} in ${action.spec.sandboxId}`;
    if (action.kind === "create-sandbox") return `create-sandbox ${action.attempt}`;
    if (action.kind === "post-start") return `post-start ${action.containerId}`;
    if (action.kind === "image") return `image ${action.container}`;
    if (action.kind === "volume") return `volume ${action.plan.name}`;
    if (action.kind === "remove-volumes") return action.kind;
    return `${action.kind} ${action.containerId}`;
  });
}

const sandbox = info("", 0, "running");

describe("next steps of a Pod", () => {
  const busy = (...slots: string[]) => new Map(slots.map((slot) => [slot, {}]));
  const table: readonly [string, PodView, readonly string[]][] = [
    ["nothing: sandbox and image at once", view([], { images: new Map() }), ["create-sandbox 0", "image main"]],
    ["both on their way: wait", view([], { images: new Map(), busy: busy("sandbox", "image/main") }), []],
    ["a created sandbox is started", view([info("", 0, "created")]), ["start sandbox-0"]],
    ["a running sandbox gets the container", view([sandbox]), ["create main-0 in sandbox-0"]],
    ["which is started", view([sandbox, info("main", 0, "created")]), ["start main-0"]],
    ["and left alone", view([sandbox, info("main", 0, "running")]), []],
    [
      "an ended one is made again",
      view([sandbox, info("main", 0, "exited")], {
        images: new Map([
          ["main", { attempt: 1, pin: undefined, status: "ready", reference: "image:1", id: "sha", user: "" }],
        ]),
      }),
      ["create main-1 in sandbox-0"],
    ],
    ["with a look at its image first", view([sandbox, info("main", 0, "exited")]), ["image main"]],
    [
      "but not before its time",
      view([sandbox, info("main", 3, "exited")], { record: record({ attempt: 3, crashes: 3 }) }),
      [],
    ],
    [
      "older attempts are removed but one",
      view([sandbox, info("main", 0, "exited"), info("main", 1, "exited"), info("main", 2, "running")]),
      ["remove main-0"],
    ],
    [
      "an unhealthy one is stopped",
      view([sandbox, info("main", 0, "running")], {
        unhealthy: new Map([["main-0", { why: "it failed its probe", graceMs: undefined }]]),
      }),
      ["stop main-0 30000"],
    ],
    [
      "one of another spec too",
      view([sandbox, info("main", 0, "running", { specHash: "other" })]),
      ["stop main-0 30000"],
    ],
    [
      "without a sandbox containers end first",
      view([info("", 0, "exited"), info("main", 0, "running")]),
      ["stop main-0 30000"],
    ],
    [
      "then comes another sandbox",
      view([info("", 0, "exited"), info("main", 0, "exited")]),
      ["create-sandbox 1", "image main", "remove sandbox-0"],
    ],
  ];
  for (const [name, given, expected] of table) {
    it(name, () => {
      const decision = decide(given);
      assert.deepEqual(actions(decision), expected);
      assert.deepEqual(decide(given), decision, "the same view, the same decision");
    });
  }

  it("wakes up when a restart is due, and shows why it waits", () => {
    const decision = decide(view([sandbox, info("main", 3, "exited")], { record: record({ attempt: 3, crashes: 3 }) }));
    assert.equal(decision.wakeAt, now + 4_000);
    assert.equal(decision.waiting.get("main")?.reason, "CrashLoopBackOff");
    assert.equal(decision.record.containers["main"]?.nextRestartAt, now + 4_000);
  });

  for (const [ranMs, pauseMs, crashes] of [
    [9_999, 0, 8],
    [10_000, 0, 1],
    [39_999, 4_000, 8],
    [40_000, 4_000, 1],
    [599_999, 300_000, 8],
    [600_000, 300_000, 1],
  ] as const) {
    it(`a run of ${ranMs} ms after a pause of ${pauseMs} ms makes ${crashes} crashes in a row`, () => {
      const exited = info("main", 7, "exited", { startedAt: now - ranMs });
      const known = record({ attempt: 7, crashes: 7, restartDelayMs: pauseMs });
      const decision = decide(view([sandbox, exited], { record: known }));
      assert.equal(decision.record.containers["main"]?.crashes, crashes);
    });
  }

  it("a wall clock that was set back does not make the pause longer", () => {
    const exited = info("main", 3, "exited", { finishedAt: now + 3_600_000, startedAt: now + 3_599_000 });
    const decision = decide(view([sandbox, exited], { record: record({ attempt: 3, crashes: 3 }) }));
    assert.equal(decision.wakeAt, now + 4_000);
  });

  it("waits with a slot that failed", () => {
    const failures = new Map([["container/main", { failures: 1, message: "no space", retryAt: now + 250 }]]);
    const decision = decide(view([sandbox], { failures }));
    assert.deepEqual(actions(decision), []);
    assert.equal(decision.wakeAt, now + 250);
    assert.deepEqual(decision.waiting.get("main"), { reason: "CreateContainerError", message: "no space" });
  });
});

describe("removal of a Pod", () => {
  const removal = { removalGraceMs: 30_000 };
  const since = (ms: number): Partial<PodView> => ({ ...removal, record: record({}, { terminatingSince: now - ms }) });
  const stopping = (killAt: number) => new Map([["stop/main-0", { killAt }]]);
  const table: readonly [string, PodView, readonly string[], boolean][] = [
    ["stops with the whole grace", view([sandbox, info("main", 0, "running")], removal), ["stop main-0 30000"], false],
    [
      "after a restart with what is left",
      view([sandbox, info("main", 0, "running")], since(10_000)),
      ["stop main-0 20000"],
      false,
    ],
    [
      "and at once when nothing is",
      view([sandbox, info("main", 0, "running")], since(40_000)),
      ["stop main-0 0"],
      false,
    ],
    [
      "waits for a stop that is on its way",
      view([sandbox, info("main", 0, "running")], { ...removal, busy: stopping(now + 30_000) }),
      [],
      false,
    ],
    [
      "hurries one that would take longer",
      view([sandbox, info("main", 0, "running")], { removalGraceMs: 5_000, busy: stopping(now + 30_000) }),
      ["stop main-0 5000"],
      false,
    ],
    [
      "removes containers before the sandbox",
      view([sandbox, info("main", 0, "exited")], removal),
      ["remove main-0"],
      false,
    ],
    ["then the sandbox", view([sandbox], removal), ["remove sandbox-0"], false],
    [
      "does not overtake a container that is being made",
      view([sandbox], { ...removal, busy: new Map([["container/main", {}]]) }),
      [],
      false,
    ],
    ["is gone when nothing is left", view([], removal), [], true],
    [
      "of a Pod that nobody knows",
      view([sandbox, info("main", 0, "running")], { pod: undefined }),
      ["stop main-0 30000"],
      false,
    ],
    [
      "is never taken back",
      view([sandbox, info("main", 0, "running")], { ...since(1_000), removalGraceMs: undefined }),
      ["stop main-0 29000"],
      false,
    ],
  ];
  for (const [name, given, expected, gone] of table) {
    it(name, () => {
      const decision = decide(given);
      assert.deepEqual(actions(decision), expected);
      assert.equal(decision.gone, gone);
      assert.notEqual(decision.record.terminatingSince, undefined);
    });
  }
});

import assert from "node:assert/strict";
import type { AnyObject } from "../../src/api/object.js";
import { kindNamed, kindOf } from "../../src/api/registry.js";
import { tableOf, type TableOptions } from "../../src/api/table.js";
import { toTimestamp } from "../../src/api/time.js";
import { deploymentManifest, noon, podManifest, withValue, type Manifest } from "./manifests.js";

const made = { creationTimestamp: toTimestamp(noon - 90_000) };

function row(manifest: Manifest, options: TableOptions = {}): Readonly<Record<string, string>> {
  const object = { ...manifest, metadata: { ...(manifest["metadata"] as object), ...made } } as unknown as AnyObject;
  const { headers, rows } = tableOf(kindOf(object), [object], noon, options);
  return Object.fromEntries(headers.map((header, at) => [header, rows[0]?.[at] ?? ""]));
}

describe("printed columns", () => {
  const status = (state: object, more: object = {}): object => ({
    name: "server",
    ready: false,
    restartCount: 0,
    state,
    ...more,
  });
  const withStatuses = (...containerStatuses: readonly object[]): Manifest =>
    withValue(podManifest(), "status", { phase: "Running", containerStatuses });
  const running = status({ running: {} }, { ready: true });

  const states: (readonly [string, Manifest, string, string, string])[] = [
    ["nothing known", podManifest(), "Pending", "0/1", "0"],
    ["running", withStatuses(running), "Running", "1/1", "0"],
    ["unready", withStatuses(status({ running: {} })), "Running", "0/1", "0"],
    ["pulling", withStatuses(status({ waiting: { reason: "ContainerCreating" } })), "ContainerCreating", "0/1", "0"],
    [
      "crashing",
      withStatuses(
        status(
          { waiting: { reason: "CrashLoopBackOff" } },
          { restartCount: 4, lastState: { terminated: { exitCode: 1, finishedAt: toTimestamp(noon - 30_000) } } },
        ),
      ),
      "CrashLoopBackOff",
      "0/1",
      "4 (30s ago)",
    ],
    ["ended", withStatuses(status({ terminated: { exitCode: 0, reason: "Completed" } })), "Completed", "0/1", "0"],
    ["ended badly", withStatuses(status({ terminated: { exitCode: 3 } })), "ExitCode:3", "0/1", "0"],
    ["killed", withStatuses(status({ terminated: { exitCode: 137, signal: 9 } })), "Signal:9", "0/1", "0"],
    [
      "half ended",
      withValue(
        withStatuses(status({ terminated: { exitCode: 0, reason: "Completed" } }), running),
        "status.conditions",
        [{ type: "Ready", status: "False" }],
      ),
      "NotReady",
      "1/1",
      "0",
    ],
    ["evicted", withValue(podManifest(), "status", { phase: "Failed", reason: "Evicted" }), "Evicted", "0/1", "0"],
    [
      "ending",
      withValue(withStatuses(running), "metadata.deletionTimestamp", toTimestamp(noon)),
      "Terminating",
      "1/1",
      "0",
    ],
  ];
  const inits = [
    { name: "setup", image: "i" },
    { name: "proxy", image: "i", restartPolicy: "Always" },
  ];
  const withInits = (...initContainerStatuses: readonly object[]): Manifest => {
    const pod = withValue(
      withStatuses(status({ waiting: { reason: "PodInitializing" } })),
      "spec.initContainers",
      inits,
    );
    return withValue(pod, "status.initContainerStatuses", initContainerStatuses);
  };
  const init = (name: string, state: object, more: object = {}): object => ({ ...status(state, more), name });
  const done = init("setup", { terminated: { exitCode: 0, reason: "Completed" } });
  states.push(
    ["at its first init container", withInits(init("setup", { running: {} })), "Init:0/2", "0/2", "0"],
    ["at its second", withInits(done, init("proxy", { running: {} }, { started: false })), "Init:1/2", "0/2", "0"],
    [
      "stuck",
      withInits(init("setup", { waiting: { reason: "CrashLoopBackOff" } }, { restartCount: 2 })),
      "Init:CrashLoopBackOff",
      "0/2",
      "2",
    ],
    ["broken", withInits(init("setup", { terminated: { exitCode: 1, reason: "Error" } })), "Init:Error", "0/2", "0"],
    [
      "past them, with a sidecar",
      withValue(
        withValue(
          withInits(done, init("proxy", { running: {} }, { started: true, ready: true })),
          "status.containerStatuses",
          [running],
        ),
        "status.conditions",
        [{ type: "Initialized", status: "True" }],
      ),
      "Running",
      "2/2",
      "0",
    ],
  );
  for (const [what, manifest, state, ready, restarts] of states)
    it(`of a Pod that is ${what}`, () =>
      assert.deepEqual(row(manifest), { NAME: "web-1", READY: ready, STATUS: state, RESTARTS: restarts, AGE: "90s" }));

  it("of a Deployment, and more of it when wide", () => {
    const counts = { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 };
    const manifest = withValue(deploymentManifest(), "status", counts);
    const narrow = { NAME: "web", READY: "2/3", "UP-TO-DATE": "3", AVAILABLE: "1", AGE: "90s" };
    assert.deepEqual(row(manifest), narrow);
    const wide = { CONTAINERS: "server", IMAGES: "registry.example/web:1.2", SELECTOR: "app=web" };
    assert.deepEqual(row(manifest, { wide: true }), { ...narrow, ...wide });
  });

  it("with Namespace and labels", () => {
    const shown = row(deploymentManifest(), { withNamespace: true, withLabels: true });
    assert.equal(shown["NAMESPACE"], "default");
    assert.equal(shown["LABELS"], "app=web");
  });

  it("of a Node", () => {
    const labels = { "node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/edge": "" };
    const conditions = [{ type: "Ready", status: "True" }];
    const node: Manifest = {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "n", labels },
      spec: { unschedulable: true },
      status: {
        conditions,
        nodeInfo: { kubeletVersion: "v1" },
        addresses: [{ type: "InternalIP", address: "10.0.0.1" }],
      },
    };
    const shown = row(node, { wide: true });
    assert.deepEqual(
      [shown["STATUS"], shown["ROLES"], shown["VERSION"], shown["INTERNAL-IP"], shown["EXTERNAL-IP"]],
      ["Ready,SchedulingDisabled", "edge,worker", "v1", "10.0.0.1", "<none>"],
    );
    assert.equal(row({ apiVersion: "v1", kind: "Node", metadata: { name: "n" } })["STATUS"], "Unknown");
  });

  it("of the other kinds", () => {
    const event: Manifest = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "e", namespace: "d" },
      involvedObject: { kind: "Pod", name: "p" },
      lastTimestamp: toTimestamp(noon - 5000),
      type: "Warning",
      reason: "Failed",
      message: " no image\n",
    };
    assert.deepEqual(row(event), {
      "LAST SEEN": "5s",
      TYPE: "Warning",
      REASON: "Failed",
      OBJECT: "pod/p",
      MESSAGE: "no image",
    });
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, data: { a: "", b: "" } };
    assert.deepEqual(row(secret), { NAME: "s", TYPE: "Opaque", DATA: "2", AGE: "90s" });
    const map = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "m" },
      data: { a: "" },
      binaryData: { b: "" },
    };
    assert.deepEqual(row(map), { NAME: "m", DATA: "2", AGE: "90s" });
    assert.deepEqual(row({ apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } }), {
      NAME: "n",
      STATUS: "Active",
      AGE: "90s",
    });
    const set = {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name: "r" },
      spec: { replicas: 2 },
      status: { replicas: 1 },
    };
    assert.deepEqual(row(set), { NAME: "r", DESIRED: "2", CURRENT: "1", READY: "0", AGE: "90s" });
  });

  it("stand an object without anything in it", () => {
    const bare = { apiVersion: "v1", kind: "Pod", metadata: {} } as unknown as AnyObject;
    assert.deepEqual(tableOf(kindNamed("pods"), [bare], noon).rows[0], ["<none>", "0/0", "Pending", "0", "<unknown>"]);
  });
});

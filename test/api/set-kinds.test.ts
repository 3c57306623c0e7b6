import assert from "node:assert/strict";
import { applyObject } from "../../src/api/apply.js";
import { decodeObject } from "../../src/api/decode.js";
import type { AnyObject } from "../../src/api/object.js";
import { kindOf } from "../../src/api/registry.js";
import { tableOf } from "../../src/api/table.js";
import { toTimestamp } from "../../src/api/time.js";
import { validateChange, validateObject } from "../../src/api/validate.js";
import { decodedOf, deploymentManifest, noon, objectOf, withValue, type Manifest } from "./manifests.js";

function statefulSetManifest(): Manifest {
  const manifest = { ...deploymentManifest(), kind: "StatefulSet" };
  return withValue(withValue(manifest, "metadata.name", "db"), "spec.serviceName", "db");
}

function daemonSetManifest(): Manifest {
  const manifest = { ...deploymentManifest(), kind: "DaemonSet" };
  return withValue(withValue(manifest, "metadata.name", "log"), "spec.replicas", undefined);
}

function revisionManifest(): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: { name: "db-1", namespace: "default" },
    data: { spec: { template: { $patch: "replace", spec: { containers: [] } } } },
    revision: 3,
  };
}

type Row = readonly [what: string, path: string, value: unknown, ...faults: string[]];

function refusals(base: () => Manifest, rows: readonly Row[]): void {
  for (const [what, path, value, ...faults] of rows)
    it(`${faults.length === 0 ? "takes" : "refuses"} ${what}`, () => {
      const found = validateObject(objectOf(withValue(base(), path, value)));
      assert.deepEqual(
        found.map((fault) => `${fault.field} ${fault.reason}`),
        faults,
      );
    });
}

function changeFaults(base: Manifest, path: string, value: unknown): readonly string[] {
  const found = validateChange(objectOf(base), objectOf(withValue(base, path, value)));
  return found.map((fault) => `${fault.field} ${fault.reason}`);
}

function row(manifest: Manifest): Readonly<Record<string, string>> {
  const made = { creationTimestamp: toTimestamp(noon - 90_000) };
  const object = { ...manifest, metadata: { ...(manifest["metadata"] as object), ...made } } as unknown as AnyObject;
  const { headers, rows } = tableOf(kindOf(object), [object], noon, {});
  return Object.fromEntries(headers.map((header, at) => [header, rows[0]?.[at] ?? ""]));
}

const strategy = "spec.updateStrategy";
const rolling = `${strategy}.rollingUpdate`;

describe("StatefulSet", () => {
  it("has Kubernetes' defaults", () => {
    const { spec } = objectOf(statefulSetManifest()) as unknown as { readonly spec: Readonly<Record<string, unknown>> };
    assert.deepEqual(
      { ...spec, template: undefined, selector: undefined },
      {
        replicas: 3,
        serviceName: "db",
        podManagementPolicy: "OrderedReady",
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0, maxUnavailable: 1 } },
        revisionHistoryLimit: 10,
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
        template: undefined,
        selector: undefined,
      },
    );
    const onDelete = objectOf(withValue(statefulSetManifest(), strategy, { type: "OnDelete" }));
    assert.deepEqual((onDelete as unknown as { spec: { updateStrategy: unknown } }).spec.updateStrategy, {
      type: "OnDelete",
    });
  });

  refusals(statefulSetManifest, [
    ["a name of 52 characters", "metadata.name", "a".repeat(52)],
    ["a name of 53 characters", "metadata.name", "a".repeat(53), "metadata.name TooLong"],
    ["a name with a dot", "metadata.name", "a.b", "metadata.name Invalid"],
    ["a Service's name in capitals", "spec.serviceName", "DB", "spec.serviceName Invalid"],
    ["no Service", "spec.serviceName", undefined],
    ["a policy of its own", "spec.podManagementPolicy", "Random", "spec.podManagementPolicy NotSupported"],
    ["a first ordinal", "spec.ordinals", { start: 5 }],
    ["one below 0", "spec.ordinals", { start: -1 }, "spec.ordinals.start Invalid"],
    ["one that leaves no room", "spec.ordinals", { start: 2 ** 31 - 1 }, "spec.ordinals.start Invalid"],
    ["a partition and a share", strategy, { rollingUpdate: { partition: 2, maxUnavailable: "50%" } }],
    ["maxUnavailable 0", strategy, { rollingUpdate: { maxUnavailable: 0 } }, `${rolling}.maxUnavailable Invalid`],
    ["0%", strategy, { rollingUpdate: { maxUnavailable: "0%" } }, `${rolling}.maxUnavailable Invalid`],
    ["101%", strategy, { rollingUpdate: { maxUnavailable: "101%" } }, `${rolling}.maxUnavailable Invalid`],
    ["steps with OnDelete", strategy, { type: "OnDelete", rollingUpdate: {} }, `${rolling} Invalid`],
    ["Recreate", strategy, { type: "Recreate" }, `${strategy}.type NotSupported`],
    [
      "volumes that it could not make",
      "spec.volumeClaimTemplates",
      [{ metadata: { name: "data" }, spec: {} }],
      "spec.volumeClaimTemplates NotSupported",
    ],
    ["no claim templates", "spec.volumeClaimTemplates", []],
    [
      "Pods that are not kept running",
      "spec.template.spec.restartPolicy",
      "Never",
      "spec.template.spec.restartPolicy NotSupported",
    ],
  ]);

  it("may change what Kubernetes lets change, and nothing else", () => {
    const base = statefulSetManifest();
    for (const [path, value] of [
      ["spec.serviceName", "other"],
      ["spec.podManagementPolicy", "Parallel"],
      ["spec.selector", { matchLabels: { app: "web", more: "x" } }],
    ] as const)
      assert(changeFaults(base, path, value).includes(`${path} Immutable`), path);
    for (const [path, value] of [
      ["spec.replicas", 5],
      ["spec.ordinals", { start: 1 }],
      ["spec.minReadySeconds", 5],
      ["spec.revisionHistoryLimit", 2],
      [strategy, { type: "OnDelete" }],
      ["spec.persistentVolumeClaimRetentionPolicy", { whenDeleted: "Delete" }],
    ] as const)
      assert.deepEqual(changeFaults(base, path, value), [], path);
  });

  it("keeps what becomes of claims, and says that nothing follows from it", () => {
    const policy = "spec.persistentVolumeClaimRetentionPolicy";
    const warnings = (value: unknown): readonly string[] =>
      decodeObject(withValue(statefulSetManifest(), policy, value), { mode: "whole" }).warnings;
    assert.deepEqual(warnings({ whenDeleted: "Retain", whenScaled: "Retain" }), []);
    assert.match(
      warnings({ whenDeleted: "Delete" }).join(),
      /persistentVolumeClaimRetentionPolicy: kept, but not acted on/,
    );
  });

  it("its strategy changes as a whole under apply", () => {
    const first = withValue(statefulSetManifest(), strategy, { rollingUpdate: { partition: 2 } });
    const made = applyObject(undefined, decodedOf(first), { manager: "alice", force: false, now: noon }).object;
    const second = withValue(statefulSetManifest(), strategy, { type: "OnDelete" });
    const { object } = applyObject(made, decodedOf(second), { manager: "alice", force: false, now: noon });
    assert.deepEqual((object as unknown as { spec: { updateStrategy: unknown } }).spec.updateStrategy, {
      type: "OnDelete",
    });
  });

  it("prints its columns", () => {
    const manifest = withValue(statefulSetManifest(), "status", { replicas: 3, readyReplicas: 2 });
    assert.deepEqual(row(manifest), { NAME: "db", READY: "2/3", AGE: "90s" });
  });
});

describe("DaemonSet", () => {
  it("has Kubernetes' defaults", () => {
    const { spec } = objectOf(daemonSetManifest()) as unknown as { readonly spec: Readonly<Record<string, unknown>> };
    assert.deepEqual(spec["updateStrategy"], {
      type: "RollingUpdate",
      rollingUpdate: { maxSurge: 0, maxUnavailable: 1 },
    });
    assert.equal(spec["revisionHistoryLimit"], 10);
  });

  const steps = (maxSurge: unknown, maxUnavailable: unknown): object => ({
    rollingUpdate: { maxSurge, maxUnavailable },
  });
  refusals(daemonSetManifest, [
    ["steps by surge", strategy, steps("20%", 0)],
    ["steps by unavailability", strategy, steps(0, "30%")],
    ["both", strategy, steps(1, 1), `${rolling}.maxUnavailable Invalid`],
    ["neither", strategy, steps(0, 0), `${rolling}.maxUnavailable Invalid`],
    ["a surge of 101%", strategy, steps("101%", 0), `${rolling}.maxSurge Invalid`],
    ["words", strategy, steps("few", 0), `${rolling}.maxSurge Invalid`],
    ["steps with OnDelete", strategy, { type: "OnDelete", rollingUpdate: {} }, `${rolling} Invalid`],
    ["replicas", "spec.selector", undefined, "spec.selector Required"],
  ]);

  it("has no replicas, and a selector that stays", () => {
    const { faults } = decodeObject(withValue(daemonSetManifest(), "spec.replicas", 3), { mode: "whole" });
    assert.deepEqual(
      faults.map(({ field, reason }) => `${field} ${reason}`),
      ["spec.replicas Unknown"],
    );
    const other = { matchLabels: { app: "web", more: "x" } };
    assert(changeFaults(daemonSetManifest(), "spec.selector", other).includes("spec.selector Immutable"));
  });

  it("prints its columns", () => {
    const status = {
      desiredNumberScheduled: 5,
      currentNumberScheduled: 4,
      numberReady: 3,
      updatedNumberScheduled: 2,
      numberAvailable: 1,
      numberMisscheduled: 0,
    };
    const manifest = withValue(daemonSetManifest(), "status", status);
    assert.deepEqual(row(withValue(manifest, "spec.template.spec.nodeSelector", { disk: "ssd" })), {
      NAME: "log",
      DESIRED: "5",
      CURRENT: "4",
      READY: "3",
      "UP-TO-DATE": "2",
      AVAILABLE: "1",
      "NODE SELECTOR": "disk=ssd",
      AGE: "90s",
    });
    assert.equal(row(manifest)["NODE SELECTOR"], "<none>");
  });
});

describe("ControllerRevision", () => {
  refusals(revisionManifest, [
    ["any data", "data", { anything: ["goes"] }],
    ["none", "data", undefined, "data Required"],
    ["no number", "revision", undefined, "revision Required"],
    ["a number below 0", "revision", -1, "revision Invalid"],
  ]);

  it("keeps its data, and may get another number", () => {
    assert.deepEqual(changeFaults(revisionManifest(), "data", { spec: {} }), ["data Immutable"]);
    assert.deepEqual(changeFaults(revisionManifest(), "revision", 4), []);
  });

  it("prints its columns", () => {
    const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "db", uid: "u", controller: true };
    assert.deepEqual(row(withValue(revisionManifest(), "metadata.ownerReferences", [owner])), {
      NAME: "db-1",
      CONTROLLER: "statefulset.apps/db",
      REVISION: "3",
      AGE: "90s",
    });
  });
});

import assert from "node:assert/strict";
import { applyObject, conflictError, type ApplyResult } from "../../src/api/apply.js";
import { withDefaults } from "../../src/api/defaults.js";
import { pathsOf } from "../../src/api/field-set.js";
import { trackUpdate } from "../../src/api/managed-fields.js";
import type { AnyObject } from "../../src/api/object.js";
import { valueAt } from "../../src/api/path.js";
import { changeOf } from "../../src/api/object-change.js";
import { kindNamed } from "../../src/api/registry.js";
import { validateObject } from "../../src/api/validate.js";
import {
  configMapManifest,
  decodedOf,
  deploymentManifest,
  noon,
  podManifest,
  withValue,
  type Manifest,
} from "./manifests.js";

/** Applies as the server does: merge, then default. */
function apply(live: AnyObject | undefined, manifest: Manifest, manager: string, force = false): AnyObject {
  const { object, conflicts } = attempt(live, manifest, manager, force);
  assert.deepEqual(conflicts, []);
  return withDefaults(object);
}

function attempt(live: AnyObject | undefined, manifest: Manifest, manager: string, force = false): ApplyResult {
  return applyObject(live, decodedOf(manifest), { manager, force, now: noon });
}

function update(
  live: AnyObject,
  path: string,
  value: unknown,
  manager: string,
  subresource: "" | "status" = "",
): AnyObject {
  const after = withDefaults(decodedOf(withValue(live, path, value)));
  return trackUpdate(live, after, { manager, subresource }, noon);
}

/** `manager Operation[/subresource]: paths` */
function owners(object: AnyObject): readonly string[] {
  return (object.metadata.managedFields ?? []).map((entry) => {
    const part = entry.subresource === undefined ? "" : `/${entry.subresource}`;
    return `${entry.manager} ${entry.operation}${part}: ${pathsOf(entry.fieldsV1).join(" ")}`;
  });
}

const map = (data: Record<string, string>, more: Manifest = {}): Manifest => ({
  ...configMapManifest(),
  data,
  ...more,
});

/** A Deployment whose only container has these environment variables. */
function withEnv(...env: readonly object[]): Manifest {
  return withValue(deploymentManifest(), "spec.template.spec.containers.0.env", env);
}

function envOf(object: AnyObject): unknown {
  return valueAt(object, "spec", "template", "spec", "containers", 0, "env");
}

describe("server-side apply", () => {
  it("creates an object whose fields its manager owns", () => {
    const made = apply(
      undefined,
      map({ a: "1" }, { metadata: { name: "m", namespace: "d", labels: { x: "y" } } }),
      "alice",
    );
    assert.deepEqual(made["data"], { a: "1" });
    assert.deepEqual(owners(made), ["alice Apply: .data.a .metadata.labels.x"]);
    const entry = made.metadata.managedFields?.[0];
    assert.deepEqual(entry, {
      manager: "alice",
      operation: "Apply",
      apiVersion: "v1",
      time: "2026-01-01T12:00:00Z",
      fieldsType: "FieldsV1",
      fieldsV1: { "f:data": { "f:a": {} }, "f:metadata": { "f:labels": { "f:x": {} } } },
    });
  });

  it("writes list items by their keys, sorted, with defaults for absent ones", () => {
    const made = apply(undefined, deploymentManifest(), "alice");
    const containers = valueAt(
      made.metadata.managedFields?.[0]?.fieldsV1,
      "f:spec",
      "f:template",
      "f:spec",
      "f:containers",
    );
    assert.deepEqual(containers, {
      'k:{"name":"server"}': {
        ".": {},
        "f:env": { 'k:{"name":"MODE"}': { ".": {}, "f:name": {}, "f:value": {} } },
        "f:image": {},
        "f:name": {},
        "f:ports": { 'k:{"containerPort":8080,"protocol":"TCP"}': { ".": {}, "f:containerPort": {}, "f:name": {} } },
      },
    });
  });

  it("changes nothing when applied again, not even the time", () => {
    const made = apply(undefined, deploymentManifest(), "alice");
    const again = applyObject(made, decodedOf(deploymentManifest()), {
      manager: "alice",
      force: false,
      now: noon + 60_000,
    });
    assert.deepEqual(withDefaults(again.object), made);
  });

  it("gives an entry the time of its manager's last change, which losing a field is not", () => {
    const times = (object: AnyObject): Record<string, string | undefined> =>
      Object.fromEntries((object.metadata.managedFields ?? []).map(({ manager, time }) => [manager, time]));
    const at = (minute: number): number => noon + minute * 60_000;
    const options = (manager: string, minute: number) => ({ manager, force: true, now: at(minute) });
    const made = apply(undefined, map({ a: "1", b: "1" }), "alice");
    const renewed = withDefaults(applyObject(made, decodedOf(map({ a: "2", b: "1" })), options("alice", 1)).object);
    assert.deepEqual(times(renewed), { alice: "2026-01-01T12:01:00Z" });
    const taken = withDefaults(applyObject(renewed, decodedOf(map({ b: "2" })), options("bob", 2)).object);
    assert.deepEqual(times(taken), { alice: "2026-01-01T12:01:00Z", bob: "2026-01-01T12:02:00Z" });
    const written = (live: AnyObject, c: string, minute: number): AnyObject =>
      trackUpdate(live, { ...live, data: { ...(live["data"] as object), c } }, { manager: "carol" }, at(minute));
    const first = written(taken, "1", 3);
    const again = written(written(first, "1", 4), "2", 5);
    assert.equal(times(written(first, "1", 4))["carol"], "2026-01-01T12:03:00Z");
    assert.equal(times(again)["carol"], "2026-01-01T12:05:00Z");
    const change = changeOf(first, again);
    assert.deepEqual([change.added, change.modified, change.removed], [[], ["data.c"], []]);
    assert.deepEqual(
      change.writers.map(({ manager }) => manager),
      ["carol"],
    );
    assert.deepEqual(
      changeOf(renewed, taken).writers.map(({ manager }) => manager),
      ["bob"],
    );
  });

  it("removes what its manager owned and leaves out, and nothing else", () => {
    let live = apply(undefined, map({ a: "1", b: "2" }), "alice");
    live = update(live, "data.c", "3", "bob");
    live = apply(live, map({ a: "1" }), "alice");
    assert.deepEqual(live["data"], { a: "1", c: "3" });
    assert.deepEqual(owners(live), ["alice Apply: .data.a", "bob Update: .data.c"]);
  });

  it("removes a whole part when nobody owns anything in it", () => {
    const probe = { tcpSocket: { port: 80 } };
    let live = apply(
      undefined,
      withValue(deploymentManifest(), "spec.template.spec.containers.0.readinessProbe", probe),
      "alice",
    );
    assert.notEqual(
      valueAt(live, "spec", "template", "spec", "containers", 0, "readinessProbe", "periodSeconds"),
      undefined,
    );
    live = apply(live, deploymentManifest(), "alice");
    assert.equal(valueAt(live, "spec", "template", "spec", "containers", 0, "readinessProbe"), undefined);
  });

  it("keeps what another applier owns too, until that one leaves it out", () => {
    let live = apply(undefined, map({ a: "1", b: "2" }), "alice");
    live = apply(live, map({ b: "2" }), "bob");
    assert.deepEqual(owners(live), ["alice Apply: .data.a .data.b", "bob Apply: .data.b"]);
    live = apply(live, map({ a: "1" }), "alice");
    assert.deepEqual(live["data"], { a: "1", b: "2" });
    live = apply(live, map({}), "bob");
    assert.deepEqual(live["data"], { a: "1" });
  });

  it("refuses another value for a field that someone else owns, and tells whose", () => {
    const live = apply(undefined, deploymentManifest(), "alice");
    const { conflicts } = attempt(live, withValue(deploymentManifest(), "spec.replicas", 5), "bob");
    assert.deepEqual(conflicts, [
      { manager: "alice", apiVersion: "apps/v1", operation: "Apply", subresource: "", fields: [".spec.replicas"] },
    ]);
    const error = conflictError(kindNamed("deploy"), "web", conflicts);
    assert.equal(error.reason, "FieldConflict");
    assert.match(error.message, /1 conflict: conflict with "alice" using apps\/v1: \.spec\.replicas/);
    assert.equal(error.details.faults?.[0]?.field, "spec.replicas");
  });

  it("shares a field when the values are the same", () => {
    const live = apply(apply(undefined, map({ a: "1" }), "alice"), map({ a: "1" }), "bob");
    assert.deepEqual(owners(live), ["alice Apply: .data.a", "bob Apply: .data.a"]);
    assert.equal(attempt(live, map({ a: "2" }), "alice").conflicts.length, 1);
  });

  it("knows the same value again although the live one has its defaults", () => {
    const name = { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } };
    const live = apply(undefined, withEnv(name), "alice");
    assert.deepEqual(valueAt(envOf(live), 0, "valueFrom", "fieldRef"), {
      apiVersion: "v1",
      fieldPath: "metadata.name",
    });
    assert.deepEqual(envOf(apply(live, withEnv(name), "bob")), envOf(live));
  });

  it("lets a manager apply over what it updated itself", () => {
    let live = apply(undefined, withValue(deploymentManifest(), "spec.replicas", 3), "alice");
    live = update(live, "spec.replicas", 6, "alice");
    assert.equal(attempt(live, withValue(deploymentManifest(), "spec.replicas", 3), "bob").conflicts.length, 1);
    live = apply(live, withValue(deploymentManifest(), "spec.replicas", 3), "alice");
    assert.equal(valueAt(live, "spec", "replicas"), 3);
    assert.ok(!owners(live).some((owner) => owner.startsWith("alice Update") && owner.includes(".spec.replicas")));
  });

  it("takes fields over by force", () => {
    let live = apply(undefined, map({ a: "1", b: "2" }), "alice");
    live = apply(live, map({ a: "9" }), "bob", true);
    assert.deepEqual(live["data"], { a: "9", b: "2" });
    assert.deepEqual(owners(live), ["alice Apply: .data.b", "bob Apply: .data.a"]);
  });

  it("adds and removes list items by key and keeps those of others", () => {
    const [mode, level, zone] = ["MODE", "LEVEL", "ZONE"].map((name) => ({ name, value: "x" })) as [
      object,
      object,
      object,
    ];
    let live = apply(undefined, withEnv(mode, level), "alice");
    live = apply(
      live,
      { ...deploymentManifest(), spec: { template: { spec: { containers: [{ name: "server", env: [zone] }] } } } },
      "bob",
    );
    assert.deepEqual(envOf(live), [mode, level, zone]);
    live = apply(live, withEnv(level), "alice");
    assert.deepEqual(envOf(live), [level, zone]);
    assert.deepEqual(attempt(live, withEnv({ name: "ZONE", value: "y" }), "alice").conflicts[0]?.fields, [
      '.spec.template.spec.containers[name="server"].env[name="ZONE"].value',
    ]);
  });

  it("orders list items as the applier does and leaves those of others in their places", () => {
    const item = (name: string): object => ({ name, value: "x" });
    let live = apply(undefined, withEnv(item("A"), item("B"), item("C")), "alice");
    live = update(live, "spec.template.spec.containers.0.env", [item("A"), item("N"), item("B"), item("C")], "bob");
    live = apply(live, withEnv(item("C"), item("A"), item("D"), item("B")), "alice");
    assert.deepEqual(
      (envOf(live) as readonly { name: string }[]).map(({ name }) => name),
      ["C", "A", "N", "D", "B"],
    );
  });

  it("leaves an item its keys while anyone owns a part of it", () => {
    let live = apply(undefined, withEnv({ name: "MODE", value: "1" }), "alice");
    live = update(live, "spec.template.spec.containers.0.env", [{ name: "MODE", value: "2" }], "bob");
    live = apply(live, withEnv(), "alice");
    assert.deepEqual(envOf(live), [{ name: "MODE", value: "2" }]);
  });

  it("tells ports of one number apart by protocol", () => {
    const ports = (...list: readonly object[]): Manifest =>
      withValue(deploymentManifest(), "spec.template.spec.containers.0.ports", list);
    let live = apply(undefined, ports({ containerPort: 53 }, { containerPort: 53, protocol: "UDP" }), "alice");
    live = apply(live, ports({ containerPort: 53, protocol: "TCP" }), "alice");
    assert.deepEqual(valueAt(live, "spec", "template", "spec", "containers", 0, "ports"), [
      { containerPort: 53, protocol: "TCP" },
    ]);
  });

  it("owns set items by value", () => {
    const withFinalizers = (...finalizers: readonly string[]): Manifest =>
      withValue(map({}), "metadata.finalizers", finalizers);
    let live = apply(undefined, withFinalizers("a.b/1", "a.b/2"), "alice");
    live = apply(live, withFinalizers("a.b/2", "a.b/3"), "bob");
    live = apply(live, withFinalizers(), "alice");
    assert.deepEqual(live.metadata.finalizers, ["a.b/2", "a.b/3"]);
    assert.deepEqual(
      owners(live).at(-1),
      'bob Apply: .data .metadata.finalizers[="a.b/2"] .metadata.finalizers[="a.b/3"]',
    );
  });

  it("replaces atomic parts as a whole", () => {
    const withCommand = (...command: readonly string[]): Manifest =>
      withValue(deploymentManifest(), "spec.template.spec.containers.0.command", command);
    let live = apply(undefined, withCommand("run", "--fast"), "alice");
    live = apply(live, withCommand("run"), "alice");
    assert.deepEqual(valueAt(live, "spec", "template", "spec", "containers", 0, "command"), ["run"]);
    assert.deepEqual(attempt(live, withCommand("stop"), "bob").conflicts[0]?.fields, [
      '.spec.template.spec.containers[name="server"].command',
    ]);
    const selected = withValue(podManifest(), "spec.nodeSelector", { disk: "ssd" });
    const pod = apply(undefined, selected, "alice");
    assert.deepEqual(
      attempt(pod, withValue(podManifest(), "spec.nodeSelector", { zone: "a" }), "bob").conflicts[0]?.fields,
      [".spec.nodeSelector"],
    );
  });

  it("gives up Recreate's predecessor's defaults with the strategy", () => {
    const live = apply(undefined, deploymentManifest(), "alice");
    const recreated = apply(live, withValue(deploymentManifest(), "spec.strategy", { type: "Recreate" }), "alice");
    assert.deepEqual(valueAt(recreated, "spec", "strategy"), { type: "Recreate" });
    assert.deepEqual(validateObject(recreated), []);
  });

  it("folds a Secret's text into its data and owns it there", () => {
    const secret = (text: Record<string, string>): Manifest => ({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s", namespace: "d" },
      stringData: text,
    });
    let live = apply(undefined, secret({ a: "1", b: "2" }), "alice");
    assert.deepEqual(live["data"], { a: "MQ==", b: "Mg==" });
    live = apply(live, secret({ a: "1" }), "alice");
    assert.deepEqual(live["data"], { a: "MQ==" });
    assert.ok(!("stringData" in live));
  });

  it("applies no status, and never owns what is the server's", () => {
    const manifest = withValue(withValue(deploymentManifest(), "status.replicas", 7), "metadata.generation", 4);
    const made = apply(undefined, withValue(manifest, "metadata.uid", "u"), "alice");
    assert.equal(made["status"], undefined);
    assert.equal(made.metadata.uid, undefined);
    assert.ok(!/status|uid|generation|name |namespace/.test(owners(made)[0]?.replaceAll(/\[.*?\]\S*/g, "") ?? ""));
  });

  it("applies the status alone through its subresource", () => {
    const made = apply(undefined, deploymentManifest(), "alice");
    const manifest = withValue(withValue(deploymentManifest(), "spec.replicas", 9), "status", {
      replicas: 1,
      conditions: [{ type: "Available", status: "True" }],
    });
    const options = { force: false, now: noon, subresource: "status" as const };
    const first = applyObject(made, decodedOf(manifest), { ...options, manager: "watcher" });
    assert.equal(valueAt(first.object, "spec", "replicas"), 3);
    assert.equal(valueAt(first.object, "status", "replicas"), 1);
    assert.equal(
      owners(first.object)[1],
      'watcher Apply/status: .status.conditions[type="Available"] .status.conditions[type="Available"].status ' +
        '.status.conditions[type="Available"].type .status.replicas',
    );
    const second = applyObject(first.object, decodedOf(withValue(manifest, "status.replicas", 2)), {
      ...options,
      manager: "other",
    });
    assert.deepEqual(second.conflicts, [
      {
        manager: "watcher",
        apiVersion: "apps/v1",
        operation: "Apply",
        subresource: "status",
        fields: [".status.replicas"],
      },
    ]);
  });

  it("refuses an old resourceVersion", () => {
    const live = withValue(
      apply(undefined, map({ a: "1" }), "alice") as unknown as Manifest,
      "metadata.resourceVersion",
      "7",
    );
    const stale = withValue(map({ a: "2" }), "metadata.resourceVersion", "6");
    assert.throws(() => attempt(live as unknown as AnyObject, stale, "alice"), /modified since revision 6/);
  });
});

describe("ownership by updates", () => {
  it("gives an updated field to the updater, so that the applier meets a conflict", () => {
    let live = apply(undefined, deploymentManifest(), "alice");
    live = update(live, "spec.replicas", 5, "scaler");
    assert.equal(valueAt(live, "spec", "replicas"), 5);
    assert.ok(!owners(live)[0]?.includes(".spec.replicas"));
    assert.equal(owners(live)[1], "scaler Update: .spec.replicas");
    assert.equal(attempt(live, deploymentManifest(), "alice").conflicts[0]?.manager, "scaler");
    const without = apply(live, withValue(deploymentManifest(), "spec.replicas", undefined), "alice");
    assert.equal(valueAt(without, "spec", "replicas"), 5);
    assert.equal(valueAt(apply(live, deploymentManifest(), "alice", true), "spec", "replicas"), 3);
  });

  it("owns all of what it creates, with the lists and maps it adds", () => {
    const made = trackUpdate(undefined, withDefaults(decodedOf(map({ a: "1" }))), { manager: "bob" }, noon);
    assert.deepEqual(made.metadata.managedFields?.[0]?.fieldsV1, { "f:data": { ".": {}, "f:a": {} } });
  });

  it("forgets removed fields on all sides", () => {
    let live = apply(undefined, map({ a: "1", b: "2" }), "alice");
    live = update(live, "data.c", "3", "bob");
    live = update(live, "data", { a: "1" }, "carol");
    assert.deepEqual(owners(live), ["alice Apply: .data.a"]);
    live = update(update(live, "data.d", "4", "bob"), "data.e", "5", "bob");
    assert.equal(owners(live)[1], "bob Update: .data.d .data.e");
    assert.equal(owners(update(live, "data.d", undefined, "bob"))[1], "bob Update: .data.e");
  });

  it("keeps the status apart", () => {
    let live = apply(undefined, deploymentManifest(), "alice");
    live = update(live, "status.replicas", 3, "controller", "status");
    assert.deepEqual(owners(live).slice(1), ["controller Update/status: .status.replicas"]);
    live = update(live, "status.replicas", 4, "someone");
    assert.deepEqual(owners(live).slice(1), ["controller Update/status: .status.replicas"]);
  });

  it("changes nobody's fields when nothing changed", () => {
    const live = apply(undefined, deploymentManifest(), "alice");
    assert.deepEqual(trackUpdate(live, live, { manager: "bob" }, noon + 1000), live);
  });

  it("starts over when managedFields are reset", () => {
    const live = apply(undefined, map({ a: "1" }), "alice");
    const reset = withDefaults(decodedOf(withValue(live, "metadata.managedFields", [{}])));
    assert.equal(trackUpdate(live, reset, { manager: "bob" }, noon).metadata.managedFields, undefined);
  });

  it("folds the oldest of many updaters into one", () => {
    let live = apply(undefined, map({ own: "1" }), "alice");
    for (let at = 0; at < 30; at += 1) {
      const after = decodedOf(withValue(live, `data.k${at}`, "x"));
      live = trackUpdate(live, after, { manager: `m${at}` }, noon + at * 1000);
    }
    const managers = (live.metadata.managedFields ?? []).map((entry) => entry.manager);
    assert.deepEqual(managers.slice(0, 2), ["alice", "ancient-changes"]);
    assert.equal(managers.length, 11);
    assert.equal(managers.at(-1), "m29");
    const all = owners(live).join(" ");
    for (let at = 0; at < 30; at += 1) assert.match(all, new RegExp(`\\.data\\.k${at}\\b`));
  });
});

import assert from "node:assert/strict";
import { limits } from "../../src/base/limits.js";
import { decodeObject } from "../../src/api/decode.js";
import {
  configMapManifest,
  decodedOf,
  deploymentManifest,
  podManifest,
  withValue,
  type Manifest,
} from "./manifests.js";

const container = "spec.template.spec.containers.0";
const containerPath = "spec.template.spec.containers[0]";

function faultsOf(input: Uint8Array | object, mode: "whole" | "applied" = "whole"): readonly string[] {
  const { object, faults } = decodeObject(input, { mode });
  assert.equal(object === undefined, faults.length > 0, "an object comes exactly when there is no fault");
  return faults.map((fault) => `${fault.field} ${fault.reason}`);
}

const encoder = new TextEncoder();

describe("decoding an object", () => {
  const refused: readonly (readonly [what: string, path: string, value: unknown, fault: string])[] = [
    ["an unknown field", "spec.replcas", 3, "spec.replcas Unknown"],
    [
      "an unknown field of a container",
      `${container}.imagePulPolicy`,
      "Always",
      `${containerPath}.imagePulPolicy Unknown`,
    ],
    ["an unknown field of metadata", "metadata.label", {}, "metadata.label Unknown"],
    ["an unknown field at the top", "specs", {}, "specs Unknown"],
    ["an unknown field in a kept part", "spec.template.spec.os", { nam: "linux" }, "spec.template.spec.os.nam Unknown"],
    ["text for a number", "spec.replicas", "3", "spec.replicas TypeMismatch"],
    ["a fraction for a whole number", "spec.replicas", 1.5, "spec.replicas TypeMismatch"],
    ["a number for text", `${container}.env.0.value`, 8080, `${containerPath}.env[0].value TypeMismatch`],
    ["text for a truth value", "spec.paused", "true", "spec.paused TypeMismatch"],
    ["an object for a list", `${container}.ports`, {}, `${containerPath}.ports TypeMismatch`],
    ["a list for an object", "spec.template.metadata", [], "spec.template.metadata TypeMismatch"],
    ["a number for a label's value", "metadata.labels.tier", 1, "metadata.labels[tier] TypeMismatch"],
    [
      "a port as text",
      `${container}.ports.0.containerPort`,
      "80",
      `${containerPath}.ports[0].containerPort TypeMismatch`,
    ],
    [
      "an amount that is none",
      `${container}.resources`,
      { limits: { cpu: "much" } },
      `${containerPath}.resources.limits[cpu] Invalid`,
    ],
    ["a time that is none", "metadata.creationTimestamp", "today", "metadata.creationTimestamp Invalid"],
    ["null in a list", `${container}.command`, [null], `${containerPath}.command[0] TypeMismatch`],
    ["another kind", "kind", "Deploymint", "kind NotSupported"],
    ["a kind in lower case", "kind", "deployment", "kind NotSupported"],
    ["the wrong version", "apiVersion", "apps/v1beta1", "apiVersion NotSupported"],
    ["no kind", "kind", undefined, "kind Required"],
    ["no metadata", "metadata", undefined, "metadata Required"],
  ];
  for (const [what, path, value, fault] of refused)
    it(`refuses ${what}`, () => assert.deepEqual(faultsOf(withValue(deploymentManifest(), path, value)), [fault]));

  it("suggests the name that was probably meant", () => {
    const suggestion = (path: string): string | undefined =>
      decodeObject(withValue(deploymentManifest(), path, 1), { mode: "whole" }).faults[0]?.message;
    assert.equal(suggestion("spec.replcas"), "unknown field; did you mean replicas?");
    assert.equal(suggestion("spec.Replicas"), "unknown field; did you mean replicas?");
    assert.equal(suggestion("spec.tempalte"), "unknown field; did you mean template?");
    assert.equal(suggestion("spec.banana"), "unknown field");
  });

  it("tells all faults at once, up to a bound", () => {
    const two = withValue(withValue(deploymentManifest(), "spec.replcas", 1), "spec.paused", 1);
    assert.deepEqual(faultsOf(two), ["spec.paused TypeMismatch", "spec.replcas Unknown"].toReversed());
    const labels = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`l${at}`, at]));
    assert.equal(faultsOf(withValue(deploymentManifest(), "metadata.labels", labels)).length, 50);
  });

  it("refuses what is too large, too deep or no JSON before it is walked", () => {
    const large = withValue(configMapManifest(), "data.blob", "x".repeat(limits.objectBytesMax));
    assert.deepEqual(faultsOf(encoder.encode(JSON.stringify(large))), [" TooLong"]);
    assert.deepEqual(faultsOf(encoder.encode("[".repeat(500_000))), [" TooLong"]);
    assert.deepEqual(faultsOf(encoder.encode('{"a":')), [" Invalid"]);
    assert.deepEqual(faultsOf(encoder.encode("3")), [" TypeMismatch"]);
    assert.deepEqual(faultsOf(new Uint8Array([0x22, 0xff, 0x22])), [" Invalid"]);
    let deep: object = {};
    for (let level = 0; level < 100_000; level += 1) deep = { deep };
    assert.deepEqual(faultsOf(deep), [" TooLong"]);
    const brackets = withValue(configMapManifest(), "data.text", '\\"[[[[{{{{'.repeat(50));
    assert.deepEqual(faultsOf(encoder.encode(JSON.stringify(brackets))), []);
  });

  it("takes null for absent and gives canonical amounts and times", () => {
    const manifest = withValue(
      withValue(podManifest(), "metadata.creationTimestamp", null),
      "spec.containers.0.resources",
      { limits: { cpu: 0.5, memory: "1024Mi" } },
    );
    const pod = decodedOf(withValue(manifest, "status.startTime", "2026-01-31T14:00:00.7+02:00"));
    assert.ok(!("creationTimestamp" in pod.metadata));
    const spec = pod["spec"] as { containers: { resources: unknown }[] };
    assert.deepEqual(spec.containers[0]?.resources, { limits: { cpu: "500m", memory: "1Gi" } });
    assert.deepEqual(pod["status"], { startTime: "2026-01-31T12:00:00Z" });
  });

  it("lets no key reach the prototype", () => {
    const json = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"__proto__":"x"}}';
    assert.deepEqual(faultsOf(encoder.encode(json)), ["data[__proto__] Invalid"]);
    const top = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"__proto__":{"x":1},"constructor":1}';
    assert.deepEqual(faultsOf(encoder.encode(top)), ["__proto__ Unknown", "constructor Unknown"]);
  });

  it("refuses managedFields in what is applied", () => {
    const manifest = withValue(configMapManifest(), "metadata.managedFields", [{ manager: "x" }]);
    assert.deepEqual(faultsOf(manifest, "applied"), ["metadata.managedFields Invalid"]);
    assert.deepEqual(faultsOf(manifest, "whole"), []);
  });

  it("never shows values in a mismatch", () => {
    const secret: Manifest = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s" },
      stringData: { password: 271828 },
    };
    assert.ok(!JSON.stringify(decodeObject(secret, { mode: "whole" }).faults).includes("271828"));
  });

  describe("fields that are kept", () => {
    const warningsOf = (path: string, value: unknown): readonly string[] =>
      decodeObject(withValue(podManifest(), path, value), { mode: "whole" }).warnings;

    it("are warned about by their path, once for a whole part", () => {
      assert.deepEqual(warningsOf("spec.resourceClaims", [{ name: "gpu", resourceClaimName: "one" }]), [
        "spec.resourceClaims: kept, but not acted on by this version of Ikada",
      ]);
      assert.equal(warningsOf("spec.securityContext", { fsGroupChangePolicy: "OnRootMismatch" }).length, 1);
      assert.equal(warningsOf("spec.volumes", [{ name: "v", nfs: { server: "s", path: "/" } }]).length, 1);
    });

    it("pass in silence with Kubernetes' own defaults", () => {
      assert.deepEqual(warningsOf("spec.schedulerName", "default-scheduler"), []);
      assert.deepEqual(warningsOf("spec.resourceClaims", []), []);
      assert.equal(warningsOf("spec.schedulerName", "other").length, 1);
    });
  });
});

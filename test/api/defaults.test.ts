import assert from "node:assert/strict";
import { decodeBase64, encodeBase64, isBase64 } from "../../src/api/base64.js";
import * as fc from "fast-check";
import { withDefaults } from "../../src/api/defaults.js";
import { canonicalJson, sameJson } from "../../src/api/json.js";
import { mergePatch } from "../../src/api/merge-patch.js";
import { valueAt } from "../../src/api/path.js";
import { configMapManifest, deploymentManifest, objectOf, podManifest, withValue, type Manifest } from "./manifests.js";

const at = (manifest: Manifest, path: string): unknown => valueAt(objectOf(manifest), ...path.split("."));
const first = "spec.containers.0";

describe("defaults", () => {
  const rows: readonly (readonly [what: string, manifest: Manifest, path: string, expected: unknown])[] = [
    ["replicas", withValue(deploymentManifest(), "spec.replicas", undefined), "spec.replicas", 1],
    ["no replicas", withValue(deploymentManifest(), "spec.replicas", 0), "spec.replicas", 0],
    [
      "the strategy",
      deploymentManifest(),
      "spec.strategy",
      { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
    ],
    [
      "half a strategy",
      withValue(deploymentManifest(), "spec.strategy", { rollingUpdate: { maxSurge: 1 } }),
      "spec.strategy",
      { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: "25%" } },
    ],
    [
      "Recreate",
      withValue(deploymentManifest(), "spec.strategy", { type: "Recreate" }),
      "spec.strategy",
      { type: "Recreate" },
    ],
    ["the history", deploymentManifest(), "spec.revisionHistoryLimit", 10],
    ["the deadline", deploymentManifest(), "spec.progressDeadlineSeconds", 600],
    ["no selector", withValue(deploymentManifest(), "spec.selector", undefined), "spec.selector", undefined],
    ["restarts", podManifest(), "spec.restartPolicy", "Always"],
    ["grace", podManifest(), "spec.terminationGracePeriodSeconds", 30],
    [
      "grace of nothing",
      withValue(podManifest(), "spec.terminationGracePeriodSeconds", 0),
      "spec.terminationGracePeriodSeconds",
      0,
    ],
    [
      "a port's protocol",
      withValue(podManifest(), `${first}.ports`, [{ containerPort: 1 }]),
      `${first}.ports.0.protocol`,
      "TCP",
    ],
    [
      "a probe",
      withValue(podManifest(), `${first}.readinessProbe`, { httpGet: { port: 80 } }),
      `${first}.readinessProbe`,
      {
        httpGet: { path: "/", port: 80, scheme: "HTTP" },
        periodSeconds: 10,
        timeoutSeconds: 1,
        successThreshold: 1,
        failureThreshold: 3,
      },
    ],
    ["no probe", podManifest(), `${first}.readinessProbe`, undefined],
    [
      "requests of a Pod",
      withValue(podManifest(), `${first}.resources`, {
        limits: { cpu: "1", memory: "1Gi" },
        requests: { cpu: "500m" },
      }),
      `${first}.resources.requests`,
      { cpu: "500m", memory: "1Gi" },
    ],
    [
      "requests of a template",
      withValue(deploymentManifest(), "spec.template.spec.containers.0.resources", { limits: { cpu: "1" } }),
      "spec.template.spec.containers.0.resources.requests",
      undefined,
    ],
    ["a Secret's type", { apiVersion: "v1", kind: "Secret", metadata: { name: "s" } }, "type", "Opaque"],
    [
      "a Secret's text",
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "s" },
        data: { a: "AA==", b: "AA==" },
        stringData: { a: "é" },
      },
      "data",
      { a: "w6k=", b: "AA==" },
    ],
    ["a ConfigMap", configMapManifest(), "data", { mode: "fast" }],
  ];
  for (const [what, manifest, path, expected] of rows)
    it(`of ${what}`, () => assert.deepEqual(at(manifest, path), expected));

  const images: readonly (readonly [string, string])[] = [
    ["web", "Always"],
    ["web:latest", "Always"],
    ["web:1", "IfNotPresent"],
    ["localhost:5000/web", "Always"],
    ["localhost:5000/web:1", "IfNotPresent"],
    ["web@sha256:00", "IfNotPresent"],
  ];
  for (const [image, policy] of images)
    it(`pulls ${image} ${policy}`, () =>
      assert.equal(at(withValue(podManifest(), `${first}.image`, image), `${first}.imagePullPolicy`), policy));

  it("are the same when put in twice, and leave the given object alone", () => {
    const frozen = JSON.stringify(deploymentManifest());
    const once = objectOf(deploymentManifest());
    assert.deepEqual(withDefaults(once), once);
    assert.equal(JSON.stringify(deploymentManifest()), frozen);
  });
});

describe("merge patch", () => {
  // RFC 7386, appendix A, those whose patch is an object.
  const rows: readonly (readonly [object, object, object])[] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, expected] of rows)
    it(`${JSON.stringify(target)} + ${JSON.stringify(patch)}`, () => {
      const before = JSON.stringify(target);
      assert.deepEqual(mergePatch(target, patch), expected);
      assert.equal(JSON.stringify(target), before);
    });

  it("reaches no prototype and no endless depth", () => {
    assert.throws(() => mergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}')), /may not name/);
    assert.throws(() => mergePatch({}, [1]), /is a JSON object/);
    let deep: object = {};
    for (let level = 0; level < 100; level += 1) deep = { deep };
    assert.throws(() => mergePatch({}, deep), /nested too deep/);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });
});

describe("JSON and base64", () => {
  it("sees two values as the same exactly when their canonical texts are", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (a, b) => {
        assert.equal(sameJson(a, b), canonicalJson(a) === canonicalJson(b));
        assert.ok(sameJson(a, structuredClone(a)));
      }),
    );
    assert.ok(sameJson({ a: 1, b: undefined }, { a: 1 }));
    assert.ok(!sameJson([], {}));
    assert.ok(!sameJson({ toString: 1 }, {}));
  });

  it("codes bytes as the platform does", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = encodeBase64(bytes);
        assert.equal(text, Buffer.from(bytes).toString("base64"));
        assert.deepEqual(decodeBase64(text), new Uint8Array(bytes));
      }),
    );
    for (const wrong of ["A", "AA", "AA=", "AA==A", "A===", "AA-_", "AA==\n"]) assert.ok(!isBase64(wrong), wrong);
  });
});

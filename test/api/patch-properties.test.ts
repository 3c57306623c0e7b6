import assert from "node:assert/strict";
import * as fc from "fast-check";
import { decodeObject } from "../../src/api/decode.js";
import { withDefaults } from "../../src/api/defaults.js";
import { jsonPatch } from "../../src/api/json-patch.js";
import { mergePatch } from "../../src/api/merge-patch.js";
import { kindNamed } from "../../src/api/registry.js";
import { strategicMergePatch } from "../../src/api/strategic-merge-patch.js";
import { validateObject } from "../../src/api/validate.js";
import { IkadaError } from "../../src/base/errors.js";
import { decodedOf, deploymentManifest } from "./manifests.js";

const { schema } = kindNamed("deployments");
const live = withDefaults(decodedOf(deploymentManifest()));

/** Names that mean something to a Deployment or to a patch, so that random structures get somewhere. */
const name = fc.constantFrom(
  "metadata",
  "labels",
  "spec",
  "template",
  "containers",
  "env",
  "ports",
  "name",
  "value",
  "image",
  "containerPort",
  "strategy",
  "type",
  "replicas",
  "finalizers",
  "tolerations",
  "status",
  "conditions",
  "volumes",
  "0",
  "1",
  "-",
  "",
  "$patch",
  "$retainKeys",
  "$setElementOrder/containers",
  "$deleteFromPrimitiveList/finalizers",
  "$setElementOrder/env",
  "__proto__",
  "constructor",
  "toString",
  "length",
  "a/b",
  "~",
);
const scalar = fc.oneof(
  fc.constantFrom<unknown>("delete", "replace", "merge", "server", "Recreate", "MODE", null, 0, -1, 1.5, 80, true, ""),
  fc.string({ maxLength: 5 }),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, depthSize: "medium" },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie("value")), { maxLength: 4 }).map(objectOf),
  ),
}));

/** As JSON.parse makes it: `__proto__` is a member like any other. */
function objectOf(members: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(members);
}

/** A random value at a place where it matters. */
const document = fc.oneof(
  value,
  value.map((metadata) => ({ metadata })),
  value.map((status) => ({ status })),
  value.map((spec) => ({ spec })),
  value.map((inner) => ({ spec: { template: { spec: inner } } })),
  value.map((containers) => ({ spec: { template: { spec: { containers } } } })),
  value.map((container) => ({ spec: { template: { spec: { containers: [container] } } } })),
  fc.dictionary(name, value).map((fields) => ({
    spec: { template: { spec: { containers: [{ ...fields, name: "server" }] } } },
  })),
);

const pointer = fc.array(name, { maxLength: 7 }).map((steps) => steps.map((step) => `/${step}`).join(""));
const operation = fc.record(
  {
    op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "other"),
    path: fc.oneof(pointer, fc.constantFrom("/spec/template/spec/containers/0", "/metadata/labels", "/spec/replicas")),
    from: fc.oneof(pointer, fc.constantFrom("/spec/template/spec/containers", "/spec/selector", "/metadata")),
    value,
  },
  { requiredKeys: ["op"] },
);

/** Runs a patch and what a server does with its result. Anything but an error for the caller is a defect. */
function survive(patch: () => unknown): void {
  const before = JSON.stringify(live);
  try {
    const result = patch();
    if (typeof result !== "object" || result === null) return;
    const { object } = decodeObject(result, { mode: "whole" });
    if (object) validateObject(withDefaults(object));
  } catch (caught) {
    if (!(caught instanceof IkadaError)) throw caught;
    assert.ok(["BadRequest", "Invalid", "Conflict", "TooLarge", "UnknownKind"].includes(caught.reason), caught.message);
  }
  assert.equal(JSON.stringify(live), before, "the live object is not touched");
  assert.equal(({} as Record<string, unknown>)["image"], undefined, "no prototype is either");
}

describe("patches of any shape", () => {
  const runs = { numRuns: 2_000 };
  it("are done or refused: merge patch", () =>
    fc.assert(
      fc.property(document, (patch) => survive(() => mergePatch(live, patch))),
      runs,
    ));
  it("are done or refused: strategic merge patch", () =>
    fc.assert(
      fc.property(document, (patch) => survive(() => strategicMergePatch(live, patch, schema))),
      runs,
    ));
  it("are done or refused: JSON patch", () =>
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 5 }), (patch) => survive(() => jsonPatch(live, patch))),
      runs,
    ));
});

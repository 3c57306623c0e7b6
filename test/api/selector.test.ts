import assert from "node:assert/strict";
import * as fc from "fast-check";
import { IkadaError } from "../../src/base/errors.js";
import { matchesFields, parseFieldSelector } from "../../src/api/field-selector.js";
import { kindNamed } from "../../src/api/registry.js";
import { formatLabelSelector, matchesSelector, parseLabelSelector, type Labels } from "../../src/api/selector.js";
import { objectOf, podManifest, withValue } from "./manifests.js";

describe("label selector", () => {
  const cases: readonly (readonly [string, Labels, boolean])[] = [
    ["", {}, true],
    ["app=web", { app: "web" }, true],
    ["app==web", { app: "web" }, true],
    ["app = web", { app: "web" }, true],
    ["app=web", { app: "db" }, false],
    ["app=web", {}, false],
    ["app!=web", {}, true],
    ["app!=web", { app: "web" }, false],
    ["app=", { app: "" }, true],
    ["app", { app: "x" }, true],
    ["app", {}, false],
    ["!app", {}, true],
    ["! app", { app: "x" }, false],
    ["zone in (a, b)", { zone: "b" }, true],
    ["zone in (a,b)", { zone: "c" }, false],
    ["zone notin (a,b)", {}, true],
    ["zone notin (a,b)", { zone: "a" }, false],
    ["zone in (,a)", { zone: "" }, true],
    ["in in (in)", { in: "in" }, true],
    ["example.com/tier=db,zone in (a),!old", { "example.com/tier": "db", zone: "a" }, true],
    ["a=b,c=d", { a: "b" }, false],
    ["constructor", {}, false],
  ];
  for (const [text, labels, expected] of cases)
    it(`"${text}" ${expected ? "selects" : "leaves"} ${JSON.stringify(labels)}`, () =>
      assert.equal(matchesSelector(parseLabelSelector(text), labels), expected));

  for (const wrong of [
    "=a",
    "a=b=c",
    "a in b",
    "a in (b",
    "a in ()x",
    "a,,b",
    "a b",
    "a=b,",
    "a=-x",
    "-a",
    "a!b",
    "a=(b)",
  ])
    it(`refuses "${wrong}" and names the place`, () =>
      assert.throws(
        () => parseLabelSelector(wrong),
        (error: unknown) =>
          error instanceof IkadaError && error.reason === "BadRequest" && /character \d+/.test(error.message),
      ));

  it("reads back what it writes", () => {
    const name = fc.stringMatching(/^[a-z]{1,4}$/);
    const values = fc.array(name, { minLength: 1, maxLength: 3 });
    const plain = { noNullPrototype: true } as const;
    const requirement = fc.oneof(
      fc.record({ key: name, operator: fc.constantFrom("In" as const, "NotIn" as const), values }, plain),
      fc.record({ key: name, operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const) }, plain),
    );
    fc.assert(
      fc.property(fc.array(requirement, { minLength: 1, maxLength: 4 }), (matchExpressions) => {
        assert.deepEqual(parseLabelSelector(formatLabelSelector({ matchExpressions })), { matchExpressions });
      }),
    );
  });

  it("takes labels and expressions of an object together", () => {
    const selector = {
      matchLabels: { app: "web" },
      matchExpressions: [{ key: "zone", operator: "In" as const, values: ["a", "b"] }],
    };
    assert.ok(matchesSelector(selector, { app: "web", zone: "a" }));
    assert.ok(!matchesSelector(selector, { app: "web" }));
    assert.equal(formatLabelSelector(selector), "app=web,zone in (a,b)");
    assert.equal(formatLabelSelector({}), "<none>");
  });
});

describe("field selector", () => {
  const pod = objectOf(withValue(podManifest(), "spec.nodeName", "node-1"));
  const kind = kindNamed("pods");
  const cases: readonly (readonly [string, boolean])[] = [
    ["", true],
    ["metadata.name=web-1", true],
    ["metadata.name==web-1,metadata.namespace=default", true],
    ["metadata.name=web", false],
    ["spec.nodeName!=node-1", false],
    ["spec.nodeName!=", true],
    ["status.phase=", true],
    ["status.phase!=Running", true],
    ["spec.hostNetwork=false", true],
    ["metadata.name=a\\,b", false],
  ];
  for (const [text, expected] of cases)
    it(`"${text}" is ${expected}`, () => assert.equal(matchesFields(parseFieldSelector(text, kind), pod), expected));

  it("refuses a field that can't be selected, and tells those that can", () => {
    assert.throws(
      () => parseFieldSelector("spec.hostname=x", kind),
      (error: unknown) => error instanceof IkadaError && error.details.hint?.includes("spec.nodeName") === true,
    );
    assert.throws(() => parseFieldSelector("metadata.name", kind), /not of the form/);
  });
});

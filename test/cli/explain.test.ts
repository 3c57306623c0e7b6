import assert from "node:assert/strict";
import { explain, findField } from "../../cli/explain.js";
import { fieldDescription, kindDescription } from "../../src/api/kinds/field-descriptions.js";
import { kinds } from "../../src/api/registry.js";
import type { Schema } from "../../src/api/schema.js";
import { IkadaError } from "../../src/base/errors.js";

const text = (field: string, recursive = false) => explain(findField(field), recursive);

/** All fields that are acted on, each once per place. */
function* fieldsOf(schema: Schema, path: readonly string[]): Generator<readonly string[]> {
  if (schema.type === "list") yield* fieldsOf(schema.items, path);
  if (schema.type === "map") yield* fieldsOf(schema.values, path);
  if (schema.type !== "object") return;
  for (const [name, field] of Object.entries(schema.fields)) {
    if (field.keptUnless !== undefined || field.refused !== undefined) continue;
    yield [...path, name];
    yield* fieldsOf(field, [...path, name]);
  }
}

describe("explain", () => {
  it("every kind, and every field that is acted on, says what it means", () => {
    const silent = kinds.flatMap((kind) => [
      ...(kindDescription(kind.kind) === undefined ? [kind.kind] : []),
      ...[...fieldsOf(kind.schema, [])]
        .filter((path) => fieldDescription(kind.kind, path) === undefined)
        .map((path) => [kind.kind, ...path].join(".")),
    ]);
    assert.deepEqual(silent, []);
  });

  it("a kind, with its fields", () => {
    assert.match(
      text("deploy"),
      /^GROUP: {6}apps\nKIND: {7}Deployment\nVERSION: {4}apps\/v1\n\nDESCRIPTION:\n {4}Pods of one template.*\n\nFIELDS:\n {2}apiVersion <string> -required-\n/,
    );
    assert.match(text("cm"), /^GROUP: {6}\(core\)\nKIND: {7}ConfigMap\nVERSION: {4}v1\n/);
    assert.match(text("deploy"), /\n\n {2}spec <Object> -required-\n {4}What is wanted\.\n/);
  });

  it("a field, with its type, default, choices, and whether it can change", () => {
    assert.equal(
      text("deployment.spec.strategy.type").split("\n\n").slice(1).join("\n\n"),
      'FIELD: type <string>\n\nDESCRIPTION:\n    RollingUpdate, or Recreate: all old Pods go before the first new one comes.\n    enum: RollingUpdate, Recreate\n    default: "RollingUpdate"\n',
    );
    assert.match(text("deploy.spec.selector"), /^FIELD: selector <Object> -required-$/m);
    assert.match(text("deploy.spec.selector"), /immutable: can't be changed/);
    assert.match(text("pod.spec.containers"), /^FIELD: containers <\[\]Object> -required-$[\s\S]*merged by: name/m);
    assert.match(
      text("pod.spec.containers.ports"),
      /containerPort <integer> -required-\n {4}The port's number.*\n {4}range: 1 to 65535\n/,
    );
    assert.match(text("cm.metadata.labels"), /FIELD: labels <map\[string\]string>/);
    assert.match(
      text("deploy.spec.strategy.rollingUpdate"),
      /maxSurge <integer or string>\n {4}How many Pods [^\n]*\n {4}default: "25%"/,
    );
  });

  it("what is not acted on says so, also below", () => {
    assert.match(text("pod.spec.containers.resizePolicy"), /Kept as it is written/);
    assert.match(text("pod.spec.containers.resizePolicy.resourceName"), /Kept as it is written/);
    assert.match(text("pod.spec.containers.volumeDevices"), /Refused: volumes are not given as devices/);
    assert.match(text("pod.spec.containers"), /volumeDevices <\[\]Object>\n {4}Refused: volumes/);
  });

  it("--recursive shows the tree of fields", () => {
    const tree = text("deploy.spec", true);
    assert.match(
      tree,
      /\n {2}template <Object> -required-\n {4}metadata <Object>.*\n {6}annotations <map\[string\]string>\n/,
    );
    assert.match(tree, /\n {8}image <string> -required-\n/);
    assert.match(tree, / {8}volumeDevices <\[\]Object> {2}\(refused\)\n/);
    for (const kind of kinds) assert.ok(text(kind.plural, true).length > 500);
  });

  it("kinds by all their names, with group and version, and items with brackets", () => {
    for (const name of ["Deployment", "deployments", "deploy", "deployments.apps", "deployment.v1.apps"]) {
      assert.equal(text(name), text("deploy"));
      assert.equal(text(`${name}.spec.replicas`), text("deploy.spec.replicas"));
    }
    assert.equal(text("pods.spec.containers[*].image"), text("po.spec.containers.image"));
  });

  it("a field that there is not is refused with the one that is meant", () => {
    const refusal = (field: string) => {
      try {
        findField(field);
      } catch (caught) {
        const { reason, message, details } = IkadaError.from(caught);
        return `${reason}: ${message}: ${details.hint}`;
      }
      return "";
    };
    assert.equal(
      refusal("deploy.spec.replcas"),
      'NotFound: there is no field "replcas" in Deployment.spec: did you mean Deployment.spec.replicas?',
    );
    assert.match(refusal("deploy.frob"), /in Deployment: its fields are apiVersion, kind, metadata, spec, status$/);
    assert.match(refusal("deploy.spec.replicas.x"), /in Deployment\.spec\.replicas: it is of the type integer/);
    assert.match(refusal("gizmo.spec"), /^UnknownKind: there is no kind "gizmo"/);
    assert.match(refusal("deploy."), /there is no field "" in Deployment/);
    assert.match(refusal("deploy.constructor"), /there is no field "constructor"/);
  });

  it("no line is wider than a terminal", () => {
    for (const kind of kinds)
      for (const path of fieldsOf(kind.schema, []))
        for (const line of text([kind.kind, ...path].join(".")).split("\n")) assert.ok(line.length <= 100, line);
  });
});

import assert from "node:assert/strict";
import { apiVersionOf } from "../../src/api/kind.js";
import { findKind, kindNamed, kindOf, kinds } from "../../src/api/registry.js";
import type { Schema } from "../../src/api/schema.js";
import { checkValue } from "../../src/api/check-value.js";
import { Faults } from "../../src/api/faults.js";

/** Every schema in a table with its path. */
function* walk(schema: Schema, path: string): Generator<readonly [Schema, string]> {
  yield [schema, path];
  if (schema.type === "object")
    for (const [name, field] of Object.entries(schema.fields)) yield* walk(field, `${path}.${name}`);
  if (schema.type === "list") yield* walk(schema.items, `${path}[]`);
  if (schema.type === "map") yield* walk(schema.values, `${path}{}`);
}

describe("kind registry", () => {
  const names: readonly (readonly [string, string | undefined])[] = [
    ["deploy", "Deployment"],
    ["deployments", "Deployment"],
    ["deployment", "Deployment"],
    ["Deployment", "Deployment"],
    ["deployments.apps", "Deployment"],
    ["deployment.v1.apps", "Deployment"],
    ["DEPLOY", "Deployment"],
    ["deployments.batch", undefined],
    ["po", "Pod"],
    ["pods.v1.", "Pod"],
    ["cm", "ConfigMap"],
    ["rs", "ReplicaSet"],
    ["sts", "StatefulSet"],
    ["daemonsets.apps", "DaemonSet"],
    ["ds", "DaemonSet"],
    ["controllerrevisions", "ControllerRevision"],
    ["no", "Node"],
    ["ns", "Namespace"],
    ["ev", "Event"],
    ["secret", "Secret"],
    ["constructor", undefined],
    ["", undefined],
  ];
  for (const [name, kind] of names)
    it(`finds ${kind ?? "nothing"} by "${name}"`, () => assert.equal(findKind(name)?.kind, kind));

  it("gives no name to two kinds", () => {
    const all = kinds.flatMap((kind) => [...new Set([kind.singular, kind.plural, ...kind.shortNames])]);
    assert.equal(new Set(all).size, all.length);
  });

  it("tells what there is when it finds nothing", () => {
    assert.throws(() => kindNamed("pot"), /there is no kind "pot"/);
    assert.throws(
      () => kindOf({ apiVersion: "v1", kind: "Deployment" }),
      (error: unknown) => JSON.stringify(error).includes("apiVersion: apps/v1, kind: Deployment"),
    );
  });
});

describe("schema tables", () => {
  for (const kind of kinds)
    it(`of ${apiVersionOf(kind)} ${kind.kind} agree with themselves`, () => {
      for (const [schema, path] of walk(kind.schema, kind.kind)) {
        if (schema.default !== undefined) {
          const faults = new Faults();
          checkValue(schema.default, schema, path, faults);
          assert.deepEqual(faults.list, [], `the default of ${path} is valid`);
          assert.ok(schema.required === undefined, `${path} is not both required and defaulted`);
        }
        if (schema.type === "object" && schema.union !== undefined)
          for (const field of [schema.union.discriminator, ...Object.values(schema.union.members)])
            assert.ok(Object.hasOwn(schema.fields, field), `${path} has the union's field ${field}`);
        if (schema.type !== "list") continue;
        assert.equal(
          schema.listType === "map",
          schema.mapKeys !== undefined,
          `${path} has keys exactly when it needs them`,
        );
        for (const key of schema.mapKeys ?? []) {
          const field = schema.items.type === "object" ? schema.items.fields[key] : undefined;
          assert.ok(field !== undefined, `${path} has items with the key ${key}`);
          assert.ok(
            field.required === true || field.default !== undefined || field.type === "string",
            `${path}.${key} is there`,
          );
        }
      }
    });

  it("know every selectable field", () => {
    for (const kind of kinds)
      for (const selectable of kind.selectableFields) {
        let schema: Schema | undefined = kind.schema;
        for (const step of selectable.split(".")) schema = schema?.type === "object" ? schema.fields[step] : undefined;
        assert.ok(schema !== undefined, `${kind.kind} has ${selectable}`);
      }
  });
});

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { applyObject } from "../../src/api/apply.js";
import { withDefaults } from "../../src/api/defaults.js";
import { difference, isEmptySet, pathsOf } from "../../src/api/field-set.js";
import { trackUpdate } from "../../src/api/managed-fields.js";
import type { AnyObject } from "../../src/api/object.js";
import { fieldsOf } from "../../src/api/owned-fields.js";
import { valueAt } from "../../src/api/path.js";
import { kindNamed } from "../../src/api/registry.js";
import { decodedOf, deploymentManifest, noon, withValue, type Manifest } from "./manifests.js";

/** What one manager wants: some of a few variables, ports, labels, and replicas. */
interface Wish {
  readonly env: readonly (readonly [string, string])[];
  readonly ports: readonly number[];
  readonly labels: readonly (readonly [string, string])[];
  readonly replicas: number | undefined;
}

type Step = { readonly act: "apply" | "force" | "update"; readonly manager: string; readonly wish: Wish };

const letter = fc.constantFrom("a", "b", "c");
const value = fc.constantFrom("1", "2");
const pairs = fc.uniqueArray(fc.tuple(letter, value), { selector: ([name]) => name, maxLength: 3 });
const wish: fc.Arbitrary<Wish> = fc.record({
  env: pairs,
  ports: fc.uniqueArray(fc.constantFrom(80, 81, 82)),
  labels: pairs,
  replicas: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
});
const step: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom("apply" as const, "force" as const, "update" as const),
  manager: fc.constantFrom("alice", "bob", "carol"),
  wish,
});

function manifestOf({ env, ports, labels, replicas }: Wish): Manifest {
  const container = {
    name: "server",
    image: "web:1",
    env: env.map(([name, text]) => ({ name, value: text })),
    ports: ports.map((containerPort) => ({ containerPort })),
  };
  const manifest = withValue(deploymentManifest(), "spec.template.spec.containers", [container]);
  return withValue(withValue(manifest, "metadata.labels", Object.fromEntries(labels)), "spec.replicas", replicas);
}

const deployment = kindNamed("deployments");

function run(
  steps: readonly Step[],
  check: (before: AnyObject | undefined, after: AnyObject, step: Step) => void,
): void {
  let live: AnyObject | undefined;
  for (const [at, taken] of steps.entries()) {
    const { act, manager } = taken;
    const wanted = decodedOf(manifestOf(taken.wish));
    const now = noon + at * 1000;
    const before = live;
    if (act === "update") live = trackUpdate(live, withDefaults(wanted), { manager }, now);
    else {
      const { object, conflicts } = applyObject(live, wanted, { manager, force: act === "force", now });
      if (conflicts.length > 0) {
        assert.notEqual(act, "force");
        continue;
      }
      live = withDefaults(object);
    }
    check(before, live, taken);
  }
}

describe("server-side apply, whatever the order of writers", () => {
  const steps = fc.array(step, { minLength: 1, maxLength: 8 });

  it("makes true what was applied, and gives it to the applier", () => {
    fc.assert(
      fc.property(steps, (taken) =>
        run(taken, (_before, after, { act, manager, wish: wanted }) => {
          if (act === "update") return;
          const wantedFields = fieldsOf(decodedOf(manifestOf(wanted)), deployment.schema);
          const own = after.metadata.managedFields?.find(
            (entry) => entry.operation === "Apply" && entry.manager === manager,
          );
          assert.deepEqual(
            pathsOf(difference(wantedFields, own?.fieldsV1 ?? {})).toSorted((a, b) => (a < b ? -1 : 1)),
            [".apiVersion", ".kind", ".metadata.name", ".metadata.namespace"],
            "all but identity is owned",
          );
          const env = valueAt(after, "spec", "template", "spec", "containers", 0, "env") as
            | readonly unknown[]
            | undefined;
          for (const [name, text] of wanted.env)
            assert.ok(JSON.stringify(env).includes(JSON.stringify({ name, value: text })), `${name} is ${text}`);
          for (const [name, text] of wanted.labels) assert.equal(after.metadata.labels?.[name], text);
          if (wanted.replicas !== undefined) assert.equal(valueAt(after, "spec", "replicas"), wanted.replicas);
        }),
      ),
    );
  });

  it("leaves nobody owning what is not there", () => {
    fc.assert(
      fc.property(steps, (taken) =>
        run(taken, (_before, after) => {
          const there = fieldsOf(after, deployment.schema, "all");
          for (const entry of after.metadata.managedFields ?? []) {
            const missing = difference(entry.fieldsV1, there);
            assert.ok(isEmptySet(missing), `${entry.manager} owns ${pathsOf(missing).join(" ")}`);
          }
        }),
      ),
    );
  });

  it("changes nothing when the last apply is repeated", () => {
    fc.assert(
      fc.property(steps, (taken) =>
        run(taken, (_before, after, { act, manager, wish: wanted }) => {
          if (act === "update") return;
          const again = applyObject(after, decodedOf(manifestOf(wanted)), {
            manager,
            force: false,
            now: noon + 90_000,
          });
          assert.deepEqual(again.conflicts, []);
          assert.deepEqual(withDefaults(again.object), after);
        }),
      ),
    );
  });

  it("takes no list item, label or variable away that another manager owns", () => {
    fc.assert(
      fc.property(steps, (taken) =>
        run(taken, (before, after, { act, manager }) => {
          if (before === undefined || act !== "apply") return;
          const there = fieldsOf(after, deployment.schema, "all");
          for (const entry of before.metadata.managedFields ?? []) {
            if (entry.operation === "Apply" && entry.manager === manager) continue;
            assert.deepEqual(pathsOf(difference(entry.fieldsV1, there)), [], `of ${entry.manager}`);
          }
        }),
      ),
    );
  });
});

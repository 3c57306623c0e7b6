import { apiVersionOf, type KindDefinition } from "../../src/api/kind.js";
import type { ObjectSchema, Schema } from "../../src/api/schema.js";
import type { SeededRandom } from "../sim/random.js";
import { oddJson, oddText, withMember } from "./odd-values.js";

/** Objects from the kinds' own tables: nearly valid ones, and those with something bent. */

export interface ObjectChoice {
  readonly kind: KindDefinition;
  readonly namespace: string;
  readonly name: string;
}

/** Few, so that requests meet each other's objects. */
export const namespaces = ["fuzz-a", "fuzz-b"] as const;
const namesPerKind = 12;

export function chooseObject(kinds: readonly KindDefinition[], random: SeededRandom): ObjectChoice {
  const kind = random.pick(kinds);
  if (kind.kind === "Namespace") return { kind, namespace: "", name: random.pick([...namespaces, "fuzz-c"]) };
  return { kind, namespace: kind.namespaced ? random.pick(namespaces) : "", name: `fuzz-${random.int(namesPerKind)}` };
}

export function validObject({ kind, namespace, name }: ObjectChoice, random: SeededRandom): Record<string, unknown> {
  const object = validFields(kind.schema, random, 0);
  const labels = { app: name };
  object["apiVersion"] = apiVersionOf(kind);
  object["kind"] = kind.kind;
  object["metadata"] = { name, ...(namespace !== "" && { namespace }), labels };
  if (random.chance(0.9)) delete object["status"];
  const spec = object["spec"] as Record<string, unknown> | undefined;
  if (spec?.["template"] !== undefined) {
    spec["selector"] = { matchLabels: labels };
    const template = spec["template"] as Record<string, unknown>;
    template["metadata"] = { labels };
    template["spec"] = podSpec(template["spec"], random);
  } else if (kind.kind === "Pod") object["spec"] = podSpec(spec, random);
  return object;
}

function podSpec(spec: unknown, random: SeededRandom): object {
  const kept = random.chance(0.5) ? (spec as object | undefined) : undefined;
  const containers = Array.from({ length: random.between(1, 2) }, (_, at) => ({
    ...(random.chance(0.3) && ((kept as { containers?: object[] } | undefined)?.containers?.[0] ?? {})),
    name: `c${at}`,
    image: "none/such:1",
  }));
  return { ...kept, containers };
}

function validFields(schema: ObjectSchema, random: SeededRandom, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.fields)) {
    if (field.refused !== undefined) continue;
    if (field.required === true || random.chance(depth < 3 ? 0.2 : 0.05))
      result[name] = validValue(field, random, depth + 1);
  }
  return result;
}

function validValue(schema: Schema, random: SeededRandom, depth: number): unknown {
  switch (schema.type) {
    case "string":
      return schema.enum === undefined ? validText(schema.format, random) : random.pick(schema.enum);
    case "integer":
      return Math.min(schema.maximum, schema.minimum + random.pick([0, 1, 2, 10]));
    case "boolean":
      return random.chance(0.5);
    case "intOrString":
      return random.pick<unknown>([0, 1, "25%", "100%", "http"]);
    case "quantity":
      return random.pick<unknown>(["100m", "1", "64Mi", "1.5Gi", 2, "0"]);
    case "time":
      return random.pick(["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456Z", "2026-01-31T13:00:00+01:00"]);
    case "bytes":
      return random.pick(["", "YQ==", "YWJj"]);
    case "map":
      return Object.fromEntries(
        Array.from({ length: random.int(3) }, (_, at) => [`k${at}`, validValue(schema.values, random, depth)]),
      );
    case "list":
      return Array.from({ length: schema.required === true ? 1 : random.int(3) }, () =>
        validValue(schema.items, random, depth),
      );
    case "object":
      return validFields(schema, random, depth);
    default:
      return { "f:data": {} };
  }
}

function validText(format: string | undefined, random: SeededRandom): string {
  switch (format) {
    case "ipAddress":
      return random.pick(["10.0.0.1", "::1"]);
    case "cidr":
      return "10.1.0.0/24";
    case "absolutePath":
      return "/tmp";
    default:
      return random.pick(["a", "fuzz-1", "b2", "x-y"]);
  }
}

/** The value with one place of it bent. */
export function bendJson(value: unknown, random: SeededRandom): unknown {
  if (typeof value !== "object" || value === null || random.chance(0.12)) return bentPlace(value, random);
  if (Array.isArray(value)) {
    const items = value as readonly unknown[];
    if (items.length === 0) return bentPlace(value, random);
    const at = random.int(items.length);
    if (random.chance(0.15)) return [...items, items[at]];
    if (random.chance(0.1)) return items.toSpliced(at, 1);
    return items.with(at, bendJson(items[at], random));
  }
  const members = Object.keys(value);
  if (members.length === 0 || random.chance(0.1)) return withMember(value, oddText(random), oddJson(random, 2));
  const name = random.pick(members);
  if (random.chance(0.1)) return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
  return withMember(value, name, bendJson((value as Record<string, unknown>)[name], random));
}

function bentPlace(value: unknown, random: SeededRandom): unknown {
  if (typeof value === "string" && random.chance(0.3)) return `${value}${oddText(random)}`;
  return oddJson(random);
}

/** Text that says the same but is no valid JSON any more, or says more than its value does. */
export function bendText(text: string, random: SeededRandom): string {
  const at = random.int(text.length + 1);
  switch (random.int(7)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return `${text.slice(0, at)}${oddText(random)}${text.slice(at)}`;
    case 2:
      return text.replace("{", '{"metadata":{"name":"fuzz-1"},');
    case 3:
      return random
        .pick(["[", '{"a":', '{"metadata":'])
        .repeat(random.chance(0.05) ? 80_000 : random.pick([64, 65, 1_000]));
    case 4:
      return `\ufeff${text}`;
    case 5:
      return text.replaceAll(/\d+/g, random.pick(["1e999", "-0", "00", "1".repeat(400), "0x1"]));
    default:
      return text.replace(/"[^"]*"/, random.pick(['"\\ud800"', '"\\u0000"', "NaN", "'a'", '"\\x"']));
  }
}

/** Pods cost real work and have no quota, so no controller is asked for more than a handful. */
export const replicasMax = 4;

const counts: ReadonlySet<string> = new Set(["replicas", "parallelism", "completions"]);

/** JSON of the value with every number of Pods brought down to a handful. */
export function tamedJson(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  if (![...counts].some((name) => text.includes(`"${name}"`))) return text;
  return JSON.stringify(
    JSON.parse(text, (name, part: unknown) =>
      counts.has(name) && typeof part === "number" && part > replicasMax ? replicasMax : part,
    ),
  );
}

import { apiVersionOf, type KindDefinition } from "../src/api/kind.js";
import { fieldDescription, kindDescription } from "../src/api/kinds/field-descriptions.js";
import { nearestName } from "../src/api/nearest-name.js";
import { findKind, kindNamed } from "../src/api/registry.js";
import type { ObjectSchema, Schema } from "../src/api/schema.js";
import { IkadaError } from "../src/base/errors.js";

/** A field of a kind, or the kind itself with an empty path. */
export interface Explained {
  readonly kind: KindDefinition;
  readonly path: readonly string[];
  readonly schema: Schema;
  /** The reason, when the field or one around it is known to Kubernetes and not acted on. */
  readonly idle: string | undefined;
}

const widthMax = 100;
const kept = "Kept as it is written; this version of Ikada does not act on it.";

/**
 * `deployment`, `deploy.spec.strategy`, `pods.spec.containers[*].image`: a kind by any of its names, and a path into it.
 * @throws IkadaError UnknownKind, NotFound with the nearest field that there is
 */
export function findField(text: string): Explained {
  const words = text.replaceAll(/\[[^\]]*\]/g, "").split(".");
  // The group may be a part of the kind's name: deployments.apps, deployments.v1.apps.
  const length = [3, 2].find((count) => count <= words.length && findKind(words.slice(0, count).join("."))) ?? 1;
  const kind = kindNamed(words.slice(0, length).join("."));
  const path = words.slice(length);
  let schema: Schema = kind.schema;
  let idle: string | undefined;
  for (const [depth, name] of path.entries()) {
    const around = [kind.kind, ...path.slice(0, depth)].join(".");
    schema = fieldIn(inner(schema), name, around);
    idle ??= idleReason(schema);
  }
  return { kind, path, schema, idle };
}

/** The text of `ikada explain`. */
export function explain(field: Explained, recursive: boolean): string {
  const { kind, path, schema, idle } = field;
  const about = path.length === 0 ? kindDescription(kind.kind) : fieldDescription(kind.kind, path);
  const object = inner(schema);
  const blocks = [
    `GROUP:      ${kind.group === "" ? "(core)" : kind.group}\nKIND:       ${kind.kind}\nVERSION:    ${apiVersionOf(kind)}\n`,
  ];
  if (path.length > 0)
    blocks.push(`FIELD: ${path.at(-1)} <${typeText(schema)}>${schema.required ? " -required-" : ""}\n`);
  const lines = [...(about === undefined ? [] : [about]), ...(idle === undefined ? [] : [idle]), ...traitLines(schema)];
  blocks.push(`DESCRIPTION:\n${lines.map((line) => wrapped(line, 4)).join("")}`);
  if (object?.type === "object" && Object.keys(object.fields).length > 0)
    blocks.push(`FIELDS:\n${recursive ? tree(object, 2) : list(field, object)}`);
  return blocks.join("\n");
}

function list({ kind, path, idle }: Explained, object: ObjectSchema): string {
  return Object.entries(object.fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => {
      const about = fieldDescription(kind.kind, [...path, name]);
      const why = idle === undefined ? idleReason(schema) : undefined;
      const lines = [
        ...(about === undefined ? [] : [about]),
        ...(why === undefined ? [] : [why]),
        ...traitLines(schema),
      ];
      return `${titleOf(name, schema, 2)}${lines.map((line) => wrapped(line, 4)).join("")}`;
    })
    .join("\n");
}

function tree(object: ObjectSchema, indent: number): string {
  return Object.entries(object.fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => {
      const below = inner(schema);
      const mark = schema.refused === undefined ? (schema.keptUnless ? "  (not acted on)" : "") : "  (refused)";
      const title = titleOf(name, schema, indent).trimEnd();
      return `${title}${mark}\n${below?.type === "object" ? tree(below, indent + 2) : ""}`;
    })
    .join("");
}

function titleOf(name: string, schema: Schema, indent: number): string {
  return `${" ".repeat(indent)}${name} <${typeText(schema)}>${schema.required ? " -required-" : ""}\n`;
}

/** The object whose fields come next: a list's items and a map's values stand for it. */
function inner(schema: Schema): Schema | undefined {
  if (schema.type === "list") return inner(schema.items);
  if (schema.type === "map") return inner(schema.values) ?? schema.values;
  return schema;
}

/** @throws IkadaError NotFound */
function fieldIn(schema: Schema | undefined, name: string, around: string): Schema {
  const fields = schema?.type === "object" ? schema.fields : {};
  const found = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (found) return found;
  const known = Object.keys(fields);
  const nearest = nearestName(name, known);
  const hint =
    nearest !== undefined
      ? `did you mean ${around}.${nearest}?`
      : known.length > 0
        ? `its fields are ${known.sort().join(", ")}`
        : `it is of the type ${schema?.type ?? "unknown"} and has no fields`;
  throw new IkadaError("NotFound", `there is no field "${name}" in ${around}`, { hint });
}

function idleReason(schema: Schema): string | undefined {
  if (schema.refused !== undefined) return `Refused: ${schema.refused}.`;
  return schema.keptUnless === undefined ? undefined : kept;
}

/** What the table says of a field, for people. */
function traitLines(schema: Schema): string[] {
  const lines: string[] = [];
  const scalar = schema.type === "list" ? schema.items : schema.type === "map" ? schema.values : schema;
  if (scalar.type === "string" && scalar.enum) lines.push(`enum: ${scalar.enum.join(", ")}`);
  if (schema.type === "integer" && (schema.minimum > 0 || schema.maximum < 2 ** 31 - 1))
    lines.push(`range: ${schema.minimum} to ${schema.maximum}`);
  if (schema.type === "list" && schema.mapKeys) lines.push(`merged by: ${schema.mapKeys.join(", ")}`);
  if (schema.default !== undefined) lines.push(`default: ${JSON.stringify(schema.default)}`);
  if (schema.immutable) lines.push("immutable: can't be changed once the object exists");
  return lines;
}

function typeText(schema: Schema): string {
  switch (schema.type) {
    case "list":
      return `[]${typeText(schema.items)}`;
    case "map":
      return `map[string]${typeText(schema.values)}`;
    case "object":
      return "Object";
    case "intOrString":
      return "integer or string";
    default:
      return schema.type;
  }
}

/** Lines no longer than a terminal is wide. */
function wrapped(text: string, indent: number): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= widthMax - indent)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => `${" ".repeat(indent)}${line}\n`).join("");
}

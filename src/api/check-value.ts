import { fieldPath, type Faults } from "./faults.js";
import { formats, type StringFormat } from "./format.js";
import { sameJson } from "./json.js";
import type { ListSchema, MapSchema, ObjectSchema, Schema } from "./schema.js";

/** Adds a fault for everything in a decoded value that its table does not allow. */
export function checkValue(value: unknown, schema: Schema, path: string, faults: Faults): void {
  if (faults.full) return;
  if (schema.refused !== undefined && !isEmpty(value)) {
    faults.add(path, "NotSupported", schema.refused);
    return;
  }
  switch (schema.type) {
    case "object":
      checkFields(value as Readonly<Record<string, unknown>>, schema, path, faults);
      break;
    case "map":
      checkMap(value as Readonly<Record<string, unknown>>, schema, path, faults);
      break;
    case "list":
      checkList(value as readonly unknown[], schema, path, faults);
      break;
    case "string":
      checkText(value as string, schema, path, faults);
      break;
    case "integer":
      if ((value as number) < schema.minimum || (value as number) > schema.maximum)
        faults.add(path, "Invalid", `must be from ${schema.minimum} to ${schema.maximum}, not ${String(value)}`);
      break;
    default:
  }
}

/** Adds a fault for every field that the table calls immutable and that differs. Lists are compared as a whole. */
export function checkImmutable(before: unknown, after: unknown, schema: Schema, path: string, faults: Faults): void {
  if (schema.immutable === true) {
    if (!sameJson(before, after)) faults.add(path, "Immutable", "may not be changed");
    return;
  }
  if (schema.type !== "object" || !isRecord(before) || !isRecord(after)) return;
  for (const [name, field] of Object.entries(schema.fields))
    checkImmutable(before[name], after[name], field, fieldPath(path, name), faults);
}

function checkFields(
  value: Readonly<Record<string, unknown>>,
  schema: ObjectSchema,
  path: string,
  faults: Faults,
): void {
  for (const [name, field] of Object.entries(schema.fields)) {
    const given = value[name];
    const at = fieldPath(path, name);
    if (given === undefined || (field.required === true && isBlank(given))) {
      if (field.required === true) faults.add(at, "Required", "is required");
    } else checkValue(given, field, at, faults);
  }
}

function checkMap(value: Readonly<Record<string, unknown>>, schema: MapSchema, path: string, faults: Faults): void {
  for (const [key, given] of Object.entries(value)) {
    const at = `${path}[${key}]`;
    if (schema.keyFormat !== undefined) checkFormat(key, schema.keyFormat, at, "key ", faults);
    checkValue(given, schema.values, at, faults);
  }
}

function checkList(value: readonly unknown[], schema: ListSchema, path: string, faults: Faults): void {
  const seen = new Set<string>();
  for (const [at, item] of value.entries()) {
    checkValue(item, schema.items, `${path}[${at}]`, faults);
    const identity = identityOf(item, schema);
    if (identity === undefined) continue;
    if (seen.has(identity.text))
      faults.add(`${path}[${at}]${identity.field}`, "Duplicate", `${identity.shown} is there twice`);
    seen.add(identity.text);
  }
}

/** What may be in a list only once: an item's keys, or in a set the item. */
function identityOf(item: unknown, schema: ListSchema): { text: string; field: string; shown: string } | undefined {
  if (schema.listType === "set") return { text: JSON.stringify(item), field: "", shown: JSON.stringify(item) };
  if (schema.listType !== "map" || !isRecord(item)) return undefined;
  const keys = schema.mapKeys ?? [];
  const values = keys.map((key) => item[key]);
  if (values.every((part) => part === undefined)) return undefined;
  const shown = values.map((part) => (typeof part === "string" ? `"${part}"` : JSON.stringify(part))).join(", ");
  return { text: JSON.stringify(values), field: keys.length === 1 ? `.${keys[0]}` : "", shown };
}

function checkText(value: string, schema: Extract<Schema, { type: "string" }>, path: string, faults: Faults): void {
  const { lengthMax } = schema;
  if (lengthMax !== undefined && value.length > lengthMax)
    faults.add(path, "TooLong", `must be no more than ${lengthMax} characters, not ${value.length}`);
  if (value === "") return;
  if (schema.enum !== undefined && !schema.enum.includes(value))
    faults.add(path, "NotSupported", `must be one of ${schema.enum.join(", ")}, not "${value.slice(0, 40)}"`);
  if (schema.format !== undefined) checkFormat(value, schema.format, path, "", faults);
}

function checkFormat(text: string, format: StringFormat, path: string, prefix: string, faults: Faults): void {
  const wrong = formats[format](text);
  if (wrong !== undefined) faults.add(path, "Invalid", `${prefix}${wrong}`);
}

/** Of something required: as good as missing. */
function isBlank(value: unknown): boolean {
  return value === "" || (Array.isArray(value) && value.length === 0);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === false || value === "" || value === 0) return true;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

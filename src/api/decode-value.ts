import { isBase64 } from "./base64.js";
import { fieldPath, type Faults } from "./faults.js";
import { sameJson } from "./json.js";
import { nearestName } from "./nearest-name.js";
import { canonicalQuantity } from "./quantity.js";
import type { ListSchema, MapSchema, ObjectSchema, Schema } from "./schema.js";
import { fromTimestamp, toMicroTimestamp, toTimestamp } from "./time.js";

export interface DecodeContext {
  readonly faults: Faults;
  readonly warnings: string[];
}

/**
 * The value in the shape of its schema, as a new tree of own fields; undefined when it has another type (then a
 * fault was added). Unknown fields are faults, nulls are dropped.
 */
export function decodeValue(value: unknown, schema: Schema, context: DecodeContext, path = ""): unknown {
  switch (schema.type) {
    case "object":
      return decodeFields(value, schema, context, path);
    case "map":
      return decodeMap(value, schema, context, path);
    case "list":
      return decodeList(value, schema, context, path);
    case "any":
      return value;
    default:
      return decodeScalar(value, schema, context, path);
  }
}

function decodeFields(value: unknown, schema: ObjectSchema, context: DecodeContext, path: string): unknown {
  if (!isRecord(value)) return mismatch(value, "an object", context, path);
  const result: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(value)) {
    if (context.faults.full) break;
    const at = fieldPath(path, name);
    const field = Object.hasOwn(schema.fields, name) ? schema.fields[name] : undefined;
    if (field === undefined) {
      const near = nearestName(name, Object.keys(schema.fields));
      context.faults.add(at, "Unknown", `unknown field${near === undefined ? "" : `; did you mean ${near}?`}`);
    } else if (given !== null && given !== undefined) {
      tellIfKept(given, field, context, at);
      result[name] = decodeValue(given, field, context, at);
    }
  }
  return result;
}

function tellIfKept(value: unknown, field: Schema, context: DecodeContext, path: string): void {
  const { keptUnless } = field;
  if (keptUnless === undefined || keptUnless.some((usual) => sameJson(usual, value))) return;
  context.warnings.push(`${path}: kept, but not acted on by this version of Ikada`);
}

function decodeMap(value: unknown, schema: MapSchema, context: DecodeContext, path: string): unknown {
  if (!isRecord(value)) return mismatch(value, "a map", context, path);
  const result: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(value)) {
    if (context.faults.full) break;
    const at = `${path}[${key}]`;
    if (key === "__proto__") context.faults.add(at, "Invalid", "this key is not allowed");
    else result[key] = decodeValue(given, schema.values, context, at);
  }
  return result;
}

function decodeList(value: unknown, schema: ListSchema, context: DecodeContext, path: string): unknown {
  if (!Array.isArray(value)) return mismatch(value, "a list", context, path);
  const result: unknown[] = [];
  for (const [at, given] of (value as readonly unknown[]).entries()) {
    if (context.faults.full) break;
    result.push(decodeValue(given, schema.items, context, `${path}[${at}]`));
  }
  return result;
}

type Scalar = Exclude<Schema, { readonly type: "object" | "map" | "list" | "any" }>;

function decodeScalar(value: unknown, schema: Scalar, context: DecodeContext, path: string): unknown {
  switch (schema.type) {
    case "string":
      return typeof value === "string" ? value : mismatch(value, "text", context, path);
    case "boolean":
      return typeof value === "boolean" ? value : mismatch(value, "true or false", context, path);
    case "integer":
      return Number.isSafeInteger(value) ? value : mismatch(value, "a whole number", context, path);
    case "intOrString":
      return typeof value === "string" || Number.isSafeInteger(value)
        ? value
        : mismatch(value, "a whole number or text", context, path);
    case "bytes":
      if (typeof value !== "string") return mismatch(value, "base64 text", context, path);
      if (!isBase64(value)) context.faults.add(path, "Invalid", "must be standard base64 with padding");
      return value;
    case "quantity":
      return decodeQuantity(value, context, path);
    default:
      return decodeTime(value, schema.micro === true, context, path);
  }
}

function decodeQuantity(value: unknown, context: DecodeContext, path: string): unknown {
  if (typeof value !== "string" && typeof value !== "number") return mismatch(value, "an amount", context, path);
  const canonical = canonicalQuantity(String(value));
  if (canonical === undefined)
    context.faults.add(path, "Invalid", `must be an amount such as 500m, 1.5 or 128Mi, not ${shown(value)}`);
  return canonical;
}

function decodeTime(value: unknown, micro: boolean, context: DecodeContext, path: string): unknown {
  if (typeof value !== "string") return mismatch(value, "a time", context, path);
  const moment = fromTimestamp(value);
  if (moment === undefined) {
    context.faults.add(path, "Invalid", `must be a time such as 2026-01-31T12:00:00Z, not ${shown(value)}`);
    return undefined;
  }
  return micro ? toMicroTimestamp(moment) : toTimestamp(moment);
}

function mismatch(value: unknown, wanted: string, context: DecodeContext, path: string): undefined {
  context.faults.add(path, "TypeMismatch", `must be ${wanted}, not ${typeName(value)}`);
  return undefined;
}

/** Types only, never values: what was sent may be a secret. */
function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  switch (typeof value) {
    case "string":
      return "text";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    default:
      return "an object";
  }
}

/** Short, so that no message carries a whole document. */
function shown(value: string | number): string {
  const text = String(value);
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

import { cloneJson } from "./json.js";
import type { Draft } from "./kind.js";
import type { AnyObject } from "./object.js";
import { kindOf } from "./registry.js";
import type { Schema } from "./schema.js";

/**
 * A copy of the object with Kubernetes' defaults in what is absent: first those of the kind's table, then those that
 * depend on other fields. Doing it twice changes nothing more.
 */
export function withDefaults<T extends AnyObject>(object: T): T {
  const kind = kindOf(object);
  const draft = cloneJson(object) as unknown as Draft;
  kind.fold?.(draft);
  fill(draft, kind.schema);
  kind.complete?.(draft);
  return draft as unknown as T;
}

/** A copy of a part of an object with the defaults of its table in it. */
export function withTableDefaults(value: unknown, schema: Schema): unknown {
  if (typeof value !== "object" || value === null || !hasDefaults(schema)) return value;
  const draft = cloneJson<unknown>(value);
  fill(draft, schema);
  return draft;
}

function fill(value: unknown, schema: Schema): void {
  if (typeof value !== "object" || value === null || !hasDefaults(schema)) return;
  if (schema.type === "list") {
    if (Array.isArray(value)) for (const item of value as readonly unknown[]) fill(item, schema.items);
  } else if (schema.type === "map") {
    for (const item of Object.values(value)) fill(item, schema.values);
  } else if (schema.type === "object") {
    const fields = value as Record<string, unknown>;
    for (const [name, field] of Object.entries(schema.fields)) {
      if (field.default !== undefined && fields[name] === undefined) fields[name] = cloneJson<unknown>(field.default);
      fill(fields[name], field);
    }
  }
}

/** True when there is a default anywhere below; remembered per table, since most of a big table has none. */
function hasDefaults(schema: Schema): boolean {
  const known = remembered.get(schema);
  if (known !== undefined) return known;
  const found = parts(schema).some((part) => part.default !== undefined || hasDefaults(part));
  remembered.set(schema, found);
  return found;
}

function parts(schema: Schema): readonly Schema[] {
  if (schema.type === "object") return Object.values(schema.fields);
  if (schema.type === "list") return [schema.items];
  return schema.type === "map" ? [schema.values] : [];
}

const remembered = new WeakMap<Schema, boolean>();

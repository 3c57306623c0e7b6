import { elementNode, type FieldSet } from "./field-set.js";
import { sameJson } from "./json.js";
import type { ListSchema, MapSchema, ObjectSchema, Schema } from "./schema.js";

/** What `after` adds to, changes in and removes from `before`, as sets of paths. */
export interface FieldChanges {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/**
 * Which of a value's structures are themselves paths, beside its leaves, its list items and map entries: `leaves` only
 * empty ones (what an applier owns), `containers` lists and maps too (what an update adds), `all` objects too.
 */
type Structures = "leaves" | "containers" | "all";

/** Every path that a value sets, as its schema cuts it into owned parts. */
export function fieldsOf(value: object, schema: ObjectSchema, structures: Structures = "leaves"): FieldSet {
  return childrenOf(value, schema, structures);
}

/** The difference between two values of one schema. */
export function compareFields(before: object | undefined, after: object, schema: ObjectSchema): FieldChanges {
  const none: FieldSet = {};
  const node = compareNodes(before ?? {}, after, schema);
  return { added: node.added ?? none, modified: node.modified ?? none, removed: node.removed ?? none };
}

/** True when parts of such a value can be owned by different managers. */
export function isGranular(schema: Schema): schema is ObjectSchema | MapSchema | ListSchema {
  if (schema.type === "object" || schema.type === "map") return schema.atomic !== true;
  return schema.type === "list" && schema.listType !== "atomic";
}

/** The parts of a granular value by path element, with their schemas. */
export function partsOf(
  value: unknown,
  schema: Schema,
): ReadonlyMap<string, { readonly value: unknown; readonly schema: Schema }> {
  const parts = new Map<string, { value: unknown; schema: Schema }>();
  if (schema.type === "list") {
    for (const item of value as readonly unknown[])
      parts.set(itemElement(item, schema), { value: item, schema: schema.items });
  } else {
    for (const [name, part] of Object.entries(value as object)) {
      const partSchema =
        schema.type === "map" ? schema.values : schema.type === "object" ? schema.fields[name] : undefined;
      if (part !== undefined && partSchema !== undefined) parts.set(`f:${name}`, { value: part, schema: partSchema });
    }
  }
  return parts;
}

/** An item's path element: by value in a set, else by its keys, sorted, with the table's default for an absent one. */
export function itemElement(item: unknown, schema: ListSchema): string {
  if (schema.listType === "set") return `v:${JSON.stringify(item)}`;
  const fields = schema.items.type === "object" ? schema.items.fields : {};
  const keys = [...(schema.mapKeys ?? [])].sort();
  const given = item as Readonly<Record<string, unknown>>;
  return `k:${JSON.stringify(Object.fromEntries(keys.map((key) => [key, given[key] ?? fields[key]?.default ?? null])))}`;
}

function childrenOf(value: unknown, schema: Schema, structures: Structures): FieldSet {
  const children: Record<string, FieldSet> = {};
  for (const [element, part] of partsOf(value, schema)) {
    const node = nodeOf(part.value, part.schema, structures, schema.type !== "object");
    if (node !== undefined) children[element] = node;
  }
  return children;
}

/** `isItem`: an item of a list or an entry of a map, which is always a path. */
function nodeOf(value: unknown, schema: Schema, structures: Structures, isItem: boolean): FieldSet | undefined {
  if (!isGranular(schema)) return {};
  const children = childrenOf(value, schema, structures);
  const own = structures === "all" || (structures === "containers" && schema.type !== "object");
  return elementNode(isItem || own || Object.keys(children).length === 0, children);
}

type NodeChanges = { readonly [K in keyof FieldChanges]?: FieldSet | undefined };

function compareNodes(before: unknown, after: unknown, schema: Schema): NodeChanges {
  if (!isGranular(schema)) return sameJson(before, after) ? {} : { modified: {} };
  const was = partsOf(before, schema);
  const is = partsOf(after, schema);
  const children: { [K in keyof FieldChanges]: Record<string, FieldSet> } = { added: {}, modified: {}, removed: {} };
  for (const element of new Set([...was.keys(), ...is.keys()])) {
    const changes = compareParts(was.get(element), is.get(element), schema.type !== "object");
    for (const sort of ["added", "modified", "removed"] as const) {
      const node = changes[sort];
      if (node !== undefined) children[sort][element] = node;
    }
  }
  return {
    added: elementNode(false, children.added),
    modified: elementNode(false, children.modified),
    removed: elementNode(false, children.removed),
  };
}

type Part = { readonly value: unknown; readonly schema: Schema } | undefined;

function compareParts(was: Part, is: Part, isItem: boolean): NodeChanges {
  if (was !== undefined && is !== undefined) return compareNodes(was.value, is.value, is.schema);
  if (is !== undefined) return { added: nodeOf(is.value, is.schema, "containers", isItem) };
  return was === undefined ? {} : { removed: nodeOf(was.value, was.schema, "all", isItem) };
}

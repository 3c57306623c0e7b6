import { withTableDefaults } from "./defaults.js";
import type { FieldSet } from "./field-set.js";
import { isGranular, itemElement, partsOf } from "./owned-fields.js";
import type { ListSchema, ObjectSchema, Schema } from "./schema.js";

type Fields = Readonly<Record<string, unknown>>;

/** `live` with everything in `applied` done to it: granular structures merge, all else is replaced. */
export function mergeApplied(live: unknown, applied: unknown, schema: Schema): unknown {
  if (applied === undefined) return live;
  if (live === undefined) return applied;
  // As it will be stored, or the defaults in the live one would look like someone else's other value.
  if (!isGranular(schema)) return withTableDefaults(applied, schema);
  if (schema.type === "list") return mergeList(live as readonly unknown[], applied as readonly unknown[], schema);
  const result: Record<string, unknown> = { ...(live as Fields) };
  for (const [name, part] of Object.entries(applied as Fields)) {
    const partSchema = schema.type === "map" ? schema.values : schema.fields[name];
    if (partSchema !== undefined) result[name] = mergeApplied(result[name], part, partSchema);
  }
  return result;
}

/** `value` without what is in `dropped` and neither itself nor in any part below in `kept`. */
export function withoutFields(value: unknown, dropped: FieldSet, kept: FieldSet, schema: Schema): unknown {
  if (value === undefined || !isGranular(schema)) return value;
  const parts = partsOf(value, schema);
  const gone = new Set<string>();
  const changed = new Map<string, unknown>();
  for (const [element, below] of Object.entries(dropped)) {
    const part = parts.get(element);
    if (part === undefined) continue;
    const stays = kept[element];
    if (stays === undefined) gone.add(element);
    else changed.set(element, withoutFields(part.value, below, withKeys(stays, schema), part.schema));
  }
  if (schema.type === "list")
    return (value as readonly unknown[]).flatMap((item) => {
      const element = itemElement(item, schema);
      return gone.has(element) ? [] : [changed.has(element) ? changed.get(element) : item];
    });
  return Object.fromEntries(
    Object.entries(value as Fields).flatMap(([name, part]) => {
      const element = `f:${name}`;
      return gone.has(element) ? [] : [[name, changed.has(element) ? changed.get(element) : part]];
    }),
  );
}

/** An item that stays keeps its keys, whoever owned them: without them it would be another item. */
function withKeys(kept: FieldSet, schema: Schema): FieldSet {
  if (schema.type !== "list" || schema.listType !== "map") return kept;
  return { ...Object.fromEntries((schema.mapKeys ?? []).map((key) => [`f:${key}`, {}])), ...kept };
}

/**
 * `value` without members of unions that its discriminators don't name, where `kept` does not hold them: defaults of
 * the choice before would otherwise make the new choice invalid.
 */
export function withoutStaleMembers(value: unknown, kept: FieldSet, schema: Schema): unknown {
  if (schema.type !== "object" || typeof value !== "object" || value === null) return value;
  const result: Record<string, unknown> = { ...(value as Fields) };
  for (const [name, field] of Object.entries(schema.fields))
    if (field.type === "object" && result[name] !== undefined)
      result[name] = withoutStaleMembers(result[name], kept[`f:${name}`] ?? {}, field);
  for (const member of staleMembers(result, schema)) if (kept[`f:${member}`] === undefined) delete result[member];
  return result;
}

function staleMembers(value: Fields, schema: ObjectSchema): readonly string[] {
  if (schema.union === undefined) return [];
  const chosen = value[schema.union.discriminator];
  if (chosen === undefined) return [];
  return Object.entries(schema.union.members).flatMap(([name, member]) => (name === chosen ? [] : [member]));
}

/** Applied items in their own order; those that only `live` has keep their place among the ones they share. */
function mergeList(live: readonly unknown[], applied: readonly unknown[], schema: ListSchema): readonly unknown[] {
  const present = partsOf(live, schema);
  const wanted = [...partsOf(applied, schema)];
  const places = new Map(wanted.map(([element], at) => [element, at]));
  const result: unknown[] = [];
  let next = 0;
  const takeUpTo = (end: number): void => {
    for (const [element, part] of wanted.slice(next, end))
      result.push(mergeApplied(present.get(element)?.value, part.value, schema.items));
    next = Math.max(next, end);
  };
  for (const item of live) {
    const place = places.get(itemElement(item, schema));
    if (place === undefined) result.push(item);
    else takeUpTo(place + 1);
  }
  takeUpTo(wanted.length);
  return result;
}

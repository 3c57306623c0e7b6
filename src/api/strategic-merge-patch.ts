import { IkadaError } from "../base/errors.js";
import { fieldPath } from "./faults.js";
import type { ListSchema, ObjectSchema, Schema } from "./schema.js";

type Fields = Readonly<Record<string, unknown>>;

/**
 * What a strategic merge patch makes of `target`, by Kubernetes' rules (community/contributors/devel/sig-api-machinery/
 * strategic-merge-patch.md): objects merge, null removes, lists merge by the table's merge key or as sets, other lists are
 * replaced. Directives: `$patch: merge | replace | delete` in objects and items, `$retainKeys`, `$setElementOrder/<list>`,
 * `$deleteFromPrimitiveList/<list>`. Neither argument is changed. Fields that the table has not are for the decoder to refuse.
 * @throws IkadaError BadRequest with the path of what is no such patch
 */
export function strategicMergePatch(target: object, patch: unknown, schema: ObjectSchema): object {
  if (!isRecord(patch)) throw new IkadaError("BadRequest", "a strategic merge patch of an object is a JSON object");
  return mergeFields(target as Fields, patch, schema, "");
}

const retainKeys = "$retainKeys";
const directive = "$patch";
const orderPrefix = "$setElementOrder/";
const deletionPrefix = "$deleteFromPrimitiveList/";

function mergeFields(live: Fields, patch: Fields, schema: Schema | undefined, path: string): Fields {
  const act = patch[directive] ?? "merge";
  if (act === "delete") return {};
  if (act !== "merge" && act !== "replace") fail(fieldPath(path, directive), "is none of merge, replace, delete");
  const result: Record<string, unknown> = act === "replace" ? {} : retained(live, patch, path);
  const keys = Object.keys(patch);
  const isPlain = !keys.some((key) => key.startsWith("$"));
  for (const name of isPlain ? keys : patchedNames(keys, path)) {
    const at = fieldPath(path, name);
    if (name === "__proto__") fail(at, "may not be named");
    const field = fieldOf(schema, name);
    const directives = isPlain ? undefined : listDirectives(patch, name, path);
    const given = patch[name];
    if (given === null) delete result[name];
    else if (Array.isArray(given) || directives !== undefined) {
      const present = result[name];
      const items = given === undefined ? undefined : asList(given, at);
      result[name] = mergeList(Array.isArray(present) ? present : [], items, field, directives ?? {}, at);
    } else if (isRecord(given) && field !== undefined && field.type !== "any") {
      const present = Object.hasOwn(result, name) ? result[name] : undefined;
      result[name] = mergeFields(isRecord(present) ? present : {}, given, field, at);
    } else result[name] = given;
  }
  return result;
}

/** The fields that a patch with these keys is about, without its directives. */
function patchedNames(keys: readonly string[], path: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const key of keys) {
    if (key === directive || key === retainKeys) continue;
    const prefix = [orderPrefix, deletionPrefix].find((known) => key.startsWith(known));
    if (prefix === undefined && key.startsWith("$"))
      fail(fieldPath(path, key), "is no directive of a strategic merge patch");
    names.add(prefix === undefined ? key : key.slice(prefix.length));
  }
  return names;
}

/** The present fields that `$retainKeys` names, or all without it. */
function retained(live: Fields, patch: Fields, path: string): Record<string, unknown> {
  const given = patch[retainKeys];
  if (given === undefined) return { ...live };
  const at = fieldPath(path, retainKeys);
  const keys = new Set(asList(given, at));
  for (const [name, value] of Object.entries(patch))
    if (!name.startsWith("$") && value !== null && !keys.has(name))
      fail(at, `does not have "${name}", which the patch sets`);
  return Object.fromEntries(Object.entries(live).filter(([name]) => keys.has(name)));
}

interface ListDirectives {
  /** Items, or their merge keys, in the order they shall have. */
  readonly order?: readonly unknown[] | undefined;
  readonly deletions?: readonly unknown[] | undefined;
}

function listDirectives(patch: Fields, name: string, path: string): ListDirectives | undefined {
  const read = (prefix: string): readonly unknown[] | undefined => {
    const key = `${prefix}${name}`;
    return Object.hasOwn(patch, key) ? asList(patch[key], fieldPath(path, key)) : undefined;
  };
  const [order, deletions] = [read(orderPrefix), read(deletionPrefix)];
  return order === undefined && deletions === undefined ? undefined : { order, deletions };
}

function mergeList(
  live: readonly unknown[],
  patch: readonly unknown[] | undefined,
  schema: Schema | undefined,
  { order, deletions }: ListDirectives,
  path: string,
): readonly unknown[] {
  const list = schema?.type === "list" ? schema : undefined;
  const mergeKey = list && mergeKeyOf(list);
  if (list?.listType === "set") {
    const gone = new Set(deletions);
    const merged = [...new Set([...live.filter((item) => !gone.has(item)), ...(patch ?? [])])];
    return ordered(merged, live, patch ?? [], order, (item) => item, path);
  }
  if (deletions !== undefined) fail(path, "is no list of single values, from which some could be deleted");
  if (list !== undefined && mergeKey !== undefined) return mergeItems(live, patch ?? [], list, mergeKey, order, path);
  if (order !== undefined) fail(path, "is replaced as a whole, so its order can't be set");
  return patch ?? live;
}

/** Undefined when a patch replaces such a list as a whole. */
function mergeKeyOf({ listType, mapKeys = [], mergeKey }: ListSchema): string | undefined {
  return mergeKey === undefined && listType === "map" ? mapKeys[0] : (mergeKey ?? undefined);
}

function mergeItems(
  live: readonly unknown[],
  patch: readonly unknown[],
  schema: ListSchema,
  mergeKey: string,
  order: readonly unknown[] | undefined,
  path: string,
): readonly unknown[] {
  const items = patch.map((item, at) => patchItem(item, mergeKey, `${path}[${at}]`));
  if (items.some((item) => item.act === "replace"))
    return items.flatMap((item) =>
      item.act === "merge" ? [mergeFields({}, item.fields, schema.items, item.path)] : [],
    );
  const result = new KeyedItems(live, schema, mergeKey);
  for (const { act, fields } of items) if (act === "delete") result.delete(fields);
  const merged = items.filter(({ act }) => act === "merge");
  const known = new Set<string>();
  for (const { fields, path: at } of merged) {
    const identity = JSON.stringify([fields[mergeKey], ...result.otherKeys(fields).map((key) => fields[key])]);
    if (known.has(identity)) fail(at, "is there twice");
    known.add(identity);
    result.put(fields, (present) => mergeFields(present, fields, schema.items, at));
  }
  const wanted = order?.map(
    (item, at) => patchItem(item, mergeKey, `${fieldPath(path, "$setElementOrder")}[${at}]`).fields,
  );
  const keyOf = (item: unknown): unknown => (item as Fields)[mergeKey];
  return ordered(
    result.list(),
    live,
    merged.map(({ fields }) => fields),
    wanted,
    keyOf,
    path,
  );
}

interface PatchItem {
  readonly act: "merge" | "replace" | "delete";
  readonly fields: Fields;
  readonly path: string;
}

function patchItem(item: unknown, mergeKey: string, path: string): PatchItem {
  if (!isRecord(item)) fail(path, "is no object, but the list is one of objects");
  const { [directive]: act = "merge", ...fields } = item;
  if (act !== "merge" && act !== "replace" && act !== "delete")
    fail(fieldPath(path, directive), "is none of merge, replace, delete");
  if (act === "replace") {
    if (Object.keys(fields).length > 0)
      fail(path, "$patch: replace stands alone in an item: the other items are the new list");
  } else if (fields[mergeKey] === undefined || fields[mergeKey] === null)
    fail(fieldPath(path, mergeKey), "is required: items of this list are found by it");
  return { act, fields, path };
}

/**
 * A list's items by merge key. Where several have it (a port for TCP and for UDP), the one is meant that has most of the other keys'
 * values which the patch gives. Each is merged with one item of the patch at most; more with its merge key are new.
 */
class KeyedItems {
  readonly #schema: ListSchema;
  readonly #mergeKey: string;
  /** The live items in their places, then the new ones; undefined where one was deleted. */
  readonly #items: (Fields | undefined)[];
  /** Places of the live items that nothing was merged with yet. */
  readonly #free = new Map<unknown, number[]>();

  constructor(live: readonly unknown[], schema: ListSchema, mergeKey: string) {
    this.#schema = schema;
    this.#mergeKey = mergeKey;
    this.#items = [...(live as readonly Fields[])];
    for (const [place, item] of (live as readonly Fields[]).entries()) {
      const places = this.#free.get(item[mergeKey]);
      if (places) places.push(place);
      else this.#free.set(item[mergeKey], [place]);
    }
  }

  put(patch: Fields, merge: (present: Fields) => Fields): void {
    const places = this.#free.get(patch[this.#mergeKey]) ?? [];
    const [first] = places;
    if (first === undefined) return void this.#items.push(merge({}));
    const meant = places.reduce(
      (best, place) => (this.#agreement(place, patch) > this.#agreement(best, patch) ? place : best),
      first,
    );
    places.splice(places.indexOf(meant), 1);
    this.#items[meant] = merge(this.#items[meant] ?? {});
  }

  /** Deletes what has all the keys' values that are given. */
  delete(patch: Fields): void {
    const wanted = this.otherKeys(patch).length;
    const places = this.#free.get(patch[this.#mergeKey]) ?? [];
    const gone = places.filter((place) => this.#agreement(place, patch) === wanted);
    for (const place of gone) this.#items[place] = undefined;
    const left = places.filter((place) => !gone.includes(place));
    this.#free.set(patch[this.#mergeKey], left);
  }

  list(): readonly Fields[] {
    return this.#items.filter((item) => item !== undefined);
  }

  /** Keys beside the merge key that an item of the patch gives. */
  otherKeys(patch: Fields): readonly string[] {
    return (this.#schema.mapKeys ?? []).filter((key) => key !== this.#mergeKey && patch[key] !== undefined);
  }

  #agreement(place: number, patch: Fields): number {
    const item = this.#items[place] ?? {};
    return this.otherKeys(patch).filter((key) => item[key] === patch[key]).length;
  }
}

/**
 * Puts what the patch names into the order it wants, and what only the live list has to where it was among those, in front
 * of what is new. Without an order the patch's own list is one.
 */
function ordered(
  merged: readonly unknown[],
  live: readonly unknown[],
  patch: readonly unknown[],
  order: readonly unknown[] | undefined,
  keyOf: (item: unknown) => unknown,
  path: string,
): readonly unknown[] {
  const wanted = placesOf(order ?? patch, keyOf);
  if (order !== undefined) checkOrder(patch, wanted, keyOf, path);
  const present = placesOf(live, keyOf);
  const placed = (places: ReadonlyMap<unknown, number>, item: unknown): number => places.get(keyOf(item)) ?? Infinity;
  const named = merged.filter((item) => wanted.has(keyOf(item))).sort((a, b) => placed(wanted, a) - placed(wanted, b));
  const others = merged.filter((item) => !wanted.has(keyOf(item)));
  const result: unknown[] = [];
  let next = 0;
  for (const other of others) {
    for (
      let item = named[next];
      next < named.length && placed(present, item) < placed(present, other);
      item = named[next]
    ) {
      result.push(item);
      next += 1;
    }
    result.push(other);
  }
  return result.concat(named.slice(next));
}

/** That the patch's items are in the order that it asks for. */
function checkOrder(
  patch: readonly unknown[],
  wanted: ReadonlyMap<unknown, number>,
  keyOf: (item: unknown) => unknown,
  path: string,
): void {
  let last = -1;
  for (const item of patch) {
    const place = wanted.get(keyOf(item));
    const shown = JSON.stringify(keyOf(item));
    if (place === undefined) fail(path, `${shown} is missing in $setElementOrder`);
    if (place < last) fail(path, `${shown} is at another place than $setElementOrder says`);
    last = place;
  }
}

/** First places, by key. */
function placesOf(list: readonly unknown[], keyOf: (item: unknown) => unknown): ReadonlyMap<unknown, number> {
  const places = new Map<unknown, number>();
  for (const [at, item] of list.entries()) if (!places.has(keyOf(item))) places.set(keyOf(item), at);
  return places;
}

function fieldOf(schema: Schema | undefined, name: string): Schema | undefined {
  if (schema?.type === "map") return schema.values;
  return schema?.type === "object" && Object.hasOwn(schema.fields, name) ? schema.fields[name] : undefined;
}

function asList(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) fail(path, "is no list");
  return value as readonly unknown[];
}

function fail(path: string, message: string): never {
  throw new IkadaError("BadRequest", `strategic merge patch: ${path}: ${message}`, {
    faults: [{ field: path, reason: "Invalid", message }],
  });
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

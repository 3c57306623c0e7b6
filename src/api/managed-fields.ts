import { difference, intersection, isEmptySet, union, type FieldSet } from "./field-set.js";
import { sameJson, without } from "./json.js";
import type { KindDefinition } from "./kind.js";
import type { AnyObject, ManagedFieldsEntry } from "./object.js";
import { compareFields, fieldsOf, type FieldChanges } from "./owned-fields.js";
import { kindOf } from "./registry.js";
import { toTimestamp } from "./time.js";

/** Who writes: the program's name, and the part of the object it writes apart from the rest. */
export interface Writer {
  readonly manager: string;
  readonly subresource?: "" | "status" | "scale";
}

/**
 * `after`, with the fields that differ from `before` owned by the writer and no longer by anyone else: what every create,
 * update and patch does, as against apply. `before` is undefined for a new object. `now`: wall time in milliseconds.
 */
export function trackUpdate<T extends AnyObject>(
  before: AnyObject | undefined,
  after: T,
  writer: Writer,
  now: number,
): T {
  const kind = kindOf(after);
  const subresource = writer.subresource ?? "";
  const changes = changesIn(before, after, kind, subresource);
  const touched = union(changes.added, changes.modified);
  const entries = isReset(after) ? [] : (before?.metadata.managedFields ?? []);
  const own = entries.find((entry) => isEntryOf(entry, "Update", writer.manager, subresource));
  const fields = union(difference(own?.fieldsV1 ?? {}, changes.removed), touched);
  const others = disown(
    entries.filter((entry) => entry !== own),
    union(touched, changes.removed),
  );
  const known = isEmptySet(union(touched, changes.removed)) ? own : undefined;
  return withEntries(after, foldAncient([...others, ...entryOf(after, "Update", writer, fields, known, now)]));
}

/** The paths of `value` that can be owned by one who writes this part of the object. */
export function ownableFields(value: AnyObject, kind: KindDefinition, subresource: string): FieldSet {
  return restrict(fieldsOf(value, kind.schema), kind, subresource);
}

/** As compareFields, of what can be owned. */
export function changesIn(
  before: AnyObject | undefined,
  after: AnyObject,
  kind: KindDefinition,
  subresource: string,
): FieldChanges {
  const changes = compareFields(before, after, kind.schema);
  return {
    added: restrict(changes.added, kind, subresource),
    modified: restrict(changes.modified, kind, subresource),
    removed: restrict(changes.removed, kind, subresource),
  };
}

/** The entries without these fields; those that own nothing any more are gone. */
export function disown(entries: readonly ManagedFieldsEntry[], fields: FieldSet): readonly ManagedFieldsEntry[] {
  return entries.flatMap((entry) => {
    if (isEmptySet(intersection(entry.fieldsV1, fields))) return [entry];
    const fieldsV1 = difference(entry.fieldsV1, fields);
    return isEmptySet(fieldsV1) ? [] : [{ ...entry, fieldsV1 }];
  });
}

export function isEntryOf(
  entry: ManagedFieldsEntry,
  operation: ManagedFieldsEntry["operation"],
  manager: string,
  subresource: string,
): boolean {
  return entry.operation === operation && entry.manager === manager && (entry.subresource ?? "") === subresource;
}

/**
 * The writer's new entry, or the one `before` when it owns the same; given only when the writer changes no value, so that an
 * entry's time is that of the writer's last change. None when it owns nothing.
 */
export function entryOf(
  object: AnyObject,
  operation: ManagedFieldsEntry["operation"],
  writer: Writer,
  fields: FieldSet,
  before: ManagedFieldsEntry | undefined,
  now: number,
): readonly ManagedFieldsEntry[] {
  if (isEmptySet(fields)) return [];
  if (before !== undefined && sameJson(before.fieldsV1, fields)) return [before];
  const { manager, subresource = "" } = writer;
  return [
    {
      manager,
      operation,
      apiVersion: object.apiVersion,
      time: toTimestamp(now),
      fieldsType: "FieldsV1",
      fieldsV1: fields,
      ...(subresource === "" ? {} : { subresource }),
    },
  ];
}

/** The object with these entries, appliers first, then in the order of time. */
export function withEntries<T extends AnyObject>(object: T, entries: readonly ManagedFieldsEntry[]): T {
  const metadata = without(object.metadata, "managedFields");
  if (entries.length === 0) return { ...object, metadata };
  const sorted = [...entries].sort((a, b) => compareText(sortKey(a), sortKey(b)));
  return { ...object, metadata: { ...metadata, managedFields: sorted } };
}

/** Fields that belong to nobody: identity and what only the server writes. */
const serverFields: FieldSet = {
  "f:apiVersion": {},
  "f:kind": {},
  "f:metadata": {
    ".": {},
    "f:name": {},
    "f:namespace": {},
    "f:uid": {},
    "f:resourceVersion": {},
    "f:generation": {},
    "f:creationTimestamp": {},
    "f:deletionTimestamp": {},
    "f:deletionGracePeriodSeconds": {},
    "f:selfLink": {},
    "f:managedFields": {},
  },
};

/** A status is owned apart: through the subresource nothing else, without it no status. */
function restrict(fields: FieldSet, kind: KindDefinition, subresource: string): FieldSet {
  const { "f:status": status, ...rest } = fields;
  if (subresource === "status" && kind.hasStatus)
    return difference(status === undefined ? {} : { "f:status": status }, {});
  return difference(kind.hasStatus ? rest : fields, serverFields);
}

/** `managedFields: [{}]` asks to forget who owns what. */
function isReset(object: AnyObject): boolean {
  const entries = object.metadata.managedFields ?? [];
  return entries.length > 0 && entries.every((entry) => Object.keys(entry).length === 0);
}

const updateEntriesMax = 10;

/** Keeps the list bounded: the oldest updaters become one, as in Kubernetes. */
function foldAncient(entries: readonly ManagedFieldsEntry[]): readonly ManagedFieldsEntry[] {
  const updates = entries.filter((entry) => entry.operation === "Update" && (entry.subresource ?? "") === "");
  if (updates.length <= updateEntriesMax) return entries;
  const oldestFirst = updates.toSorted((a, b) => compareText(a.time ?? "", b.time ?? ""));
  const folded = oldestFirst.slice(0, updates.length - updateEntriesMax + 1);
  const newest = folded.at(-1);
  if (newest === undefined) return entries;
  const fieldsV1 = folded.reduce<FieldSet>((all, entry) => union(all, entry.fieldsV1), {});
  return [...entries.filter((entry) => !folded.includes(entry)), { ...newest, manager: "ancient-changes", fieldsV1 }];
}

function sortKey(entry: ManagedFieldsEntry): string {
  return [entry.operation, entry.time ?? "", entry.manager, entry.subresource ?? ""].join("\n");
}

function compareText(left: string, right: string): number {
  return left === right ? 0 : left < right ? -1 : 1;
}

import { IkadaError } from "../base/errors.js";
import { intersection, isEmptySet, pathsOf, union, type FieldSet } from "./field-set.js";
import { cloneJson, without } from "./json.js";
import { objectName, type Draft, type KindDefinition } from "./kind.js";
import { changesIn, disown, entryOf, isEntryOf, ownableFields, withEntries } from "./managed-fields.js";
import { mergeApplied, withoutFields, withoutStaleMembers } from "./merge-applied.js";
import type { AnyObject, ManagedFieldsEntry } from "./object.js";
import { checkPreconditions } from "./preconditions.js";
import { kindOf } from "./registry.js";

export interface ApplyOptions {
  /** Who applies: a stable name, one for each source of configuration. */
  readonly manager: string;
  /** Take fields over from other managers instead of failing. */
  readonly force: boolean;
  /** Wall time in milliseconds since 1970. */
  readonly now: number;
  readonly subresource?: "" | "status";
}

/** Fields that another manager owns with another value. */
export interface FieldConflict {
  readonly manager: string;
  readonly apiVersion: string;
  readonly operation: "Apply" | "Update";
  readonly subresource: string;
  /** `.spec.replicas` */
  readonly fields: readonly string[];
}

export interface ApplyResult {
  /** What would be stored, before defaulting and validation; with conflicts it must not be. */
  readonly object: AnyObject;
  readonly conflicts: readonly FieldConflict[];
}

/**
 * Server-side apply (kubernetes.io/docs/reference/using-api/server-side-apply): makes `applied` true of `live`. The manager
 * owns what it applies; what it owned before and now leaves out is removed unless someone else owns it too. A field that
 * another manager owns with another value is a conflict; what the same one updated is not. Without `live` the object is new.
 * @throws IkadaError Conflict when `applied` carries a uid or resourceVersion that is not that of `live`
 */
export function applyObject(live: AnyObject | undefined, applied: AnyObject, options: ApplyOptions): ApplyResult {
  const kind = kindOf(applied);
  const { manager, force, now, subresource = "" } = options;
  if (live !== undefined) checkPreconditions(live, applied.metadata);
  const wanted = normalized(applied, kind, subresource);
  const base = live ?? { apiVersion: wanted.apiVersion, kind: wanted.kind, metadata: { name: wanted.metadata.name } };
  const entries = live?.metadata.managedFields ?? [];
  const own = entries.find((entry) => isEntryOf(entry, "Apply", manager, subresource));
  const others = entries.filter((entry) => entry !== own);
  const fields = ownableFields(wanted, kind, subresource);

  const object = merged(base, wanted, kind, own?.fieldsV1, allOf(others, fields));
  const changes = changesIn(base, object, kind, subresource);
  const touched = union(changes.added, changes.modified);
  const conflicts = others.flatMap((entry) => (isSameManager(entry, manager) ? [] : conflictOf(entry, touched)));
  if (conflicts.length > 0 && !force) return { object, conflicts };

  const changed = union(touched, changes.removed);
  const left = disown(others, changed);
  const writer = { manager, subresource };
  const known = isEmptySet(changed) ? own : undefined;
  return {
    object: withEntries(object, [...left, ...entryOf(object, "Apply", writer, fields, known, now)]),
    conflicts: [],
  };
}

/** The error that tells a manager whose fields it would take. */
export function conflictError(kind: KindDefinition, name: string, conflicts: readonly FieldConflict[]): IkadaError {
  const faults = conflicts.flatMap((conflict) =>
    conflict.fields.map((field) => ({ field: field.slice(1), reason: "Conflict" as const, message: owner(conflict) })),
  );
  const object = objectName(kind, name);
  const count = `${faults.length} ${faults.length === 1 ? "conflict" : "conflicts"}`;
  const list = conflicts.map((conflict) => `${owner(conflict)}: ${conflict.fields.join(", ")}`).join("; ");
  return new IkadaError("FieldConflict", `apply of ${object} failed with ${count}: ${list}`, {
    object,
    faults,
    hint: "leave these fields out, give them the values they have, or apply with force to take them over",
  });
}

function owner(conflict: FieldConflict): string {
  const part = conflict.subresource === "" ? "" : ` with subresource "${conflict.subresource}"`;
  return `conflict with "${conflict.manager}"${part} using ${conflict.apiVersion}`;
}

/** Write-only fields folded, what can't be applied left out. */
function normalized(applied: AnyObject, kind: KindDefinition, subresource: string): AnyObject {
  const draft = cloneJson(applied) as unknown as Draft;
  kind.fold?.(draft);
  const { metadata, ...rest } = draft as unknown as AnyObject;
  const meta = without(metadata, "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields");
  const object: AnyObject = {
    ...(rest as unknown as AnyObject),
    metadata: without(meta, "deletionTimestamp", "deletionGracePeriodSeconds"),
  };
  if (!kind.hasStatus) return object;
  if (subresource === "") return without(object, "status") as AnyObject;
  const { apiVersion, kind: name } = object;
  return { apiVersion, kind: name, metadata: object.metadata, status: object["status"] };
}

/** `base` with `wanted` in it, and without what the manager owned and nobody owns now. */
function merged(
  base: AnyObject,
  wanted: AnyObject,
  kind: KindDefinition,
  owned: FieldSet | undefined,
  stillOwned: FieldSet,
): AnyObject {
  let object = mergeApplied(base, wanted, kind.schema);
  if (owned !== undefined) object = withoutFields(object, owned, withIdentity(stillOwned), kind.schema);
  return withoutStaleMembers(object, stillOwned, kind.schema) as AnyObject;
}

/** Metadata as a whole never goes, whoever owns labels in it. */
function withIdentity(fields: FieldSet): FieldSet {
  return union(fields, { "f:metadata": { ".": {} } });
}

function allOf(entries: readonly ManagedFieldsEntry[], fields: FieldSet): FieldSet {
  return entries.reduce<FieldSet>((all, entry) => union(all, entry.fieldsV1), fields);
}

/** What a manager updated (`scale`, `rollout undo`) is its own: its next apply says what holds. Kubernetes has a conflict here. */
function isSameManager(entry: ManagedFieldsEntry, manager: string): boolean {
  return entry.manager === manager && entry.operation === "Update";
}

function conflictOf(entry: ManagedFieldsEntry, touched: FieldSet): readonly FieldConflict[] {
  const fields = intersection(entry.fieldsV1, touched);
  if (isEmptySet(fields)) return [];
  const { manager, apiVersion, operation, subresource = "" } = entry;
  return [{ manager, apiVersion, operation, subresource, fields: pathsOf(fields) }];
}

import { difference, leafPathsOf, type FieldSet } from "./field-set.js";
import { sameJson } from "./json.js";
import { isEntryOf } from "./managed-fields.js";
import type { AnyObject, ManagedFieldsEntry } from "./object.js";
import { compareFields } from "./owned-fields.js";
import { kindOf } from "./registry.js";

/** What was changed from one state of an object to the next, and by whom as far as its managedFields say. */
export interface ObjectChange {
  /** `spec.replicas`, `spec.template.spec.containers[name="web"].image`; without what the server counts by itself. */
  readonly added: readonly string[];
  readonly modified: readonly string[];
  readonly removed: readonly string[];
  /** The managers whose entries this change made or renewed. */
  readonly writers: readonly ManagedFieldsEntry[];
}

export function changeOf(before: AnyObject, after: AnyObject): ObjectChange {
  const changes = compareFields(before, after, kindOf(after).schema);
  const paths = (fields: FieldSet): readonly string[] =>
    leafPathsOf(difference(fields, counted)).map((path) => path.replace(/^\./, ""));
  return {
    added: paths(changes.added),
    modified: paths(changes.modified),
    removed: paths(changes.removed),
    writers: writersOf(before, after),
  };
}

/**
 * Of the entries that are new or renewed. An entry that only lost fields to another manager is neither: it has kept its time.
 * Controllers have no entries, and a second change within a second renews none, so there may be no writer.
 */
export function writersOf(before: AnyObject | undefined, after: AnyObject): readonly ManagedFieldsEntry[] {
  const known = before?.metadata.managedFields ?? [];
  return (after.metadata.managedFields ?? []).filter((entry) => {
    const { operation, manager, subresource = "" } = entry;
    const own = known.find((one) => isEntryOf(one, operation, manager, subresource));
    return own === undefined || own.time !== entry.time || gained(own, entry);
  });
}

function gained(own: ManagedFieldsEntry, entry: ManagedFieldsEntry): boolean {
  return !sameJson(difference(entry.fieldsV1, own.fieldsV1), {});
}

const counted: FieldSet = {
  "f:metadata": { "f:resourceVersion": {}, "f:generation": {}, "f:managedFields": {} },
};

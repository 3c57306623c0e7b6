import { isEmptySet, pathsOf, type FieldSet } from "../src/api/field-set.js";
import type { KindDefinition } from "../src/api/kind.js";
import type { AnyObject, ManagedFieldsEntry } from "../src/api/object.js";
import { kinds } from "../src/api/registry.js";
import { parseLabelSelector } from "../src/api/selector.js";
import { IkadaError } from "../src/base/errors.js";
import { namespaceFor, shortName, type Session } from "./session.js";
import type { PlacedObject } from "./placed-object.js";

/** An object that an earlier apply made and that the manifests no longer name. */
export interface Prunable {
  readonly kind: KindDefinition;
  readonly object: AnyObject;
  /** `deployment.apps/web` */
  readonly name: string;
}

export interface Pruning {
  readonly doomed: readonly Prunable[];
  /** Left alone, each with the reason, for people. */
  readonly spared: readonly { readonly name: string; readonly why: string }[];
}

/** @throws IkadaError BadRequest for a selector that would name everything */
export function checkPruneSelector(selector: string | undefined): void {
  if (selector !== undefined && (parseLabelSelector(selector).matchExpressions ?? []).length > 0) return;
  throw new IkadaError("BadRequest", "--prune needs -l LABELS, which say what belongs to these manifests", {
    hint: "give all of them one label, for example app.kubernetes.io/part-of, and name it with -l",
  });
}

/**
 * Never pruned: a Namespace takes everything in it along, whoever made that; Nodes and Events are made by the cluster.
 */
const neverPruned: ReadonlySet<string> = new Set(["Namespace", "Node", "Event"]);

/**
 * What `apply --prune` would delete: of the objects that match the selector, in the Namespaces of the manifests, those that
 * this manager applied, nobody else has a part in, and no manifest names.
 */
export async function findPrunable(
  session: Session,
  named: readonly PlacedObject[],
  { selector, manager }: { readonly selector: string; readonly manager: string },
): Promise<Pruning> {
  const { client, signal, deadlineMs } = session;
  const kept = new Set(named.map(({ kind, object }) => identity(kind, object)));
  const namespaces = new Set(named.flatMap(({ object }) => object.metadata.namespace ?? []));
  const doomed: Prunable[] = [];
  const spared: { name: string; why: string }[] = [];
  for (const kind of kinds) {
    if (neverPruned.has(kind.kind)) continue;
    for (const namespace of kind.namespaced ? namespaces : [""]) {
      const scope = { namespace: namespaceFor(kind, namespace), labelSelector: selector, signal, deadlineMs };
      for await (const object of client.list(kind, scope)) {
        if (kept.has(identity(kind, object)) || !wasApplied(object, manager)) continue;
        const name = shortName(kind, object.metadata.name);
        const why = whySpared(object, manager);
        if (why === undefined) doomed.push({ kind, object, name });
        else spared.push({ name, why });
      }
    }
  }
  return { doomed, spared };
}

function identity(kind: KindDefinition, { metadata }: AnyObject): string {
  return JSON.stringify([kind.group, kind.kind, metadata.namespace ?? "", metadata.name]);
}

/** Whether this manager has applied it, as against: changed it, or is only named as the owner of a label's value. */
function wasApplied({ metadata }: AnyObject, manager: string): boolean {
  return (metadata.managedFields ?? []).some(
    (entry) => entry.operation === "Apply" && entry.manager === manager && isWhole(entry),
  );
}

/**
 * An object that someone else created, and that apply only joined, has fields of theirs outside of its metadata. So has one
 * that someone else has changed: whether they still need it, they have to say. Controllers own no fields.
 */
function whySpared({ metadata }: AnyObject, manager: string): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return "it is being deleted already";
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner) return `it belongs to ${owner.kind} ${owner.name}`;
  for (const entry of metadata.managedFields ?? []) {
    if (entry.manager === manager || !isWhole(entry)) continue;
    const { "f:metadata": _metadata, ...fields }: FieldSet = entry.fieldsV1;
    if (!isEmptySet(fields)) return `"${entry.manager}" has set ${pathsOf(fields).slice(0, 3).join(", ")} in it`;
  }
  return undefined;
}

/** Not about a subresource: whoever reports a status or scales has not made the object. */
function isWhole({ subresource }: ManagedFieldsEntry): boolean {
  return subresource === undefined || subresource === "";
}

import { sameJson, without } from "../api/json.js";
import { checkPreconditions } from "../api/preconditions.js";
import { kindOf } from "../api/registry.js";
import type { AnyObject } from "../api/object.js";

/**
 * `wanted` as it may be stored over `live`: identity and times stay those of `live`, the status too unless
 * `subresource` is "status" (then only the status is taken), and generation counts one up when the spec changed.
 * Gives `live` itself when nothing changed, so that nothing is written.
 * @throws IkadaError Conflict when `wanted` carries a uid or resourceVersion that is not that of `live`
 */
export function updatedObject<T extends AnyObject>(live: T, wanted: T, subresource: "" | "status" = ""): T {
  checkPreconditions(live, wanted.metadata);
  const merged = subresource === "status" ? withStatusOf(live, wanted) : withoutStatusOf(live, wanted);
  const { metadata } = live;
  const kept = {
    name: metadata.name,
    namespace: metadata.namespace,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    generation: nextGeneration(live, merged),
    creationTimestamp: metadata.creationTimestamp,
    deletionTimestamp: metadata.deletionTimestamp,
    deletionGracePeriodSeconds: metadata.deletionGracePeriodSeconds,
  };
  const known = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  const given = without(merged.metadata, "deletionTimestamp", "deletionGracePeriodSeconds");
  const updated = { ...merged, metadata: { ...given, ...known } } as unknown as T;
  return sameObject(live, updated) ? live : updated;
}

/** True when two objects differ at most in managedFields' times and their resourceVersion. */
export function sameObject(left: AnyObject, right: AnyObject): boolean {
  return sameJson(comparable(left), comparable(right));
}

function comparable(object: AnyObject): unknown {
  const { managedFields = [] } = object.metadata;
  const metadata = without(object.metadata, "resourceVersion");
  return { ...object, metadata: { ...metadata, managedFields: managedFields.map((entry) => without(entry, "time")) } };
}

/** Of a status update only the status counts, and of the metadata who manages what. */
function withStatusOf<T extends AnyObject>(live: T, wanted: T): T {
  const { managedFields } = wanted.metadata;
  const metadata = managedFields === undefined ? live.metadata : { ...live.metadata, managedFields };
  return withStatus({ ...live, metadata }, wanted["status"]);
}

function withoutStatusOf<T extends AnyObject>(live: T, wanted: T): T {
  return kindOf(live).hasStatus ? withStatus(wanted, live["status"]) : wanted;
}

function withStatus<T extends AnyObject>(object: T, status: unknown): T {
  const rest = without(object, "status");
  return (status === undefined ? rest : { ...rest, status }) as T;
}

/** Counts changes of what is wanted: everything but metadata and status. Kinds without a spec have none. */
function nextGeneration(live: AnyObject, after: AnyObject): number | undefined {
  if (live.metadata.generation === undefined) return undefined;
  return sameJson(live["spec"], after["spec"]) ? live.metadata.generation : live.metadata.generation + 1;
}

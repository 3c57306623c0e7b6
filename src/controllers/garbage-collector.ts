import type { AnyObject, OwnerReference } from "../api/object.js";
import { sameJson, without } from "../api/json.js";
import { kindOf, kinds } from "../api/registry.js";
import { groupKindOf } from "../api/kind.js";
import type { Changes } from "../objects/changes.js";
import { updateOrFinish } from "../objects/delete-object.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import { isEmpty, mergeChanges, noChanges } from "../objects/transaction.js";
import { objectsPerDecisionMax } from "./bounds.js";
import type { Controller, Decision, DecisionEvent, World } from "./controller.js";
import { deletion } from "./deletion.js";
import { isTerminating } from "./pod-state.js";

/**
 * Deletes what nobody owns any more, by ownerReferences, as Kubernetes' pkg/controller/garbagecollector: in the background
 * (dependents follow their owner), in the foreground (the owner waits for dependents that block it) and by orphaning.
 * The snapshot holds every object there is, so an owner that it does not show does not exist.
 */
export const garbageCollector: Controller = {
  name: "garbage-collector",
  wakes: concerned,
  keys: (snapshot) => kinds.flatMap((kind) => snapshot.list(groupKindOf(kind)).filter(isOfInterest).map(keyOfObject)),
  reconcile(key: ObjectKey, world: World): Decision {
    const object = world.snapshot.get(key.groupKind, key.namespace, key.name);
    if (object === undefined) return {};
    return releaseDependents(object, world) ?? collect(object, world) ?? {};
  },
};

const foreground = "foregroundDeletion";
const orphan = "orphan";

/** The part of an owner that is being deleted and holds on for its dependents' sake; undefined when it does not. */
function releaseDependents(object: AnyObject, { snapshot, now }: World): Decision | undefined {
  if (!isTerminating(object)) return undefined;
  const dependents = snapshot.ownedBy(object.metadata.uid ?? "");
  if (holds(object, orphan)) {
    const some = dependents.slice(0, objectsPerDecisionMax);
    const released = some.map((dependent) => withoutOwner(dependent, [object.metadata.uid ?? ""]));
    const last = some.length === dependents.length ? updateOrFinish(withoutFinalizer(object, orphan)) : noChanges;
    return deciding([{ ...noChanges, updates: released }, last]);
  }
  if (!holds(object, foreground)) return undefined;
  const blocking = dependents.filter((dependent) => referenceTo(dependent, object)?.blockOwnerDeletion === true);
  if (blocking.length === 0) return deciding([updateOrFinish(withoutFinalizer(object, foreground))]);
  const open = dependents.filter((dependent) => !isTerminating(dependent)).slice(0, objectsPerDecisionMax);
  return deciding(open.flatMap((dependent) => changesFor(dependent, snapshot, now) ?? []));
}

function collect(object: AnyObject, { snapshot, now }: World): Decision | undefined {
  if (isTerminating(object)) return undefined;
  const owners = sortOwners(object, snapshot);
  const events = owners.misplaced.map((owner): DecisionEvent => ({
    object,
    type: "Warning",
    reason: "OwnerRefInvalidNamespace",
    message: `ownerRef [${owner.apiVersion}/${owner.kind}, name: ${owner.name}, uid: ${owner.uid}] does not exist in namespace "${object.metadata.namespace ?? ""}"`,
  }));
  const changes = changesFor(object, snapshot, now);
  return changes === undefined ? undefined : { ...deciding([changes]), events };
}

/** What becomes of an object for its owners' sake; undefined: nothing. */
function changesFor(object: AnyObject, snapshot: Snapshot, now: number): Changes | undefined {
  const { solid, waiting, dangling } = sortOwners(object, snapshot);
  if (waiting.length + dangling.length === 0) return undefined;
  if (solid.length > 0) {
    const gone = [...waiting, ...dangling].map((owner) => owner.uid);
    return { ...noChanges, updates: [withoutOwner(object, gone)] };
  }
  const ownsOthers = snapshot.ownedBy(object.metadata.uid ?? "").length > 0;
  if (waiting.length > 0 && ownsOthers) return deletion(object, now, "Foreground");
  return deletion(object, now);
}

interface Owners {
  /** There, and not waiting for its dependents. */
  readonly solid: readonly OwnerReference[];
  /** Being deleted in the foreground. */
  readonly waiting: readonly OwnerReference[];
  /** Not there, or there under another uid. */
  readonly dangling: readonly OwnerReference[];
  /** Those of the dangling ones that are there, but in another Namespace. */
  readonly misplaced: readonly OwnerReference[];
}

function sortOwners(object: AnyObject, snapshot: Snapshot): Owners {
  const owners = { solid: [] as OwnerReference[], waiting: [] as OwnerReference[], dangling: [] as OwnerReference[] };
  const misplaced: OwnerReference[] = [];
  for (const reference of object.metadata.ownerReferences ?? []) {
    const owner = snapshot.byUid(reference.uid);
    const reachable =
      owner !== undefined && (!kindOf(owner).namespaced || owner.metadata.namespace === object.metadata.namespace);
    if (owner !== undefined && !reachable) misplaced.push(reference);
    if (!reachable) owners.dangling.push(reference);
    else if (isTerminating(owner) && holds(owner, foreground)) owners.waiting.push(reference);
    else owners.solid.push(reference);
  }
  return { ...owners, misplaced };
}

function deciding(changes: readonly Changes[]): Decision {
  const merged = mergeChanges(changes);
  return isEmpty(merged) ? {} : { changes: merged };
}

function holds(object: AnyObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) === true;
}

function withoutFinalizer(object: AnyObject, finalizer: string): AnyObject {
  const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  const rest = without(object.metadata, "finalizers");
  return { ...object, metadata: finalizers.length > 0 ? { ...rest, finalizers } : rest };
}

function withoutOwner(object: AnyObject, uids: readonly string[]): AnyObject {
  const ownerReferences = (object.metadata.ownerReferences ?? []).filter((owner) => !uids.includes(owner.uid));
  const rest = without(object.metadata, "ownerReferences");
  return { ...object, metadata: ownerReferences.length > 0 ? { ...rest, ownerReferences } : rest };
}

function referenceTo(object: AnyObject, owner: AnyObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.uid === owner.metadata.uid);
}

function isOfInterest(object: AnyObject): boolean {
  return (object.metadata.ownerReferences ?? []).length > 0 || holds(object, orphan) || holds(object, foreground);
}

/** The object when its owners or what holds it changed; its dependents and owners when it goes. */
function concerned(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  snapshot: Snapshot,
): readonly ObjectKey[] {
  const object = now ?? before;
  if (object === undefined) return [];
  const keys: ObjectKey[] = [];
  const owners = (one: AnyObject | undefined): unknown => one?.metadata.ownerReferences ?? [];
  const turned = before === undefined || now === undefined || isTerminating(before) !== isTerminating(now);
  const heldElse = !sameJson(before?.metadata.finalizers ?? [], now?.metadata.finalizers ?? []);
  if (now !== undefined && isOfInterest(now) && (turned || heldElse || !sameJson(owners(before), owners(now))))
    keys.push(keyOfObject(now));
  if (now === undefined || before?.metadata.uid !== now.metadata.uid || turned || heldElse) {
    const uids = new Set([before?.metadata.uid, now?.metadata.uid]);
    for (const uid of uids) if (uid !== undefined) keys.push(...snapshot.ownedBy(uid).map(keyOfObject));
  }
  // An owner that waits for this one, or for the rest of a bounded step.
  if (before !== undefined)
    for (const { uid } of before.metadata.ownerReferences ?? []) {
      const owner = snapshot.byUid(uid);
      if (owner !== undefined && isTerminating(owner)) keys.push(keyOfObject(owner));
    }
  return keys;
}

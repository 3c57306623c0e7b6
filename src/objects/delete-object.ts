import { without } from "../api/json.js";
import { fencingLeaseMs } from "../api/kinds/fencing-lease.js";
import { groupKindOf, objectName } from "../api/kind.js";
import { kindOf } from "../api/registry.js";
import { textAt, valueAt } from "../api/path.js";
import { fromTimestamp, toTimestamp } from "../api/time.js";
import type { AnyObject, ObjectMeta } from "../api/object.js";
import { checkPreconditions } from "../api/preconditions.js";
import { IkadaError } from "../base/errors.js";
import type { Changes } from "./changes.js";
import { keyOfObject } from "./keys.js";
import { noChanges } from "./transaction.js";

export interface DeleteOptions {
  /** What happens to the objects it owns; Background when absent. */
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  /** Only of Pods: how long their containers may take to end; 0 removes the object at once. */
  readonly gracePeriodSeconds?: number;
  /** Preconditions. */
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export interface Deletion {
  readonly changes: Changes;
  /** As it still is while it terminates, or as it was when removed. */
  readonly object: AnyObject;
  readonly removed: boolean;
}

/**
 * What a delete request does to `live`, as in Kubernetes: an object that nothing holds is removed at once; finalizers,
 * a Pod's containers on their node, or a Namespace's contents hold it, and then it gets a deletionTimestamp and is
 * removed by whoever finishes last (see `finishesDeletion`). Repeating it is harmless; a shorter grace period counts.
 * @throws IkadaError Conflict when a precondition fails, Forbidden for Namespaces that must stay
 */
export function deleteObject(live: AnyObject, options: DeleteOptions, now: number): Deletion {
  checkPreconditions(live, options);
  if (groupKindOf(kindOf(live)) === "/Namespace") return deleteNamespace(live, now);
  const grace = graceSeconds(live, options);
  const finalizers = finalizersFor(live, options);
  const { metadata } = live;
  if (grace === 0 && finalizers.length === 0) return remove(live);
  const until = deletionTime(metadata, grace, now);
  const meta: ObjectMeta = {
    ...without(metadata, "finalizers"),
    ...(finalizers.length > 0 ? { finalizers } : {}),
    deletionTimestamp: until.timestamp,
    deletionGracePeriodSeconds: until.graceSeconds,
  };
  const unchanged =
    meta.deletionTimestamp === metadata.deletionTimestamp &&
    meta.deletionGracePeriodSeconds === metadata.deletionGracePeriodSeconds &&
    finalizers.join() === (metadata.finalizers ?? []).join();
  return unchanged ? { changes: noChanges, object: live, removed: false } : terminate(live, meta);
}

/**
 * What code that decides does to delete a Pod. Of one on a node the object stays until the agent has confirmed that its containers are gone,
 * even when its own grace period is 0: what the store no longer shows must not run.
 */
export function deletePod(live: AnyObject, options: DeleteOptions, now: number): Deletion {
  const own = valueAt(live, "spec", "terminationGracePeriodSeconds");
  const wanted = options.gracePeriodSeconds ?? (typeof own === "number" ? own : defaultGraceSeconds);
  return deleteObject(live, { ...options, gracePeriodSeconds: Math.max(1, wanted) }, now);
}

/** True when an object that terminates is held by nothing more and an update of it is to remove it instead. */
export function finishesDeletion(object: AnyObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  if (deletionTimestamp === undefined || finalizers.length > 0 || deletionGracePeriodSeconds > 0) return false;
  const held = groupKindOf(kindOf(object)) === "/Namespace" ? valueAt(object, "spec", "finalizers") : [];
  return !Array.isArray(held) || held.length === 0;
}

/** What storing `updated` means: its update, or its removal when it terminates and nothing holds it any more. */
export function updateOrFinish(updated: AnyObject): Changes {
  return finishesDeletion(updated) ? remove(updated).changes : { ...noChanges, updates: [updated] };
}

/** Namespaces that every cluster has. */
const lastingNamespaces = new Set(["default"]);

function deleteNamespace(live: AnyObject, now: number): Deletion {
  const { metadata } = live;
  const object = objectName(kindOf(live), metadata.name);
  if (lastingNamespaces.has(metadata.name))
    throw new IkadaError("Forbidden", `${object} may not be deleted`, {
      object,
      hint: "delete the objects in it instead",
    });
  const terminating: AnyObject = {
    ...live,
    metadata: {
      ...metadata,
      deletionTimestamp: metadata.deletionTimestamp ?? toTimestamp(now),
      deletionGracePeriodSeconds: 0,
    },
    status: { ...(live["status"] as object | undefined), phase: "Terminating" },
  };
  if (finishesDeletion(terminating)) return remove(live);
  if (metadata.deletionTimestamp !== undefined) return { changes: noChanges, object: live, removed: false };
  return { changes: { ...noChanges, updates: [terminating] }, object: terminating, removed: false };
}

/**
 * Kubernetes: a Pod that has no node or has ended waits for nobody. Other kinds have no grace. A Pod with a fencing lease is never removed at
 * once: what takes its place must not run beside it.
 */
function graceSeconds(live: AnyObject, options: DeleteOptions): number {
  if (groupKindOf(kindOf(live)) !== "/Pod" || textAt(live, ["spec", "nodeName"]) === "") return 0;
  const phase = textAt(live, ["status", "phase"]);
  if (phase === "Succeeded" || phase === "Failed") return 0;
  const own = valueAt(live, "spec", "terminationGracePeriodSeconds");
  const wanted = options.gracePeriodSeconds ?? (typeof own === "number" ? own : defaultGraceSeconds);
  return wanted < 0 || (wanted === 0 && fencingLeaseMs(live) !== undefined) ? 1 : wanted;
}

const defaultGraceSeconds = 30;

/** The propagation in Kubernetes' form: a finalizer that the garbage collector takes away when it is done. */
function finalizersFor(live: AnyObject, options: DeleteOptions): readonly string[] {
  const present = live.metadata.finalizers ?? [];
  const { propagation } = options;
  if (propagation === undefined) return present;
  const others = present.filter((name) => name !== "orphan" && name !== "foregroundDeletion");
  if (propagation === "Background") return others;
  return [...others, propagation === "Orphan" ? "orphan" : "foregroundDeletion"];
}

/** A later request may shorten the time that is left, never lengthen it. */
function deletionTime(metadata: ObjectMeta, grace: number, now: number): { timestamp: string; graceSeconds: number } {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = metadata;
  const wanted = { timestamp: toTimestamp(now + grace * 1000), graceSeconds: grace };
  if (deletionTimestamp === undefined) return wanted;
  if ((fromTimestamp(deletionTimestamp) ?? 0) <= now + grace * 1000)
    return { timestamp: deletionTimestamp, graceSeconds: Math.min(grace, deletionGracePeriodSeconds) };
  return wanted;
}

function terminate(live: AnyObject, metadata: ObjectMeta): Deletion {
  const { generation } = metadata;
  const counted = generation === undefined ? metadata : { ...metadata, generation: generation + 1 };
  const object: AnyObject = { ...live, metadata: counted };
  return { changes: { ...noChanges, updates: [object] }, object, removed: false };
}

function remove(live: AnyObject): Deletion {
  const { resourceVersion = "" } = live.metadata;
  const removes = [{ ...keyOfObject(live), resourceVersion }];
  return { changes: { ...noChanges, removes }, object: live, removed: true };
}

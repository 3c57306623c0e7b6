import type { AnyObject, Condition, ObjectMeta, OwnerReference } from "../api/object.js";
import type { Node } from "../api/kinds/core.js";
import { fencingLeaseMs } from "../api/kinds/fencing-lease.js";
import type { Pod } from "../api/kinds/pod.js";
import { keyOfObject } from "../objects/keys.js";
import { fromTimestamp, toTimestamp } from "../api/time.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";

/** What controllers read from Pods; pure questions. */

/** Its containers have ended for good. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

export function isTerminating(object: { readonly metadata: ObjectMeta }): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/** Counts as a replica: neither finished nor on its way out. */
export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && !isTerminating(pod);
}

export function condition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((one) => one.type === type);
}

export function isReady(pod: Pod): boolean {
  return condition(pod.status?.conditions, "Ready")?.status === "True";
}

/** The wall time from which an active Pod counts as available; undefined while it is not ready. */
export function availableFrom(pod: Pod, minReadySeconds: number): number | undefined {
  const ready = condition(pod.status?.conditions, "Ready");
  if (ready?.status !== "True" || !isActive(pod)) return undefined;
  if (minReadySeconds === 0) return 0;
  return (fromTimestamp(ready.lastTransitionTime ?? "") ?? 0) + minReadySeconds * 1000;
}

/** A container can't be started, or is not started again for a while because it keeps ending. */
export function isCrashing(pod: Pod): boolean {
  const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return containers.some(({ state }) => failures.has(state?.waiting?.reason ?? ""));
}

const failures = new Set([
  "CrashLoopBackOff",
  "ImagePullBackOff",
  "ErrImagePull",
  "ErrImageNeverPull",
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
]);

/** The owner that manages the object, of which there is at most one. */
export function controllerOf(object: { readonly metadata: ObjectMeta }): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

export function isControlledBy(
  object: { readonly metadata: ObjectMeta },
  owner: { readonly metadata: ObjectMeta },
): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

export function createdAt(object: { readonly metadata: ObjectMeta }): number {
  return fromTimestamp(object.metadata.creationTimestamp ?? "") ?? 0;
}

/**
 * When a Pod that is over ended, as far as that is known (Kubernetes' getFinishedTime): its last container, else since when it is not ready,
 * else when its deletion was asked for, else its creation. Milliseconds since 1970.
 */
export function finishedAt(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) =>
    fromTimestamp(state?.terminated?.finishedAt ?? ""),
  );
  const known = ends.filter((end) => end !== undefined);
  if (known.length > 0 && known.length === ends.length) return Math.max(...known);
  const ready = condition(pod.status?.conditions, "Ready");
  const unready = ready?.status === "False" ? fromTimestamp(ready.lastTransitionTime ?? "") : undefined;
  if (unready !== undefined) return unready;
  const { deletionTimestamp = "", deletionGracePeriodSeconds = 0 } = pod.metadata;
  const until = fromTimestamp(deletionTimestamp);
  return until === undefined ? createdAt(pod) : until - deletionGracePeriodSeconds * 1000;
}

export const unreachableTaint = "node.kubernetes.io/unreachable";
export const notReadyTaint = "node.kubernetes.io/not-ready";

/** The node is gone, or its Pods are being evicted because it does not answer or says that it cannot run them. */
export function isLostNode(node: Node | undefined): boolean {
  return (
    node === undefined ||
    (node.spec.taints ?? []).some(
      (taint) => taint.effect === "NoExecute" && (taint.key === unreachableTaint || taint.key === notReadyTaint),
    )
  );
}

/**
 * Whether its containers run under a fencing lease: then the Pod is there until its agent has confirmed their end, or the lease has
 * ended for certain, and nothing takes its place before.
 */
export function isLeased(pod: Pod): boolean {
  return fencingLeaseMs(pod) !== undefined && (pod.spec.nodeName ?? "") !== "" && !isFinished(pod);
}

/**
 * Whether the Pod may have containers that count against replicas + maxSurge: it is not finished, and when it is
 * terminating, its agent has not yet confirmed the end (the object would be gone). Terminating Pods on lost
 * nodes are left out: nobody can confirm their end, and replacing them at once is the point of evicting them.
 * That is the one case in which an engine, behind a partition, may hold more; not for Pods with a fencing lease.
 */
export function mayRun(pod: Pod, snapshot: Snapshot): boolean {
  if (isFinished(pod)) return false;
  if (!isTerminating(pod) || isLeased(pod)) return true;
  const nodeName = pod.spec.nodeName ?? "";
  return nodeName !== "" && !isLostNode(snapshot.get<Node>("/Node", "", nodeName));
}

/** The Pod, marked as ended by something other than itself: Jobs tell such failures from those of their programs. */
export function disrupted(pod: Pod, reason: string, message: string, now: number): Pod {
  const others = (pod.status?.conditions ?? []).filter((one) => one.type !== "DisruptionTarget");
  const target: Condition = {
    type: "DisruptionTarget",
    status: "True",
    reason,
    message,
    lastTransitionTime: toTimestamp(now),
  };
  return { ...pod, status: { ...pod.status, conditions: [...others, target] } };
}

/** Namespaces that are being emptied take no new objects. */
export function isNamespaceOpen(snapshot: Snapshot, name: string): boolean {
  const namespace = snapshot.get("/Namespace", "", name);
  return namespace === undefined || !isTerminating(namespace);
}

/** For what is created in a Namespace: refused when the Namespace starts to be deleted meanwhile. */
export function namespaceGuard(
  snapshot: Snapshot,
  name: string,
): readonly (ObjectKey & { readonly resourceVersion: string })[] {
  const namespace = snapshot.get("/Namespace", "", name);
  if (namespace === undefined) return [];
  return [{ groupKind: "/Namespace", namespace: "", name, resourceVersion: namespace.metadata.resourceVersion ?? "" }];
}

/** What a decision was made from, to be refused when it has changed meanwhile. */
export function decidedFrom(object: {
  readonly metadata: ObjectMeta;
}): ObjectKey & { readonly resourceVersion: string } {
  return { ...keyOfObject(asObject(object)), resourceVersion: object.metadata.resourceVersion ?? "" };
}

export function asObject(object: { readonly metadata: ObjectMeta }): AnyObject {
  return object as unknown as AnyObject;
}

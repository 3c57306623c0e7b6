import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../api/kinds/apps.js";
import type { Node } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import { sameJson } from "../api/json.js";
import type { AnyObject, ObjectMeta } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import { matchesSelector } from "../api/selector.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import { controllerOf, isLostNode } from "./pod-state.js";
import { splitPodName } from "./stateful-pods.js";

/** Which workloads a change of an object concerns. */

/** The Deployment itself, of its sets, and of their Pods. */
export function deploymentsOf(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  snapshot: Snapshot,
): readonly ObjectKey[] {
  return concerning(before, now, (object) => {
    switch (groupKindOfObject(object)) {
      case "apps/Deployment":
        return [keyOfObject(object)];
      case "apps/ReplicaSet":
        return deploymentsOfSet(object as unknown as ReplicaSet, snapshot);
      case "/Pod":
        return setsOfPod(object as unknown as Pod, snapshot).flatMap((set) => deploymentsOfSet(set, snapshot));
      case "/Node":
        return podsOfNodeThatTurned(before, now, snapshot).flatMap((pod) =>
          setsOfPod(pod, snapshot).flatMap((set) => deploymentsOfSet(set, snapshot)),
        );
      default:
        return [];
    }
  });
}

/** The set itself, those of the same Deployment (they share its bounds), and of their Pods. */
export function replicaSetsOf(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  snapshot: Snapshot,
): readonly ObjectKey[] {
  return concerning(before, now, (object) => {
    switch (groupKindOfObject(object)) {
      case "apps/ReplicaSet":
        return [keyOfObject(object), ...siblings(object as unknown as ReplicaSet, snapshot).map(keyOf)];
      case "/Pod":
        return setsOfPod(object as unknown as Pod, snapshot).flatMap((set) => siblings(set, snapshot).map(keyOf));
      case "/Node":
        return podsOfNodeThatTurned(before, now, snapshot).flatMap((pod) =>
          setsOfPod(pod, snapshot).flatMap((set) => siblings(set, snapshot).map(keyOf)),
        );
      default:
        return [];
    }
  });
}

/** The set itself, of its Pods and revisions, and of Pods that have a name it would give. */
export function statefulSetsOf(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  snapshot: Snapshot,
): readonly ObjectKey[] {
  return concerning(before, now, (object) => {
    if (groupKindOfObject(object) === "apps/StatefulSet") return [keyOfObject(object)];
    const keys = managersOf(object, "StatefulSet", snapshot);
    if (groupKindOfObject(object) !== "/Pod" || keys.length > 0) return keys;
    const parent = splitPodName(object.metadata.name)?.parent ?? "";
    const set = snapshot.get("apps/StatefulSet", object.metadata.namespace ?? "", parent);
    return set === undefined ? [] : [keyOfObject(set)];
  });
}

/** The set itself, of its Pods and revisions; all when a node came, went or changed what it takes. */
export function daemonSetsOf(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  snapshot: Snapshot,
): readonly ObjectKey[] {
  return concerning(before, now, (object) => {
    switch (groupKindOfObject(object)) {
      case "apps/DaemonSet":
        return [keyOfObject(object)];
      case "/Node":
        return sameTaker(before as Node | undefined, now as Node | undefined)
          ? []
          : snapshot.list("apps/DaemonSet").map(keyOfObject);
      default:
        return managersOf(object, "DaemonSet", snapshot);
    }
  });
}

/** What decides whether a node takes a Pod is the same. */
function sameTaker(before: Node | undefined, now: Node | undefined): boolean {
  if (before === undefined || now === undefined) return false;
  const traits = ({ metadata, spec }: Node): unknown => [metadata.labels, spec, metadata.deletionTimestamp];
  return before.metadata.uid === now.metadata.uid && sameJson(traits(before), traits(now));
}

/** The set of a kind that manages a Pod or revision, or when nothing does those that would take it. */
function managersOf(object: AnyObject, kind: "StatefulSet" | "DaemonSet", snapshot: Snapshot): readonly ObjectKey[] {
  const groupKind = groupKindOfObject(object);
  if (groupKind !== "/Pod" && groupKind !== "apps/ControllerRevision") return [];
  const owner = controllerOf(object);
  const namespace = object.metadata.namespace ?? "";
  if (owner?.kind === kind) return [{ groupKind: `apps/${kind}`, namespace, name: owner.name }];
  if (owner !== undefined) return [];
  return snapshot
    .list<StatefulSet | DaemonSet>(`apps/${kind}`, namespace)
    .filter(({ spec }) => matchesSelector(spec.selector, object.metadata.labels ?? {}))
    .map(keyOf);
}

/** The sets with the same controller, this one among them; only itself when it has none. */
export function siblings<T extends { readonly metadata: ObjectMeta } = ReplicaSet>(
  set: T,
  snapshot: Snapshot,
): readonly T[] {
  const owner = controllerOf(set);
  if (owner === undefined) return [set];
  return snapshot
    .ownedBy<T>(owner.uid, "apps/ReplicaSet")
    .filter((sibling) => controllerOf(sibling)?.uid === owner.uid);
}

function concerning(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  keys: (object: AnyObject) => readonly ObjectKey[],
): readonly ObjectKey[] {
  return [...(before ? keys(before) : []), ...(now ? keys(now) : [])];
}

function deploymentsOfSet(set: ReplicaSet, snapshot: Snapshot): readonly ObjectKey[] {
  const owner = controllerOf(set);
  const namespace = set.metadata.namespace ?? "";
  if (owner?.kind === "Deployment") return [{ groupKind: "apps/Deployment", namespace, name: owner.name }];
  if (owner !== undefined) return [];
  return snapshot
    .list<Deployment>("apps/Deployment", namespace)
    .filter((deployment) => matchesSelector(deployment.spec.selector, set.metadata.labels ?? {}))
    .map(keyOf);
}

function setsOfPod(pod: Pod, snapshot: Snapshot): readonly ReplicaSet[] {
  const owner = controllerOf(pod);
  const namespace = pod.metadata.namespace ?? "";
  if (owner?.kind === "ReplicaSet") {
    const set = snapshot.get<ReplicaSet>("apps/ReplicaSet", namespace, owner.name);
    return set === undefined ? [] : [set];
  }
  if (owner !== undefined) return [];
  return snapshot
    .list<ReplicaSet>("apps/ReplicaSet", namespace)
    .filter((set) => matchesSelector(set.spec.selector, pod.metadata.labels ?? {}));
}

/** Whether terminating Pods count depends on whether their node is lost: the node's Pods, when that turned. */
function podsOfNodeThatTurned(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  snapshot: Snapshot,
): readonly Pod[] {
  if (isLostNode(before as Node | undefined) === isLostNode(now as Node | undefined)) return [];
  const name = (now ?? before)?.metadata.name ?? "";
  return snapshot.podsOnNode<Pod>(name);
}

function keyOf(object: { readonly metadata: ObjectMeta }): ObjectKey {
  return keyOfObject(object as unknown as AnyObject);
}

import type { Job } from "../api/kinds/batch.js";
import type { Node } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import { fromTimestamp, toTimestamp } from "../api/time.js";
import { updateOrFinish } from "../objects/delete-object.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import { isEmpty, mergeChanges } from "../objects/transaction.js";
import { objectsPerDecisionMax } from "./bounds.js";
import type { Controller, Decision, World } from "./controller.js";
import { removal } from "./deletion.js";
import { removeFenced } from "./fencing.js";
import { isTracked, replacesEndedOnly } from "./job-view.js";
import {
  asObject,
  condition,
  controllerOf,
  createdAt,
  disrupted,
  isFinished,
  isLeased,
  isTerminating,
} from "./pod-state.js";
import { earliest } from "./set-view.js";
import type { ControllerSettings } from "./settings.js";

/**
 * Takes Pods out of the store that nobody will confirm the end of (Kubernetes' pkg/controller/podgc): those of deleted
 * nodes, those of ReplicaSets and Jobs that were evicted from an unreachable node long enough ago, those that were deleted before
 * they got a node, and finished ones above a number. Of both kinds of nodes those with a fencing lease, whoever owns them, when it has ended.
 */
export function podGarbageController(settings: ControllerSettings): Controller {
  return {
    name: "pod-garbage",
    wakes: podsConcerned,
    keys: (snapshot) => [everything, ...nodesInUse(snapshot)],
    reconcile(key: ObjectKey, world: World): Decision {
      return key.groupKind === "/Node" ? ofNode(key.name, world, settings) : surplus(world, settings);
    },
  };
}

/** Stands for all Pods together. */
const everything: ObjectKey = { groupKind: "/Pod", namespace: "", name: "" };

function ofNode(name: string, world: World, settings: ControllerSettings): Decision {
  const { snapshot, now } = world;
  const node = snapshot.get<Node>("/Node", "", name);
  const pods = snapshot.podsOnNode<Pod>(name);
  const leased = pods.filter(isLeased);
  const unleased = pods.filter((pod) => !isLeased(pod));
  const remove = (gone: readonly Pod[]): Decision => removing(gone, now);
  if (node === undefined) return both(remove(unleased), removeFenced(leased, world, remove));
  const ready = condition(node.status?.conditions, "Ready");
  if (ready?.status !== "Unknown") return {};
  const unreachableSince = fromTimestamp(ready.lastTransitionTime ?? "") ?? now;
  const due: Pod[] = [];
  let wakeAt: number | undefined;
  for (const pod of pods) {
    if (!isTerminating(pod) || isLeased(pod) || !isReplacedMeanwhile(pod, snapshot)) continue;
    const at = Math.max(unreachableSince, terminatingSince(pod, now)) + settings.podForceRemoveMs;
    if (at <= now) due.push(pod);
    else wakeAt = earliest(wakeAt, at);
  }
  const forced = { ...remove(due), ...(wakeAt === undefined ? {} : { wakeAt }) };
  return both(forced, removeFenced(leased.filter(isTerminating), world, remove));
}

function both(left: Decision, right: Decision): Decision {
  const changes = mergeChanges([left, right].flatMap(({ changes: some }) => some ?? []));
  const wakeAt = earliest(left.wakeAt, right.wakeAt);
  return {
    ...(isEmpty(changes) ? {} : { changes }),
    ...(wakeAt === undefined ? {} : { wakeAt }),
    events: [...(left.events ?? []), ...(right.events ?? [])],
  };
}

/** Its owner does not wait for its end. A Job may be told to (podReplacementPolicy). */
function isReplacedMeanwhile(pod: Pod, snapshot: Snapshot): boolean {
  const owner = controllerOf(pod);
  if (owner?.kind !== "Job") return owner?.kind === "ReplicaSet";
  const job = snapshot.get<Job>("batch/Job", pod.metadata.namespace ?? "", owner.name);
  return job?.metadata.uid !== owner.uid || !replacesEndedOnly(job);
}

function surplus({ snapshot, now }: World, settings: ControllerSettings): Decision {
  const neverBound = snapshot
    .podsOnNode<Pod>("")
    .filter((pod) => isTerminating(pod) && ((pod.metadata.finalizers ?? []).length === 0 || isTracked(pod)));
  const finished = snapshot.list<Pod>("/Pod").filter((pod) => isFinished(pod) && !isTerminating(pod));
  const tooMany = [...finished]
    .sort((left, right) => createdAt(left) - createdAt(right))
    .slice(0, Math.max(0, finished.length - settings.terminatedPodsMax));
  return removing([...new Set([...neverBound, ...tooMany])], now);
}

/** A Pod that its Job has not counted yet is marked as ended, and goes when it is. */
function removing(pods: readonly Pod[], now: number): Decision {
  const changes = mergeChanges(
    pods
      .filter((pod) => !isTracked(pod) || !isMarked(pod))
      .slice(0, objectsPerDecisionMax)
      .map((pod) => (isTracked(pod) ? updateOrFinish(asObject(marked(pod, now))) : removal(asObject(pod)))),
  );
  return isEmpty(changes) ? {} : { changes };
}

function isMarked(pod: Pod): boolean {
  return isFinished(pod) && isTerminating(pod) && pod.metadata.deletionGracePeriodSeconds === 0;
}

/** Kubernetes' PodGC: what nobody will tell of any more has failed. */
function marked(pod: Pod, now: number): Pod {
  const ended = isFinished(pod) ? pod : disrupted(pod, "DeletionByPodGC", "PodGC: nobody can tell how it ended", now);
  const { deletionTimestamp = toTimestamp(now) } = pod.metadata;
  return {
    ...ended,
    metadata: { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: 0 },
    status: { ...ended.status, phase: isFinished(pod) ? (pod.status?.phase ?? "Failed") : "Failed" },
  };
}

function terminatingSince(pod: Pod, now: number): number {
  const end = fromTimestamp(pod.metadata.deletionTimestamp ?? "") ?? now;
  return end - (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000;
}

function nodesInUse(snapshot: Snapshot): readonly ObjectKey[] {
  const names = new Set(snapshot.list<Pod>("/Pod").map((pod) => pod.spec.nodeName ?? ""));
  return [...names].filter((name) => name !== "").map(nodeKey);
}

function nodeKey(name: string): ObjectKey {
  return { groupKind: "/Node", namespace: "", name };
}

function podsConcerned(before: AnyObject | undefined, now: AnyObject | undefined): readonly ObjectKey[] {
  const object = now ?? before;
  if (object === undefined) return [];
  if (groupKindOfObject(object) === "/Node") return [nodeKey(object.metadata.name)];
  if (groupKindOfObject(object) !== "/Pod") return [];
  const pod = object as unknown as Pod;
  const name = pod.spec.nodeName ?? "";
  const turned =
    now !== undefined && isFinished(pod) && (before === undefined || !isFinished(before as unknown as Pod));
  const keys: ObjectKey[] = [];
  if (turned || (name === "" && isTerminating(pod))) keys.push(everything);
  // The rest of a bounded removal, Pods that start to terminate, Pods bound by hand to a node that is not there.
  if (name !== "" && (before === undefined || now === undefined || isTerminating(pod))) keys.push(nodeKey(name));
  return keys;
}

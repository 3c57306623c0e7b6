import type { Deployment, ReplicaSet } from "../api/kinds/apps.js";
import type { Pod } from "../api/kinds/pod.js";
import type { Snapshot } from "../objects/snapshot.js";
import { deletionOrder } from "./deletion-order.js";
import { fencesOf } from "./deployment-plan.js";
import { availableFrom, controllerOf } from "./pod-state.js";
import { byAge } from "./revision.js";
import { earliest, viewSet, type SetView } from "./set-view.js";
import { siblings } from "./wakes.js";

/** What one ReplicaSet may do now. */
export interface Allowance {
  readonly view: SetView;
  readonly creates: number;
  readonly victims: readonly Pod[];
  /** Set when Pods were spared for being available; the time at which another may become available by waiting. */
  readonly wakeAt: number | undefined;
  /** Other sets of the Deployment that have Pods or should: what they do next would use the same room. */
  readonly rivals: readonly ReplicaSet[];
}

/**
 * Divides a Deployment's bounds among its ReplicaSets: at no instant more than replicas + maxSurge Pods that may run,
 * and no available Pod is taken away when that leaves fewer than replicas - maxUnavailable.
 *
 * The sizes of the sets keep these bounds already while nothing fails. This holds them when Pods fail, linger, or
 * are deleted by others while a rollout is under way. Every set comes to the same division from the same snapshot, and
 * a decision that uses room is refused when a rival has changed since, so that two sets never use the same room.
 */
export function allowanceOf(set: ReplicaSet, snapshot: Snapshot, now: number): Allowance {
  const owner = deploymentOf(set, snapshot);
  if (owner === undefined) return unbounded(viewSet(set, snapshot, now), snapshot);
  const replicas = owner.spec.replicas ?? 1;
  const { surge, unavailable } = fencesOf(owner);
  const oldestFirst = [...siblings(set, snapshot)].sort(byAge).map((sibling) => viewSet(sibling, snapshot, now));
  const view = oldestFirst.find((one) => one.set === set) ?? viewSet(set, snapshot, now);

  let room = replicas + surge - oldestFirst.reduce((count, one) => count + one.existing, 0);
  let creates = 0;
  for (const one of [...oldestFirst].reverse()) {
    const granted = Math.max(0, Math.min(room, missingOf(one)));
    room -= granted;
    if (one === view) creates = granted;
  }

  let spare = oldestFirst.reduce((count, one) => count + one.available, 0) - (replicas - unavailable);
  let victims: readonly Pod[] = [];
  let held = false;
  for (const one of oldestFirst) {
    const taken: Pod[] = [];
    for (const pod of surplusOf(one, snapshot)) {
      const from = availableFrom(pod, one.set.spec.minReadySeconds ?? 0);
      const isAvailable = from !== undefined && from <= now;
      if (isAvailable && spare <= 0) {
        if (one === view) held = true;
        continue;
      }
      if (isAvailable) spare -= 1;
      taken.push(pod);
    }
    if (one === view) victims = taken;
  }
  const wakeAt = held ? earliest(...oldestFirst.map((one) => one.nextAvailableAt)) : undefined;
  const rivals = oldestFirst.filter((one) => one !== view && (one.size > 0 || one.pods.length > 0));
  return { view, creates, victims, wakeAt, rivals: rivals.map((one) => one.set) };
}

function unbounded(view: SetView, snapshot: Snapshot): Allowance {
  return { view, creates: missingOf(view), victims: surplusOf(view, snapshot), wakeAt: undefined, rivals: [] };
}

/** Pods that the set may make for its size. A Pod with a fencing lease keeps its place until it is gone. */
function missingOf(view: SetView): number {
  return Math.max(0, view.size - view.active.length - view.leaving);
}

/** The Pods above the set's size, in the order in which they go. */
function surplusOf(view: SetView, snapshot: Snapshot): readonly Pod[] {
  const surplus = view.active.length - view.size;
  if (surplus <= 0) return [];
  return deletionOrder(view, snapshot).slice(0, surplus);
}

function deploymentOf(set: ReplicaSet, snapshot: Snapshot): Deployment | undefined {
  const owner = controllerOf(set);
  if (owner?.kind !== "Deployment") return undefined;
  const deployment = snapshot.get<Deployment>("apps/Deployment", set.metadata.namespace ?? "", owner.name);
  return deployment?.metadata.uid === owner.uid ? deployment : undefined;
}

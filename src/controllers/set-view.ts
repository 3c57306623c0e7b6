import type { ReplicaSet } from "../api/kinds/apps.js";
import type { Pod } from "../api/kinds/pod.js";
import type { Snapshot } from "../objects/snapshot.js";
import { availableFrom, isActive, isControlledBy, isLeased, isReady, isTerminating, mayRun } from "./pod-state.js";
import type { SetCounts } from "./rollout.js";

/** A ReplicaSet and its Pods, counted. From Pods, not from the set's status: one log entry earlier, and never stale. */
export interface SetView extends SetCounts {
  readonly set: ReplicaSet;
  readonly pods: readonly Pod[];
  /** Pods that are neither finished nor terminating. */
  readonly active: readonly Pod[];
  /** Terminating Pods whose place is not free yet: those with a fencing lease. */
  readonly leaving: number;
  readonly ready: number;
  /** When the next ready Pod will have been ready for minReadySeconds; undefined when none is waiting. */
  readonly nextAvailableAt: number | undefined;
}

export function viewSet(set: ReplicaSet, snapshot: Snapshot, now: number): SetView {
  const pods = snapshot.ownedBy<Pod>(set.metadata.uid ?? "", "/Pod").filter((pod) => isControlledBy(pod, set));
  const active = pods.filter(isActive);
  const size = set.spec.replicas ?? 1;
  // Before the set's controller has acted on its size, what is above it is not held but about to go.
  const acted = (set.status?.observedGeneration ?? 0) >= (set.metadata.generation ?? 0);
  return {
    set,
    pods,
    active,
    leaving: pods.filter((pod) => isTerminating(pod) && isLeased(pod)).length,
    size,
    held: acted ? Math.max(0, active.length - size) : 0,
    existing: pods.filter((pod) => mayRun(pod, snapshot)).length,
    ...readiness(set, active, now),
  };
}

/** How many of a set's active Pods are ready and available. */
export function readiness(
  set: ReplicaSet,
  active: readonly Pod[],
  now: number,
): Pick<SetView, "ready" | "available" | "nextAvailableAt"> {
  let available = 0;
  let nextAvailableAt: number | undefined;
  for (const pod of active) {
    const from = availableFrom(pod, set.spec.minReadySeconds ?? 0);
    if (from === undefined) continue;
    if (from <= now) available += 1;
    else nextAvailableAt = Math.min(from, nextAvailableAt ?? from);
  }
  return { ready: active.filter(isReady).length, available, nextAvailableAt };
}

/** The earliest of times that may be missing. */
export function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

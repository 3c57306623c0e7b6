import type { StatefulSet } from "../api/kinds/apps.js";
import type { Pod } from "../api/kinds/pod.js";
import { revisionLabel } from "./history.js";
import { createdAt, isFinished, isTerminating } from "./pod-state.js";
import { amountOf } from "./rollout.js";
import { earliest } from "./set-view.js";
import { ordinalOf } from "./stateful-pods.js";

/**
 * What a StatefulSet does next: Kubernetes' pkg/controller/statefulset/stateful_set_control.go. Pods in, ordinals and Pods out; of
 * one ordinal there is at most one Pod, since it is only made when no object has its name.
 */

/** What the plan reads beside the set. */
export interface StatefulState {
  readonly set: StatefulSet;
  /** Its Pods, terminating and finished ones among them. */
  readonly pods: readonly Pod[];
  /** The label of Pods of the present template. */
  readonly update: string;
  /** Counts as available, now. */
  readonly isAvailable: (pod: Pod) => boolean;
  /** Nothing is gained by waiting for this Pod: its revision was never ready, or it crashes. */
  readonly isHopeless: (pod: Pod) => boolean;
  readonly now: number;
}

export interface StatefulPlan {
  /** Ordinals whose Pods are to be made. */
  readonly creates: readonly number[];
  readonly victims: readonly Pod[];
  /** Those of the victims for which Kubernetes would have waited. */
  readonly given: readonly Pod[];
  /** When a finished Pod may be replaced. */
  readonly wakeAt: number | undefined;
}

export function planStatefulSet(state: StatefulState): StatefulPlan {
  const draft = new Draft(state);
  if (!draft.fill()) return draft;
  if (!draft.shrink()) return draft;
  if (draft.creates.length + draft.victims.length === 0) draft.update();
  return draft;
}

/** Whether the Pods above the partition, counted from the first ordinal, follow the present template by themselves. */
export function revisionAt(set: StatefulSet, ordinal: number): "current" | "update" {
  const { type, rollingUpdate } = set.spec.updateStrategy ?? {};
  if (type === "OnDelete") return "update";
  return ordinal - startOf(set) < (rollingUpdate?.partition ?? 0) ? "current" : "update";
}

export function startOf({ spec }: StatefulSet): number {
  return spec.ordinals?.start ?? 0;
}

/** At least one: else an update would never begin. Percentages are rounded down, as in Kubernetes' code. */
export function unavailableMax({ spec }: StatefulSet): number {
  const count = amountOf(spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, spec.replicas ?? 1, Math.floor);
  return Math.max(1, count);
}

/** A Pod that ends as soon as it is made is made again no more often than this; Kubernetes sets no such limit. */
const finishedPauseMs = 10_000;

class Draft implements StatefulPlan {
  readonly creates: number[] = [];
  readonly victims: Pod[] = [];
  readonly given: Pod[] = [];
  wakeAt: number | undefined;
  readonly #state: StatefulState;
  readonly #ordered: boolean;
  /** By ordinal from the first; undefined where there is no Pod. */
  readonly #slots: readonly (Pod | undefined)[];
  /** Outside of the ordinals, the highest first. */
  readonly #condemned: readonly Pod[];

  constructor(state: StatefulState) {
    const { set, pods } = state;
    const start = startOf(set);
    const replicas = set.spec.replicas ?? 1;
    const byOrdinal = new Map(pods.map((pod) => [ordinalOf(pod), pod]));
    this.#state = state;
    this.#ordered = set.spec.podManagementPolicy !== "Parallel";
    this.#slots = Array.from({ length: replicas }, (_, at) => byOrdinal.get(start + at));
    this.#condemned = pods
      .filter((pod) => ordinalOf(pod) < start || ordinalOf(pod) >= start + replicas)
      .toSorted((left, right) => ordinalOf(right) - ordinalOf(left));
  }

  /** Makes the Pods that are missing and replaces those that have ended, in order. Says whether to go on. */
  fill(): boolean {
    const start = startOf(this.#state.set);
    for (const [at, pod] of this.#slots.entries()) {
      if (pod === undefined) this.creates.push(start + at);
      else if (isFinished(pod) && !isTerminating(pod)) this.#replaceFinished(pod);
      else if (this.#state.isAvailable(pod)) continue;
      else if (this.#ordered && this.#isOutdated(pod) && this.#state.isHopeless(pod)) this.#give(pod);
      if (this.#ordered) return false;
    }
    return true;
  }

  /** Takes away what is above the size, the highest ordinal first. Says whether to go on. */
  shrink(): boolean {
    // In order this is only reached when all others are available: then the lowest of these is the first that is not.
    const first = this.#condemned.findLast((pod) => !this.#state.isAvailable(pod));
    for (const pod of this.#condemned) {
      if (!isTerminating(pod)) {
        const waits = pod !== first && !this.#state.isAvailable(pod) && !isFinished(pod);
        if (!this.#ordered || !waits) this.victims.push(pod);
        else if (this.#state.isHopeless(pod)) this.#give(pod);
      }
      if (this.#ordered) return false;
    }
    return true;
  }

  /** Replaces Pods of other templates: those that are not available anyway, then as many as may be missing, from the highest down. */
  update(): void {
    const { set, isAvailable } = this.#state;
    if (set.spec.updateStrategy?.type === "OnDelete") return;
    let spare = unavailableMax(set) - this.#slots.filter((pod) => pod === undefined || !isAvailable(pod)).length;
    for (const pod of this.#slots.toReversed()) {
      if (pod === undefined || isTerminating(pod) || !this.#isOutdated(pod)) continue;
      if (isAvailable(pod)) {
        if (spare <= 0) continue;
        spare -= 1;
      }
      this.victims.push(pod);
    }
  }

  /** Above the partition and not of the present template. */
  #isOutdated(pod: Pod): boolean {
    const { set, update } = this.#state;
    return (
      !isTerminating(pod) &&
      set.spec.updateStrategy?.type !== "OnDelete" &&
      revisionAt(set, ordinalOf(pod)) === "update" &&
      pod.metadata.labels?.[revisionLabel] !== update
    );
  }

  #replaceFinished(pod: Pod): void {
    const at = createdAt(pod) + finishedPauseMs;
    if (at <= this.#state.now) this.victims.push(pod);
    else this.wakeAt = earliest(this.wakeAt, at);
  }

  #give(pod: Pod): void {
    this.victims.push(pod);
    this.given.push(pod);
  }
}

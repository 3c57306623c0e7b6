import type { IntOrString } from "../api/object.js";

/**
 * The arithmetic of a rollout: numbers in, numbers out. Kubernetes' (pkg/controller/deployment, util/deployment_util.go)
 * but for one point: Pods that are being terminated and are not gone yet count as existing. Kubernetes does not count
 * them (KEP-3973 calls that `TerminationStarted`), so that the engines may hold more than replicas + maxSurge Pods while
 * old ones shut down; we promise the bound at every instant, as the engines see it.
 */

/** How many Pods more, and how many available ones fewer, than `replicas` a rollout may have. */
export interface Fences {
  readonly surge: number;
  readonly unavailable: number;
}

export interface RollingUpdate {
  readonly maxSurge?: IntOrString;
  readonly maxUnavailable?: IntOrString;
}

/** Percentages round up for surge and down for unavailable; both 0 would never move, so unavailable is then 1. */
export function resolveFences(rolling: RollingUpdate | undefined, replicas: number): Fences {
  const surge = amountOf(rolling?.maxSurge ?? "25%", replicas, Math.ceil);
  const unavailable = amountOf(rolling?.maxUnavailable ?? "25%", replicas, Math.floor);
  const moving = surge === 0 && unavailable === 0 ? 1 : unavailable;
  return { surge, unavailable: Math.min(moving, replicas) };
}

/** One ReplicaSet in numbers. Lists of them are ordered oldest first. */
export interface SetCounts {
  /** spec.replicas. */
  readonly size: number;
  /** Pods that may have containers: active ones and terminating ones that are not known to be gone. */
  readonly existing: number;
  /** Active Pods that have been ready for minReadySeconds. */
  readonly available: number;
  /** Active Pods above the size that are kept because too few would be available without them. */
  readonly held: number;
}

/** The size the newest ReplicaSet may have now. Never below its present one. */
export function grownSize(
  target: { replicas: number; surge: number },
  newest: SetCounts,
  old: readonly SetCounts[],
): number {
  const room =
    target.replicas + target.surge - [newest, ...old].reduce((sum, set) => sum + Math.max(set.size, set.existing), 0);
  if (room <= 0) return newest.size;
  return newest.size + Math.max(0, Math.min(room, target.replicas - newest.size));
}

/**
 * The sizes the old ReplicaSets shrink to now: first what is not available anyway, then available Pods above
 * `replicas - unavailable`, both from the oldest on.
 */
export function shrunkSizes(
  target: { replicas: number; unavailable: number },
  newest: SetCounts,
  old: readonly SetCounts[],
): readonly number[] {
  const sizes = old.map((set) => set.size);
  // Held Pods count: else a set that was shrunk below what may be taken would stand in the way of its successors for ever.
  const total = sum([newest, ...old].map((set) => set.size + set.held));
  const availableMin = target.replicas - target.unavailable;
  const newUnavailable = Math.max(0, newest.size - newest.available);
  const shrinkMax = total - availableMin - newUnavailable;
  if (sum(sizes) === 0 || shrinkMax <= 0) return sizes;

  let left = shrinkMax;
  for (const [at, set] of old.entries()) {
    const unhealthy = Math.min(left, Math.max(0, sizes[at]! - set.available));
    sizes[at]! -= unhealthy;
    left -= unhealthy;
  }
  let spare = newest.available + old.reduce((count, set) => count + set.available, 0) - availableMin;
  for (const at of old.keys()) {
    const taken = Math.max(0, Math.min(sizes[at]!, spare));
    sizes[at]! -= taken;
    spare -= taken;
  }
  return sizes;
}

/** A ReplicaSet that takes part in proportional scaling. */
export interface ScaledSet {
  readonly size: number;
  /** Its annotation max-replicas: replicas + surge of the Deployment when the set was last scaled. */
  readonly annotatedMax: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/**
 * New sizes, in the order given, when a Deployment is resized in the middle of a rollout: each set gets its share
 * of the difference, and what rounding leaves goes to the largest (ties: the newer one growing, the older one shrinking).
 */
export function proportionalSizes(
  target: { replicas: number; surge: number },
  sets: readonly ScaledSet[],
): readonly number[] {
  const allowed = target.replicas > 0 ? target.replicas + target.surge : 0;
  const toAdd = allowed - sum(sets.map((set) => set.size));
  const order = [...sets.keys()].filter((at) => sets[at]!.size > 0);
  order.sort((left, right) => {
    const [a, b] = [sets[left]!, sets[right]!];
    return b.size - a.size || (toAdd > 0 ? b.createdAt - a.createdAt : a.createdAt - b.createdAt) || left - right;
  });
  const sizes = sets.map((set) => set.size);
  let added = 0;
  for (const at of order) {
    const share = shareOf(sets[at]!, target, toAdd, added);
    sizes[at]! += share;
    added += share;
  }
  const first = order[0];
  if (first !== undefined) sizes[first] = Math.max(0, sizes[first]! + toAdd - added);
  return sizes;
}

function shareOf(set: ScaledSet, target: { replicas: number; surge: number }, toAdd: number, added: number): number {
  if (toAdd === 0 || toAdd === added) return 0;
  const whole =
    target.replicas === 0
      ? -set.size
      : Math.floor((set.size * (target.replicas + target.surge)) / Math.max(1, set.annotatedMax) + 0.5) - set.size;
  return toAdd > 0 ? Math.min(whole, toAdd - added) : Math.max(whole, toAdd - added);
}

/** What a count or a percentage of the replicas comes to; 0 when it is neither. */
export function amountOf(value: IntOrString, replicas: number, round: (value: number) => number): number {
  const text = String(value);
  const percent = /^(\d+)%$/.exec(text);
  // Multiplied before it is divided: 0.07 * 100 is not 7 in floating point.
  if (percent) return round((Number(percent[1]) * replicas) / 100);
  return /^\d+$/.test(text) ? Number(text) : 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

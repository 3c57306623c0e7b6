import { tolerates } from "../api/toleration.js";
import type { PodClass } from "./pod-class.js";
import { weightOf } from "./resources.js";
import type { Room } from "./room.js";

/**
 * How well each room suits the next Pod of a class, higher is better: the weighted sum of Kubernetes' scores, each from 0
 * to 100 (TaintToleration 3, spreading 2, LeastAllocated 1, BalancedAllocation 1).
 */
export function scoreRooms(podClass: PodClass, rooms: readonly Room[]): readonly number[] {
  const unwanted = fewerIsBetter(rooms.map((room) => preferredAgainst(podClass, room)));
  const crowded = fewerIsBetter(rooms.map((room) => (podClass.owner === "" ? 0 : room.podsOf(podClass.owner))));
  return rooms.map((room, at) => {
    const { cpu, memory } = sharesAfter(podClass, room);
    const least = ((1 - cpu) * 100 + (1 - memory) * 100) / 2;
    const balanced = (1 - Math.abs(cpu - memory)) * 100;
    return 3 * (unwanted[at] ?? 0) + 2 * (crowded[at] ?? 0) + least + balanced;
  });
}

/** Taints that only prefer to have no Pod, and are not tolerated. */
function preferredAgainst({ tolerations }: PodClass, { node }: Room): number {
  return (node.spec.taints ?? []).filter(
    (taint) => taint.effect === "PreferNoSchedule" && !tolerations.some((toleration) => tolerates(toleration, taint)),
  ).length;
}

/** Counts to scores: 100 for none, 0 for the most. */
function fewerIsBetter(counts: readonly number[]): readonly number[] {
  const most = Math.max(0, ...counts);
  return counts.map((count) => (most === 0 ? 100 : ((most - count) * 100) / most));
}

/** The shares of cpu and memory that would be taken, 0 to 1. */
function sharesAfter(
  { requests }: PodClass,
  { offered, weight }: Room,
): { readonly cpu: number; readonly memory: number } {
  const more = weightOf(requests);
  const share = (taken: number, of: number): number => (of <= 0 ? 1 : Math.min(1, taken / of));
  return {
    cpu: share(weight.cpuMilli + more.cpuMilli, offered.cpuMilli),
    memory: share(weight.memoryBytes + more.memoryBytes, offered.memoryBytes),
  };
}

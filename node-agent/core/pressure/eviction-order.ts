import { podTotal, priorityOf, requestUnits, systemCriticalPriority } from "../../../src/api/kinds/pod-resources.js";
import type { Pod } from "../../../src/api/kinds/pod.js";
import { diskOf, totalOf, type DiskPart, type PodUsage } from "./pod-usage.js";
import type { Starved } from "./signals.js";

/** What is compared of two Pods. */
interface Rank {
  readonly uid: string;
  /** In use above what was asked for. Undefined: its use is not known. */
  readonly excess: number | undefined;
  /** More in use than asked for, or so much that it could not be measured to its end. */
  readonly exceeds: boolean;
  readonly priority: number;
}

/**
 * Who goes first (Kubernetes' pkg/kubelet/eviction/helpers.go): Pods that use more than they asked for, then those of lower priority, then those
 * that use more above their request. Of processes nobody can ask for any. One whose use is not known goes before those whose is.
 */
export function evictionOrder(
  candidates: readonly PodUsage[],
  starved: Starved,
  part: DiskPart = "all",
): readonly PodUsage[] {
  const ranks = new Map(candidates.map((usage) => [usage, rankOf(usage, starved, part)]));
  const rank = (usage: PodUsage): Rank => ranks.get(usage) as Rank;
  return [...candidates].sort((left, right) => compare(rank(left), rank(right), starved));
}

/** System Pods are spared whatever they use. */
export function isSpared(pod: Pod): boolean {
  return priorityOf(pod) >= systemCriticalPriority;
}

function compare(left: Rank, right: Rank, starved: Starved): number {
  const unknown = Number(right.excess === undefined) - Number(left.excess === undefined);
  const exceeds = starved === "pids" ? 0 : Number(right.exceeds) - Number(left.exceeds);
  const priority = left.priority - right.priority;
  const excess = (right.excess ?? 0) - (left.excess ?? 0);
  const first = starved === "pids" ? priority || unknown : unknown || exceeds || priority;
  return first || excess || (left.uid < right.uid ? -1 : 1);
}

function rankOf(usage: PodUsage, starved: Starved, part: DiskPart): Rank {
  const { used, isComplete } = useOf(usage, starved, part);
  const asked = starved === "memory" || starved === "ephemeral-storage" ? starved : undefined;
  const request = asked === undefined ? 0 : podTotal(usage.pod, (container) => requestUnits(container, asked));
  return {
    uid: usage.uid,
    excess: used === undefined ? undefined : used - request,
    exceeds: used === undefined || !isComplete || used > request,
    priority: priorityOf(usage.pod),
  };
}

function useOf(
  usage: PodUsage,
  starved: Starved,
  part: DiskPart,
): { readonly used: number | undefined; readonly isComplete: boolean } {
  if (starved === "memory") return { used: totalOf(usage, "memoryBytes"), isComplete: true };
  if (starved === "pids") return { used: totalOf(usage, "processes"), isComplete: true };
  const disk = diskOf(usage, part);
  return { used: starved === "inodes" ? disk.inodes : disk.bytes, isComplete: disk.isComplete };
}

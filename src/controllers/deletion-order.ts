import type { Pod } from "../api/kinds/pod.js";
import type { ObjectMeta } from "../api/object.js";
import { fromTimestamp } from "../api/time.js";
import type { Snapshot } from "../objects/snapshot.js";
import { condition, createdAt, isActive, isControlledBy, isReady } from "./pod-state.js";
import { siblings } from "./wakes.js";

/** Whatever has Pods: a ReplicaSet, or a Job. */
interface Owning {
  readonly set: { readonly metadata: ObjectMeta };
  readonly active: readonly Pod[];
}

/**
 * A set's active Pods, the first to be deleted first: Kubernetes' ActivePodsWithRanks (pkg/controller/controller_utils.go).
 * Times are compared by the logarithm of their age (KEP-2185), so that Pods of about the same age go by uid and not all
 * from the newest node.
 */
export function deletionOrder(view: Owning, snapshot: Snapshot): readonly Pod[] {
  const perNode = new Map<string, number>();
  for (const set of siblings(view.set, snapshot))
    for (const pod of snapshot.ownedBy<Pod>(set.metadata.uid ?? "", "/Pod"))
      if (isActive(pod) && isControlledBy(pod, set)) {
        const node = pod.spec.nodeName ?? "";
        perNode.set(node, (perNode.get(node) ?? 0) + 1);
      }
  // Ages against the newest time there is, not against the clock: the order then depends on the Pods alone.
  const latest = Math.max(0, ...view.active.map((pod) => Math.max(readySince(pod), createdAt(pod)))) + 1;
  const ranked = view.active.map((pod): Ranked => ({
    pod,
    rank: [
      (pod.spec.nodeName ?? "") === "" ? 0 : 1,
      phaseRank[pod.status?.phase ?? "Pending"] ?? 0,
      isReady(pod) ? 1 : 0,
      Number(pod.metadata.annotations?.["controller.kubernetes.io/pod-deletion-cost"] ?? 0) || 0,
      -(perNode.get(pod.spec.nodeName ?? "") ?? 0),
      isReady(pod) ? logBucket(latest - readySince(pod)) : 0,
      -restarts(pod),
      logBucket(latest - createdAt(pod)),
    ],
  }));
  ranked.sort(
    (left, right) =>
      compareRanks(left.rank, right.rank) || ((left.pod.metadata.uid ?? "") < (right.pod.metadata.uid ?? "") ? -1 : 1),
  );
  return ranked.map((one) => one.pod);
}

interface Ranked {
  readonly pod: Pod;
  /** Lower goes first, the first difference decides. */
  readonly rank: readonly number[];
}

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

function compareRanks(left: readonly number[], right: readonly number[]): number {
  for (const [at, rank] of left.entries()) if (rank !== right[at]) return rank - (right[at] ?? 0);
  return 0;
}

function readySince(pod: Pod): number {
  return fromTimestamp(condition(pod.status?.conditions, "Ready")?.lastTransitionTime ?? "") ?? 0;
}

function logBucket(ageMs: number): number {
  return Math.floor(Math.log2(Math.max(1, ageMs)));
}

/** The worst container counts, as in Kubernetes. */
function restarts(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));
}

import { fencingLeaseMs, fencingLeaseOverMs, isLeaseRevoked, leaseRevokedType } from "../api/kinds/fencing-lease.js";
import type { Pod } from "../api/kinds/pod.js";
import { toTimestamp } from "../api/time.js";
import { mergeChanges, noChanges } from "../objects/transaction.js";
import { objectsPerDecisionMax } from "./bounds.js";
import type { Decision, World } from "./controller.js";
import { deletion } from "./deletion.js";
import { asObject, isTerminating } from "./pod-state.js";
import { earliest } from "./set-view.js";

/**
 * For how many milliseconds more containers of the Pod may run under its fencing lease; 0: none does, by any clock. Undefined: servers may
 * still renew it, or this replica has not seen yet that they do not, so nothing is known.
 */
export function fencingLeaseLeftMs(pod: Pod, world: Pick<World, "leaseRevokedForMs">): number | undefined {
  const leaseMs = fencingLeaseMs(pod);
  if (leaseMs === undefined) return 0;
  const revokedForMs = isLeaseRevoked(pod) ? world.leaseRevokedForMs(pod.metadata.uid ?? "") : undefined;
  return revokedForMs === undefined ? undefined : Math.max(0, fencingLeaseOverMs(leaseMs) - revokedForMs);
}

/**
 * Takes Pods with fencing leases out of the store whose agent nobody hears of: first the leases are revoked, and each Pod is removed when its
 * own has ended for certain, by `remove`. Whatever follows it is made after that.
 */
export function removeFenced(pods: readonly Pod[], world: World, remove: (over: readonly Pod[]) => Decision): Decision {
  const { now } = world;
  const revoked = pods.filter((pod) => !isLeaseRevoked(pod)).slice(0, objectsPerDecisionMax / 2);
  const over: Pod[] = [];
  let wakeAt: number | undefined;
  for (const pod of pods) {
    const leftMs = fencingLeaseLeftMs(pod, world);
    if (leftMs === 0) over.push(pod);
    else if (leftMs !== undefined) wakeAt = earliest(wakeAt, now + Math.ceil(leftMs));
  }
  const changes = mergeChanges([
    ...revoked.map((pod) => revocation(pod, now)),
    remove(over.slice(0, objectsPerDecisionMax / 2)).changes ?? noChanges,
  ]);
  return {
    changes,
    ...(wakeAt === undefined ? {} : { wakeAt }),
    events: revoked.map((pod) => ({
      object: asObject(pod),
      type: "Warning",
      reason: "FencingLeaseRevoked",
      message: messageOf(pod),
    })),
  };
}

/** A Pod that was not to be deleted is from now on: it would never start again. */
function revocation(pod: Pod, now: number): ReturnType<typeof deletion> {
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== leaseRevokedType);
  const verdict = { type: leaseRevokedType, status: "True", reason: "NodeLost", message: messageOf(pod) } as const;
  const conditions = [...others, { ...verdict, lastTransitionTime: toTimestamp(now) }];
  const revoked = asObject({ ...pod, status: { ...pod.status, conditions } } as Pod);
  return isTerminating(pod) ? { ...noChanges, updates: [revoked] } : deletion(revoked, now);
}

function messageOf(pod: Pod): string {
  const seconds = Math.ceil(fencingLeaseOverMs(fencingLeaseMs(pod) ?? 0) / 1000);
  return `The agent of node ${pod.spec.nodeName} is not heard of; the Pod is replaced after ${seconds} s, when its containers have ended.`;
}

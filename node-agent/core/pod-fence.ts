import { allContainers } from "./container-role.js";
import type { LeaseView } from "./lease-book.js";
import type { Plan } from "./plan.js";
import type { PodRecord } from "./pod-record.js";
import { killAll, stopInOrder } from "./pod-removal.js";
import type { Decision, PodView } from "./pod-task.js";

const why = "its fencing lease ends";

/** The record with the time since when the Pod's lease keeps it from running; ends from then on are nobody's fault. */
export function withFence(record: PodRecord, lease: LeaseView | undefined, now: number): PodRecord {
  if (lease === undefined || lease.stopInMs > 0 || record.fencedSince !== undefined) return record;
  return { ...record, fencedSince: Number.isFinite(lease.stopInMs) ? now + lease.stopInMs : now };
}

/** The same once the lease is alive again, and nothing ends any more for its having run out. */
export function withoutFence(record: PodRecord, busy: PodView["busy"]): PodRecord {
  const ending = [...busy.keys()].some((slot) => slot.startsWith("stop/") || slot.startsWith("kill/"));
  return record.fencedSince === undefined || ending ? record : { ...record, fencedSince: undefined };
}

/** Ends all containers before the lease does, whatever else they were to do; they start again when it is renewed. */
export function planFence(plan: Plan, view: PodView, lease: LeaseView, record: PodRecord): Decision {
  const killAt = view.now + lease.killInMs;
  if (lease.killInMs > 0) {
    stopInOrder(plan, view, { killAt, graceMs: lease.killInMs, why });
    plan.wake(view.now + Math.ceil(lease.killInMs));
  } else killAll(plan, view, why);
  const message = "no server has renewed the Pod's fencing lease; its containers start again when one does";
  for (const { name } of view.pod === undefined ? [] : allContainers(view.pod))
    plan.wait(name, "FencingLeaseEnded", message);
  return { record, actions: plan.actions, wakeAt: plan.wakeAt, waiting: plan.waiting, gone: false };
}

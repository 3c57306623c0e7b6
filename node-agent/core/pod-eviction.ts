import type { Plan } from "./plan.js";
import type { Eviction, PodRecord } from "./pod-record.js";
import { isMaking, stopInOrder } from "./pod-removal.js";
import type { Decision, PodView } from "./pod-task.js";

/**
 * Ends an evicted Pod, which stays as a failed one: its containers end and are not started again, and what it holds of the machine is given
 * back: address, volumes, and its containers' files when the disk is what was short. Begins when the eviction is on disk: a next process of the
 * agent must not start what this one has ended.
 */
export function planEviction(plan: Plan, view: PodView, record: PodRecord, eviction: Eviction): Decision {
  const { graceMs, at, dropsContainers } = eviction;
  const killAt = Math.min(at, view.now) + graceMs;
  const ends = view.isEvictionSaved && !stopInOrder(plan, view, { killAt, graceMs, why: evictedWhy });
  if (ends && !isMaking(view)) {
    for (const info of view.observed)
      if (info.role === "sandbox" || dropsContainers || info.phase === "created")
        plan.act({ kind: "remove", slot: `remove/${info.id}`, containerId: info.id });
    if (view.volumes.present) plan.act({ kind: "remove-volumes", slot: "volumes" });
  }
  return { record, actions: plan.actions, wakeAt: plan.wakeAt, waiting: plan.waiting, gone: false };
}

export const evictedWhy = "its pod is evicted";

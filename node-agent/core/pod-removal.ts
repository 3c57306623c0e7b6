import type { Plan } from "./plan.js";
import type { PodRecord } from "./pod-record.js";
import type { Decision, PodView } from "./pod-task.js";

/** For containers whose Pod is not known any more: Kubernetes' default. */
export const unknownPodGraceMs = 30_000;

/**
 * Takes a Pod away: SIGTERM to all containers at once, SIGKILL after the grace, then the containers and last the sandbox are
 * removed. The grace counts from the first time this was asked for, also past restarts of the agent; a later order may only shorten it.
 */
export function planRemoval(plan: Plan, view: PodView, known: PodRecord): Decision {
  const terminatingSince = known.terminatingSince ?? view.now;
  const record: PodRecord = { ...known, terminatingSince };
  const graceMs = view.removalGraceMs ?? unknownPodGraceMs;
  // A wall clock that was set back must not make the grace longer.
  const killAt = Math.min(terminatingSince + graceMs, view.now + graceMs);
  const containers = view.observed.filter((info) => info.role === "container");
  for (const info of containers) {
    if (info.phase !== "running") continue;
    const stop = { kind: "stop", containerId: info.id, why: "its pod ends" } as const;
    const remainingMs = Math.max(0, killAt - view.now);
    const inFlight = view.busy.get(`stop/${info.id}`);
    if (inFlight === undefined) plan.act({ ...stop, slot: `stop/${info.id}`, graceMs: remainingMs });
    else if ((inFlight.killAt ?? 0) > killAt + graceToleranceMs) {
      plan.act({ ...stop, slot: `kill/${info.id}`, graceMs: remainingMs });
    }
  }
  const making = [...view.busy.keys()].some((slot) => slot === "sandbox" || slot.startsWith("container/"));
  const running = containers.some((info) => info.phase === "running");
  if (!running && !making) {
    const doomed = containers.length > 0 ? containers : view.observed;
    for (const info of doomed) plan.act({ kind: "remove", slot: `remove/${info.id}`, containerId: info.id });
  }
  return {
    record,
    actions: plan.actions,
    wakeAt: plan.wakeAt,
    waiting: plan.waiting,
    gone: view.observed.length === 0 && !making,
  };
}

/** The engine counts whole seconds. */
const graceToleranceMs = 1_000;

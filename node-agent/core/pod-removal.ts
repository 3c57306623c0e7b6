import type { Container, LifecycleHandler, Pod } from "../../src/api/kinds/pod.js";
import { sidecarsOf } from "./container-role.js";
import { afterHookGraceMsMin } from "./hooks.js";
import type { Plan } from "./plan.js";
import type { PodRecord } from "./pod-record.js";
import type { Decision, PodView } from "./pod-task.js";
import type { ContainerInfo } from "./runtime.js";

/** For containers whose Pod is not known any more: Kubernetes' default. */
export const unknownPodGraceMs = 30_000;

/**
 * Takes a Pod away: all containers are ended within the grace, then the containers and last the sandbox are removed. The grace counts
 * from the first time this was asked for, also past restarts of the agent; a later order may only shorten it.
 */
export function planRemoval(plan: Plan, view: PodView, known: PodRecord): Decision {
  const terminatingSince = known.terminatingSince ?? view.now;
  const record: PodRecord = { ...known, terminatingSince };
  const graceMs = view.removalGraceMs ?? unknownPodGraceMs;
  // A wall clock that was set back must not make the grace longer.
  const killAt = Math.min(terminatingSince + graceMs, view.now + graceMs);
  // While it ends the lease is renewed like before.
  const leaseMs = view.lease?.killInMs ?? Infinity;
  if (Number.isFinite(leaseMs) && leaseMs > 0) plan.wake(view.now + Math.ceil(leaseMs));
  const running =
    leaseMs > 0
      ? stopInOrder(plan, view, { killAt, graceMs, why: "its pod ends" })
      : killAll(plan, view, "its pod and its fencing lease end");
  const making = isMaking(view);
  if (!running && !making) {
    const containers = view.observed.filter((info) => info.role === "container");
    const doomed = containers.length > 0 ? containers : view.observed;
    for (const info of doomed) plan.act({ kind: "remove", slot: `remove/${info.id}`, containerId: info.id });
  }
  const emptied = view.observed.length === 0 && !making;
  const isForeign = view.pod !== undefined && view.lease?.epoch === 0;
  if (emptied && isForeign) plan.wake(view.now + foreignLookMs);
  if (emptied && view.volumes.present) plan.act({ kind: "remove-volumes", slot: "volumes" });
  return {
    record,
    actions: plan.actions,
    wakeAt: plan.wakeAt,
    waiting: plan.waiting,
    gone: emptied && !view.volumes.present && !isForeign,
  };
}

/** To ask again whether another instance of the node may still have containers of the Pod. */
const foreignLookMs = 1_000;

export interface Ending {
  /** Wall milliseconds: when what still runs is killed. */
  readonly killAt: number;
  /** The whole grace. */
  readonly graceMs: number;
  readonly why: string;
}

/**
 * Ends all containers that run: preStop hook, stop signal, SIGKILL at `killAt`. All at once but for the sidecars, which the others may need
 * to the last: they follow in reverse order, each when those after it have ended, and all of them when the grace is over. True while
 * one runs.
 */
export function stopInOrder(plan: Plan, view: PodView, { killAt, graceMs, why }: Ending): boolean {
  const running = view.observed.filter((info) => info.role === "container" && info.phase === "running");
  const order = view.pod === undefined ? [] : sidecarsOf(view.pod).map(({ name }) => name);
  const places = running.map(({ containerName }) => order.indexOf(containerName));
  const last = isMaking(view) ? Infinity : Math.max(...places.map((place) => (place < 0 ? Infinity : place)));
  const remainingMs = Math.max(0, killAt - view.now);
  for (const [at, info] of running.entries()) {
    const isSidecar = (places[at] ?? -1) >= 0;
    if (isSidecar && places[at] !== last && remainingMs > 0) {
      plan.wake(killAt);
      continue;
    }
    // One that had to wait for the others still gets a moment.
    const leastMs = isSidecar && graceMs > 0 ? afterHookGraceMsMin : 0;
    end(plan, view, info, { killAt, graceMs: Math.max(remainingMs, leastMs), why });
  }
  return running.length > 0;
}

/** At the last moment whatever had a grace, a hook or its turn has none. True while one runs. */
export function killAll(plan: Plan, view: PodView, why: string): boolean {
  const running = view.observed.filter(({ role, phase }) => role === "container" && phase === "running");
  for (const { id } of running) plan.act({ kind: "stop", slot: `kill/${id}`, containerId: id, graceMs: 0, why });
  return running.length > 0;
}

function end(plan: Plan, view: PodView, info: ContainerInfo, { killAt, graceMs, why }: Ending): void {
  const stop = { kind: "stop", containerId: info.id, graceMs, why } as const;
  const inFlight = view.busy.get(`stop/${info.id}`);
  if (inFlight === undefined) {
    const preStop = view.pod === undefined ? {} : preStopOf(view.pod, info.containerName, graceMs);
    plan.act({ ...stop, slot: `stop/${info.id}`, ...preStop });
  } else if ((inFlight.killAt ?? 0) > Math.max(killAt, view.now + graceMs) + graceToleranceMs) {
    plan.act({ ...stop, slot: `kill/${info.id}` });
  }
}

/** What comes before the stop signal, unless there is no grace for it. */
export function preStopOf(
  pod: Pod,
  name: string,
  graceMs: number,
): { readonly preStop?: { readonly container: Container; readonly handler: LifecycleHandler } } {
  const container = [...pod.spec.containers, ...sidecarsOf(pod)].find((one) => one.name === name);
  const handler = container?.lifecycle?.preStop;
  return container === undefined || handler === undefined || graceMs <= 0 ? {} : { preStop: { container, handler } };
}

/** Something of the Pod is being made at this moment. */
export function isMaking({ busy }: Pick<PodView, "busy">): boolean {
  return [...busy.keys()].some((slot) => slot === "sandbox" || /^(container|volume)\//.test(slot));
}

/** The engine counts whole seconds; a stop signal after a preStop hook gets two more at the end. */
const graceToleranceMs = 1_000;

import type { Pod } from "../../src/api/kinds/pod.js";
import { isCleanRun, restartDelayMs } from "./backoff.js";
import {
  newContainerRecord,
  nextAttempt,
  type ContainerExit,
  type ContainerRecord,
  type PodRecord,
} from "./pod-record.js";
import type { ContainerInfo } from "./runtime.js";

export interface Observation {
  readonly observed: readonly ContainerInfo[];
  readonly busy: ReadonlyMap<string, unknown>;
  /** Why a created container can't be started, by its id. */
  readonly startErrors: ReadonlyMap<string, string>;
  readonly now: number;
  /** The longest pause between restarts. */
  readonly restartMsMax: number;
  /** Since when the Pod's fencing lease has kept it from running, wall milliseconds; undefined: it does not. */
  readonly fencedSince?: number | undefined;
}

/**
 * Folds what the engine shows into the record: attempts only grow, an end is recorded once and with it when to restart.
 * The engine's labels win over the record, which may be older than the last crash of the agent.
 */
export function absorb(record: PodRecord, pod: Pod | undefined, seen: Observation): PodRecord {
  const names = new Set<string>();
  for (const container of [...(pod?.spec.initContainers ?? []), ...(pod?.spec.containers ?? [])]) {
    names.add(container.name);
  }
  for (const info of seen.observed) if (info.role === "container") names.add(info.containerName);
  const containers = Object.fromEntries(
    [...names].map((name) => [name, absorbContainer(record.containers[name], name, seen)]),
  );
  const sandboxes = seen.observed.filter((info) => info.role === "sandbox");
  const sandboxAttempt = Math.max(record.sandboxAttempt, ...sandboxes.map((info) => info.attempt));
  const sandboxCreated =
    (record.sandboxCreated && record.sandboxAttempt === sandboxAttempt) ||
    sandboxes.some((info) => info.attempt === sandboxAttempt);
  return { ...record, sandboxAttempt, sandboxCreated, containers };
}

function absorbContainer(known: ContainerRecord | undefined, name: string, seen: Observation): ContainerRecord {
  const infos = seen.observed.filter((info) => info.role === "container" && info.containerName === name);
  let record = known ?? newContainerRecord;
  const newest = Math.max(record.attempt, ...infos.map((info) => info.attempt));
  if (newest > record.attempt) {
    const { crashes, exit, previous } = record;
    record = { ...newContainerRecord, attempt: newest, crashes, previous: exit ?? previous };
  }
  const before = infos.find((info) => info.attempt === record.attempt - 1 && info.phase === "exited");
  if (record.previous === undefined && before) record = { ...record, previous: exitOf(before, seen.now) };
  const info = infos.find((one) => one.attempt === record.attempt);
  if (info && !record.created) record = { ...record, created: true, specHash: info.specHash };
  if (record.exit !== undefined) return record;
  const startError = info && seen.startErrors.get(info.id);
  if (info && startError !== undefined) return ended(record, startErrorExit(info, startError, seen.now), seen);
  if (info?.phase === "exited") return ended(record, exitOf(info, seen.now), seen);
  if (record.created && !info && !seen.busy.has(`container/${name}`)) return ended(record, vanished(seen.now), seen);
  return record;
}

/** The end of an attempt, and when the next one is due if there is to be one. */
function ended(record: ContainerRecord, exit: ContainerExit, seen: Observation): ContainerRecord {
  const { restartMsMax, fencedSince } = seen;
  // Neither a crash nor the end of its work, whatever it ended with.
  if (fencedSince !== undefined && exit.finishedAt >= fencedSince) return nextAttempt({ ...record, exit });
  const ranMs = exit.startedAt === undefined ? 0 : exit.finishedAt - exit.startedAt;
  const crashes = isCleanRun(ranMs, record.restartDelayMs ?? 0) ? 0 : record.crashes;
  const delayMs = restartDelayMs(crashes, restartMsMax);
  return {
    ...record,
    exit,
    crashes: crashes + 1,
    nextRestartAt: exit.finishedAt + delayMs,
    restartDelayMs: delayMs,
    ready: false,
    started: false,
  };
}

function exitOf(info: ContainerInfo, now: number): ContainerExit {
  const exitCode = info.exitCode ?? 137;
  return {
    containerId: info.id,
    exitCode,
    reason: info.oomKilled ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error",
    message: info.message,
    startedAt: info.startedAt,
    finishedAt: info.finishedAt ?? now,
  };
}

function startErrorExit(info: ContainerInfo, message: string, now: number): ContainerExit {
  return {
    containerId: info.id,
    exitCode: 128,
    reason: "StartError",
    message,
    startedAt: undefined,
    finishedAt: now,
  };
}

/** Removed by somebody else: how it ended is not known (kubelet's words). */
function vanished(now: number): ContainerExit {
  return {
    containerId: undefined,
    exitCode: 137,
    reason: "ContainerStatusUnknown",
    message: "The container could not be located when the pod was looked at",
    startedAt: undefined,
    finishedAt: now,
  };
}

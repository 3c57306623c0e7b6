import type { Condition } from "../../src/api/object.js";

/**
 * What the agent remembers of a Pod beyond what the engine shows: on disk, so that counts, backoff and a grace period that has begun
 * survive the agent. All times are wall milliseconds.
 */
export interface PodRecord {
  readonly firstSeenAt: number;
  /** Counts the Pod's sandboxes; a new one is made when the old one ended. */
  readonly sandboxAttempt: number;
  /** True once a sandbox of this attempt was made. */
  readonly sandboxCreated: boolean;
  /** All init containers have done their part in this sandbox: ended well, or started when they are sidecars. Absent in older files. */
  readonly initialized?: boolean;
  /** When the agent first was to remove the Pod; never taken back. */
  readonly terminatingSince: number | undefined;
  /** Since when its fencing lease has kept the Pod from running. Absent in older files. */
  readonly fencedSince?: number | undefined;
  /** By container name, init containers too (names are unique in a Pod). */
  readonly containers: Readonly<Record<string, ContainerRecord>>;
  /** What its containers were made from, by their images as the spec names them. Absent in older files. */
  readonly images?: Readonly<Record<string, string>>;
  /** This node wanted to be rid of it; never taken back. Absent in older files too. */
  readonly eviction?: Eviction;
  /** As reported last; their times of transition outlive the agent. */
  readonly conditions: readonly Condition[] | undefined;
}

/** How a Pod is ended for good. */
export interface EvictionOrder {
  /** For the Pod's status and its event. */
  readonly message: string;
  readonly graceMs: number;
  /** Its containers are removed as well, and their output with them: the disk is what is short. */
  readonly dropsContainers: boolean;
}

export interface Eviction extends EvictionOrder {
  /** Wall milliseconds. */
  readonly at: number;
}

export interface ContainerRecord {
  /** The present incarnation; equals restartCount. */
  readonly attempt: number;
  /** True once a container of this attempt was made. */
  readonly created: boolean;
  /** What this attempt was made from. */
  readonly specHash: string;
  /** How this attempt ended. */
  readonly exit: ContainerExit | undefined;
  /** How the attempt before ended. */
  readonly previous: ContainerExit | undefined;
  /** Ends in the present series of quick ends; decides the next pause. */
  readonly crashes: number;
  /** Set with `exit` when the policy wants a restart. */
  readonly nextRestartAt: number | undefined;
  readonly restartDelayMs: number;
  /** Last result of the readiness, respectively startup probe in this attempt. */
  readonly ready: boolean;
  readonly started: boolean;
  /** Its postStart hook has succeeded in this attempt. */
  readonly hooked?: boolean;
}

export interface ContainerExit {
  readonly containerId: string | undefined;
  readonly exitCode: number;
  /** Kubernetes' names: Completed, Error, OOMKilled, StartError, FailedPostStartHook, ContainerStatusUnknown. */
  readonly reason: string;
  readonly message: string | undefined;
  readonly startedAt: number | undefined;
  readonly finishedAt: number;
}

export function newPodRecord(now: number): PodRecord {
  return {
    firstSeenAt: now,
    sandboxAttempt: 0,
    sandboxCreated: false,
    terminatingSince: undefined,
    containers: {},
    conditions: undefined,
  };
}

export const newContainerRecord: ContainerRecord = {
  attempt: 0,
  created: false,
  specHash: "",
  exit: undefined,
  previous: undefined,
  crashes: 0,
  nextRestartAt: undefined,
  restartDelayMs: 0,
  ready: false,
  started: false,
};

/** The record of the following attempt. */
export function nextAttempt(record: ContainerRecord): ContainerRecord {
  return {
    ...newContainerRecord,
    attempt: record.attempt + 1,
    crashes: record.crashes,
    previous: record.exit ?? record.previous,
  };
}

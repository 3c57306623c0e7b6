import type { Probe } from "../../src/api/kinds/pod.js";

export type ProbeKind = "startup" | "liveness" | "readiness";

/** A probe with Kubernetes' defaults, in milliseconds. */
export interface ProbeTiming {
  readonly initialDelayMs: number;
  readonly periodMs: number;
  readonly timeoutMs: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

export function probeTiming(probe: Probe): ProbeTiming {
  return {
    initialDelayMs: (probe.initialDelaySeconds ?? 0) * 1000,
    periodMs: Math.max(1, probe.periodSeconds ?? 10) * 1000,
    timeoutMs: Math.max(1, probe.timeoutSeconds ?? 1) * 1000,
    successThreshold: Math.max(1, probe.successThreshold ?? 1),
    failureThreshold: Math.max(1, probe.failureThreshold ?? 3),
  };
}

/**
 * When to probe next and what the results add up to. Kubernetes' rules: a result counts after its threshold of equal ones in a row;
 * readiness begins with failure, liveness with success, startup with unknown. One difference: until readiness succeeds for the first
 * time it is probed more often, from `eagerMs` doubling up to the period, so that a Pod is ready when it is, not at the next period.
 * Failures of these extra probes change nothing, since readiness has failed already.
 */
export class ProbeSchedule {
  readonly kind: ProbeKind;
  readonly timing: ProbeTiming;
  /** undefined: startup before its first verdict. */
  result: boolean | undefined;
  /** Monotonic milliseconds. */
  nextAt: number;
  #streak = 0;
  #last: boolean | undefined;
  #eager: boolean;
  #eagerMs = eagerMs;

  /**
   * `startedMs`: how long the container runs already. `known`: the result before a restart of the agent. With `jitter` in [0, 1)
   * the probes of containers that were all adopted at once are spread over a period; a fresh container is probed right away.
   */
  constructor(
    kind: ProbeKind,
    timing: ProbeTiming,
    now: number,
    adopted: { startedMs: number; known: boolean; jitter: number } | undefined,
  ) {
    this.kind = kind;
    this.timing = timing;
    const initialResult = { startup: undefined, liveness: true, readiness: false }[kind];
    this.result = adopted?.known ? true : initialResult;
    this.#eager = kind === "readiness" && this.result === false;
    const delayMs = Math.max(0, timing.initialDelayMs - (adopted?.startedMs ?? 0));
    this.nextAt = now + delayMs + (adopted?.known ? adopted.jitter * timing.periodMs : 0);
  }

  /** Takes the outcome of the probe that was begun at `begunAt`. True when `result` changed. */
  finish(success: boolean, begunAt: number, now: number): boolean {
    this.#streak = this.#last === success ? this.#streak + 1 : 1;
    this.#last = success;
    this.nextAt = Math.max(now, begunAt + this.#pauseMs());
    const threshold = success ? this.timing.successThreshold : this.timing.failureThreshold;
    if (this.#streak < threshold || this.result === success) return false;
    this.result = success;
    this.#eager = false;
    return true;
  }

  /** The probe that was begun at `begunAt` has no outcome: it comes again, and counts neither way. */
  passOver(begunAt: number, now: number): void {
    this.nextAt = Math.max(now, begunAt + this.#pauseMs());
  }

  #pauseMs(): number {
    if (!this.#eager) return this.timing.periodMs;
    const pauseMs = Math.min(this.#eagerMs, this.timing.periodMs);
    this.#eagerMs *= 2;
    return pauseMs;
  }
}

const eagerMs = 100;

/** Pauses between failures: `first` in milliseconds, doubled each time, at most `max`. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Restarts of a container. Kubernetes begins with 10 s; here the first restart is at once and the second after 1 s, so that a single
 * crash costs nothing, and the cap is Kubernetes'.
 */
export const restartBackoff: Backoff = { firstMs: 1_000, maxMs: 300_000 };

/** Kubernetes' numbers for image pulls. */
export const pullBackoff: Backoff = { firstMs: 10_000, maxMs: 300_000 };

/** The engine refused or did not answer. */
export const engineBackoff: Backoff = { firstMs: 250, maxMs: 15_000 };

/**
 * Whether a run ends the series of crashes before it: when it lasted ten seconds and ten times the pause that preceded it.
 * A container that ran well is then back at once when it dies. At most ten minutes, which Kubernetes always asks for.
 */
export function isCleanRun(ranMs: number, pauseMs: number): boolean {
  return ranMs >= Math.min(600_000, Math.max(10_000, 10 * pauseMs));
}

/** The pause after the `failures`-th (from 1) failure in a row. */
export function backoffMs(backoff: Backoff, failures: number): number {
  // 2^30 s is beyond any cap, and stays a safe integer.
  return Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(failures - 1, 30));
}

/** The pause before a restart when `crashes` ends came before this one in the present series. */
export function restartDelayMs(crashes: number, maxMs = restartBackoff.maxMs): number {
  return crashes === 0 ? 0 : backoffMs({ ...restartBackoff, maxMs }, crashes);
}

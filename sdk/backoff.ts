/** Pauses of one call that is tried again. */
export interface Backoff {
  readonly msMin: number;
  readonly msMax: number;
}

/** How long to pause after so many tries: twice as long each time up to a bound, half less to half more by chance, so that callers part. */
export function pauseMsAfter(tries: number, { msMin, msMax }: Backoff): number {
  return Math.min(msMax, msMin * 2 ** Math.min(tries - 1, 20)) * (0.5 + Math.random());
}

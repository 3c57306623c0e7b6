import { loadavg, cpus } from "node:os";

/** The middle one; the lower of two middle ones. NaN for none. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The value that the given fraction of all does not exceed. NaN for none. */
export function percentile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * fraction)] ?? NaN;
}

/** How long `work` takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Callers that each wait for their answer before they ask again, for `durationMs`: answers in a second. */
export async function throughput(
  callers: number,
  durationMs: number,
  call: (caller: number) => Promise<unknown>,
): Promise<number> {
  const start = performance.now();
  let count = 0;
  const run = async (caller: number): Promise<void> => {
    while (performance.now() - start < durationMs) {
      await call(caller);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => run(caller)));
  return (count * 1000) / (performance.now() - start);
}

/** `load 0.4 on 8 processors`: what else the machine was doing. */
export function machineLoad(): string {
  return `load ${loadavg()[0]!.toFixed(1)} on ${cpus().length} processors`;
}

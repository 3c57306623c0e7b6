import { setTimeout as sleep } from "node:timers/promises";
import { memoryMegabytes, processorUs } from "../processor-time.js";

/** What processes use while nothing changes. */
export interface Rest {
  /** Of one processor. */
  readonly percent: number;
  readonly megabytes: number;
}

/** What is under way comes to its end first. */
const settleMs = 10_000;

/** Watches groups of processes that many seconds, all at once. */
export async function atRest(groups: readonly (readonly number[])[], seconds: number): Promise<readonly Rest[]> {
  await sleep(settleMs);
  const beganAt = performance.now();
  const before = groups.map(processorUs);
  await sleep(seconds * 1000);
  const tookUs = (performance.now() - beganAt) * 1000;
  return groups.map((pids, at) => ({
    percent: ((processorUs(pids) - before[at]!) * 100) / tookUs,
    megabytes: pids.map(memoryMegabytes).reduce((sum, each) => sum + each, 0),
  }));
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Harness } from "../e2e/harness.js";
import { wholeCluster } from "./whole-cluster.js";
import type { Workload } from "./workload.js";

/** Between a cluster that is whole again and the next kill. */
const calmMs = 200;
/** So many writes show that a new leader serves. */
const writesAfterKill = 5;

/** Kills one leader after the other with SIGKILL. Returns for each the longest time without an acknowledged write, in milliseconds. */
export async function killLeaders(
  harness: Harness,
  workload: Workload,
  kills: number,
  tell: (line: string) => void,
): Promise<number[]> {
  const gapsMs: number[] = [];
  for (let kill = 1; kill <= kills; kill += 1) {
    const leader = await wholeCluster(harness);
    await sleep(calmMs);
    const fromMs = performance.now();
    await harness.kill(leader);
    harness.startStopped();
    await workload.moreWrites(writesAfterKill);
    await wholeCluster(harness);
    const gapMs = workload.longestGapMs(fromMs, performance.now());
    tell(`kill ${kill}: ${leader}, ${Math.round(gapMs)} ms without a write`);
    gapsMs.push(gapMs);
  }
  return gapsMs;
}

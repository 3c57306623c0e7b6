import type { Overrides } from "./overrides.js";
import { runRaftSeed } from "./raft-world.js";
import type { Violation } from "./violation.js";

export interface CalmResult {
  /** Changes of the leader after the first one. */
  readonly elections: number;
  readonly writes: number;
  readonly violation: Pick<Violation, "message"> | undefined;
}

/** A healthy cluster with steady writes for so many simulated hours: nothing is a reason to elect another leader. */
export function runCalm(seed: number, hours: number, set: Overrides = {}): CalmResult {
  const { counts, violation } = runRaftSeed(seed, { set: { profile: "calm", safetyMs: hours * 3_600_000, ...set } });
  return {
    elections: (counts["leaders amid faults"] ?? 0) - 1,
    writes: counts["writes answered"] ?? 0,
    violation,
  };
}

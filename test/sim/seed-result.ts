import type { Overrides } from "./overrides.js";
import type { Swarm } from "./swarm.js";
import type { Rule } from "./violation.js";

/** What came of one world. Plain data: it travels between processes. */
export interface SeedResult {
  readonly seed: number;
  /** Equal for equal runs. */
  readonly hash: string;
  readonly simulatedMs: number;
  readonly events: number;
  /** What the world is proud of, e.g. entries committed, requests answered, faults done: summed up over seeds. */
  readonly counts: Readonly<Record<string, number>>;
  /** What was drawn, of a world that violated a rule. */
  readonly swarm?: Swarm | undefined;
  readonly violation: { readonly rule: Rule; readonly message: string; readonly trace: readonly string[] } | undefined;
}

export interface RunOptions {
  readonly traceLines?: number;
  readonly print?: (line: string) => void;
  /** Fields of the swarm that the seed does not draw. */
  readonly set?: Overrides;
}

/** A kind of world: runs one seed from beginning to end and never throws. */
export type RunSeed = (seed: number, options?: RunOptions) => SeedResult;

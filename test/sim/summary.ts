import { overridesText, type Overrides } from "./overrides.js";
import type { SeedResult } from "./seed-result.js";
import { Trace } from "./trace.js";

/** One hash over the hashes of all seeds. */
export function combinedHash(results: readonly SeedResult[]): string {
  const trace = new Trace(0);
  for (const { seed, hash } of results.toSorted((left, right) => left.seed - right.seed)) {
    trace.mix(seed);
    trace.mixBytes(new TextEncoder().encode(hash));
  }
  return trace.hash();
}

/** The closing lines of a run. */
export function summarize(
  world: string,
  results: readonly SeedResult[],
  elapsedMs: number,
  set: Overrides = {},
): string[] {
  const violations = results.filter((result) => result.violation);
  const simulatedMs = results.reduce((sum, result) => sum + result.simulatedMs, 0);
  const events = results.reduce((sum, result) => sum + result.events, 0);
  const counts = new Map<string, number>();
  for (const result of results) {
    for (const [name, count] of Object.entries(result.counts)) counts.set(name, (counts.get(name) ?? 0) + count);
  }
  const minutes = elapsedMs / 60_000;
  return [
    `world ${world}: ${results.length} seeds, ${Math.round(simulatedMs / 1000)} simulated seconds, ${events} events in ${(elapsedMs / 1000).toFixed(1)} s (${Math.round(results.length / minutes)} seeds/min)`,
    [...counts]
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, count]) => `${name}: ${count}`)
      .join(", "),
    ...violations.map(describeViolation(world, set)),
    `combined trace hash ${combinedHash(results)}`,
    `${violations.length} violations`,
  ];
}

function describeViolation(world: string, set: Overrides): (result: SeedResult) => string {
  return ({ seed, violation }) =>
    `seed ${seed}: ${violation?.message}\n  replay: npm run sim -- --world ${world} --seed ${seed}${overridesText(set)} --trace`;
}

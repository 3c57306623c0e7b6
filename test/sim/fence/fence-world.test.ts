import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { runBatch } from "../batch.js";
import { rememberedSeeds } from "../remembered-seeds.js";
import { runFenceSeed } from "./fence-world.js";

const workers = Math.min(4, availableParallelism());

/** A small part of `npm run sim -- --world fence`, which see. */
describe("simulated fence world", () => {
  it("never runs a Pod with a fencing lease twice, and is the same in another process", async () => {
    const seeds = [...new Set([...rememberedSeeds("fence"), ...Array.from({ length: 4 }, (_, at) => at + 1)])];
    const results = await runBatch({ world: "fence", seeds, workers });
    const violations = results.filter((result) => result.violation);
    assert.deepEqual(
      violations.map(({ seed, violation }) => `npm run sim -- --world fence --seed ${seed}: ${violation?.message}`),
      [],
    );
    const { seed, hash } = results[0] ?? assert.fail("no seed ran");
    assert.equal(runFenceSeed(seed).hash, hash, `seed ${seed} is the same run again`);
    const sums = (name: string): number => results.reduce((sum, result) => sum + (result.counts[name] ?? 0), 0);
    const atLeast: readonly (readonly [name: string, sum: number])[] = [["pods made and run", 20]];
    const tooFew = atLeast.filter(([name, sum]) => sums(name) < sum);
    assert.deepEqual(
      tooFew.map(([name, sum]) => `${name}: ${sums(name)}, expected at least ${sum}`),
      [],
    );
  }).timeout(300_000);
});

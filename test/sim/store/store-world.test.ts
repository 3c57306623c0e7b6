import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { runBatch } from "../batch.js";
import { rememberedSeeds } from "../remembered-seeds.js";
import { runStoreSeed } from "./store-world.js";

const workers = Math.min(4, availableParallelism());

/** A small part of `npm run sim -- --world store`, which see. */
describe("simulated store world", () => {
  it("answers as the model does, and is the same in another process", async () => {
    const seeds = [...new Set([...rememberedSeeds("store"), ...Array.from({ length: 200 }, (_, at) => at + 1)])];
    const results = await runBatch({ world: "store", seeds, workers });
    const violations = results.filter((result) => result.violation);
    assert.deepEqual(
      violations.map(({ seed, violation }) => `npm run sim -- --world store --seed ${seed}: ${violation?.message}`),
      [],
    );
    for (const at of [0, 100]) {
      const { seed, hash } = results[at] ?? assert.fail("a seed did not run");
      assert.equal(runStoreSeed(seed).hash, hash, `seed ${seed} is the same run again`);
    }
    // As in the other world: about two thirds of what they were when they were set.
    const sums = (name: string): number => results.reduce((sum, result) => sum + (result.counts[name] ?? 0), 0);
    const atLeast: readonly (readonly [name: string, sum: number])[] = [
      ["writes answered", 1100],
      ["etcd commands answered", 1150],
      ["looks answered", 580],
      ["lists of the past", 210],
      ["ranges of the past", 180],
      ["histories of keys", 260],
      ["revisions found by time", 125],
      ["refused as compacted", 200],
      ["watch events", 4200],
      ["leases run out", 45],
    ];
    const tooFew = atLeast.filter(([name, sum]) => sums(name) < sum);
    assert.deepEqual(
      tooFew.map(([name, sum]) => `${name}: ${sums(name)}, expected at least ${sum}`),
      [],
    );
  }).timeout(180_000);
});

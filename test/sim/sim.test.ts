import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { runBatch } from "./batch.js";
import { plantedFaults } from "./planted/all.js";
import { corners } from "./planted/corners.js";
import { hunt, unplantable } from "./planted/hunt.js";
import { runRaftSeed } from "./raft-world.js";
import { rememberedSeeds } from "./remembered-seeds.js";

const workers = Math.min(4, availableParallelism());

/** A small part of `npm run sim`, which see. Deadlines are generous: the work is a few seconds on an idle machine. */
describe("simulated raft world", () => {
  it("violates nothing, and is the same in another process", async () => {
    const seeds = [...new Set([...rememberedSeeds("raft"), ...Array.from({ length: 150 }, (_, at) => at + 1)])];
    const results = await runBatch({ world: "raft", seeds, workers });
    const violations = results.filter((result) => result.violation);
    assert.deepEqual(
      violations.map(({ seed, violation }) => `npm run sim -- --seed ${seed}: ${violation?.message}`),
      [],
    );
    assert.equal(results.length, seeds.length);
    for (const at of [0, 30, 60, 90, 120]) {
      const { seed, hash } = results[at] ?? assert.fail("a seed did not run");
      assert.equal(runRaftSeed(seed).hash, hash, `seed ${seed} is the same run again`);
    }
    // A simulation in which nothing happens would violate nothing either.
    const sums = (name: string): number => results.reduce((sum, result) => sum + (result.counts[name] ?? 0), 0);
    assert.ok(sums("writes answered") > 1000 && sums("reads answered") > 1000, "clients were answered");
    it("can plant every fault, and has one for each corner or says why not", () => {
      assert.deepEqual(unplantable(plantedFaults), []);
      const planted = new Set(plantedFaults.map(({ corner }) => corner));
      const open = corners.filter(({ number, without }) => planted.has(number) === (without !== undefined));
      assert.deepEqual(
        open.map(({ number }) => number),
        [],
      );
    });

    for (const fault of ["crash", "blackout", "partition", "clog", "pause", "clock jump", "transfer"]) {
      assert.ok(sums(`fault: ${fault}`) > 20, `${fault} happened`);
    }
    assert.ok(sums("leaders") > 300, "there were elections");
  }).timeout(180_000);

  it("leaves the trace of a violation", () => {
    const { violation } = runRaftSeed(1, { traceLines: 50 });
    assert.equal(violation, undefined);
    const lines: string[] = [];
    runRaftSeed(1, { traceLines: 50, print: (line) => lines.push(line) });
    assert.match(lines[0] ?? "", /SAFETY/);
    assert.ok(lines.some((line) => line.includes("leadership changed")));
  });

  it("can plant every fault, and has one for each corner or says why not", () => {
    assert.deepEqual(unplantable(plantedFaults), []);
    const planted = new Set(plantedFaults.map(({ corner }) => corner));
    const open = corners.filter(({ number, without }) => planted.has(number) === (without !== undefined));
    assert.deepEqual(
      open.map(({ number }) => number),
      [],
    );
  });

  for (const fault of plantedFaults.filter(({ quick }) => quick)) {
    it(`finds the planted fault: ${fault.name}`, async () => {
      const found = await hunt(fault, { world: "raft", from: 1, seeds: 120, workers });
      assert.ok(found.violation, `not found in ${found.seeds} seeds`);
    }).timeout(120_000);
  }
});

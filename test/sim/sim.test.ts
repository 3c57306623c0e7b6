import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { runBatch } from "./batch.js";
import { runCalm } from "./calm.js";
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
    // A simulation in which nothing happens would violate nothing either. Seeds are the same each time, so these
    // sums change only with the code; the bounds are about two thirds of what they were when they were set.
    const sums = (name: string): number => results.reduce((sum, result) => sum + (result.counts[name] ?? 0), 0);
    const atLeast: readonly (readonly [name: string, sum: number])[] = [
      ["answered amid faults", 950],
      ["writes answered", 800],
      ["reads answered", 400],
      ["lists answered", 95],
      ["leaders", 280],
      ["members changed", 50],
      ["snapshots installed", 10],
      ["logs of an older version", 45],
      ["fault: crash", 170],
      ["fault: blackout", 30],
      ["fault: partition", 150],
      ["fault: clog", 50],
      ["fault: pause", 70],
      ["fault: clock jump", 65],
      ["fault: transfer", 50],
      ["fault: disk hang", 33],
      ["fault: bit rot", 10],
    ];
    const tooFew = atLeast.filter(([name, sum]) => sums(name) < sum);
    assert.deepEqual(
      tooFew.map(([name, sum]) => `${name}: ${sums(name)}, expected at least ${sum}`),
      [],
    );
  }).timeout(180_000);

  it("starts on logs of an older version", () => {
    const results = Array.from({ length: 20 }, (_, at) => runRaftSeed(at + 1, { set: { oldLogShare: 0.5 } }));
    assert.deepEqual(
      results.flatMap(({ violation }) => violation?.message ?? []),
      [],
    );
    assert.ok(results.every(({ counts }) => (counts["logs of an older version"] ?? 0) > 0));
  }).timeout(60_000);

  it("keeps its leader while machines are busy, and loses it when they stand still", () => {
    const busy = runCalm(1, 0.1);
    assert.deepEqual({ elections: busy.elections, violation: busy.violation }, { elections: 0, violation: undefined });
    assert.ok(busy.writes > 200, `${busy.writes} writes`);
    assert.ok(runCalm(1, 0.1, { downMsMax: 3000 }).elections > 0);
  }).timeout(60_000);

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

  it("has as many faults for each corner as docs/raft.md says", () => {
    const text = readFileSync(new URL("../../../docs/raft.md", import.meta.url), "utf8");
    const rows = [...text.matchAll(/^\| (\d+) \|[^|]*\|[^|]*\| *(one|two|three)?[^|]*\|/gm)];
    const documented = rows.map(
      ([, number, count]) => `${number}: ${["one", "two", "three"].indexOf(count ?? "") + 1}`,
    );
    const planted = corners.map(
      ({ number }) => `${number}: ${plantedFaults.filter(({ corner }) => corner === number).length}`,
    );
    assert.deepEqual(documented, planted);
  });

  for (const fault of plantedFaults.filter(({ quick }) => quick)) {
    it(`finds the planted fault: ${fault.name}`, async () => {
      const found = await hunt(fault, { world: "raft", from: 1, seeds: 120, workers });
      assert.ok(found.violation, `not found in ${found.seeds} seeds`);
    }).timeout(120_000);
  }
});

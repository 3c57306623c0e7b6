import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { IkadaError } from "../../sdk/index.js";
import { isClean, reportLines } from "../linearizability/check.js";
import { SeededRandom } from "../sim/random.js";
import { faults, faultsNamed } from "./faults.js";
import { Deck } from "./rounds.js";
import { removeHistory, runChaos } from "./run.js";

describe("chaos", () => {
  it("kills leaders, cuts links, stops, fills disks, changes members; nothing is lost or out of order", async function () {
    this.timeout(240_000);
    const said: string[] = [];
    const { check, counts, historyFile } = await runChaos({
      servers: 3,
      kills: 2,
      faults: ["sigstop-leader", "bridge", "disk-full", "member-add"],
      faultsMs: 9_000,
      seed: 5,
      tell: (line) => said.push(line),
    });
    const report = [...said, ...reportLines(check)].join("\n");
    assert.ok(isClean(check), report);
    assert.ok(check.acknowledged > 300 && check.answeredReads > 300, report);
    assert.ok([...counts.values()].filter((count) => count > 0).length >= 2, report);
    removeHistory(historyFile);
  });

  it("lets every fault come up before one comes again, of one area one at a time, the same with the same seed", () => {
    const rounds = (seed: number): string[][] => {
      const deck = new Deck(Object.keys(faults), new SeededRandom(seed));
      return Array.from({ length: 60 }, () => deck.draw().map(({ name }) => name));
    };
    const drawn = rounds(1);
    assert.deepEqual(rounds(1), drawn);
    assert.notDeepEqual(rounds(2), drawn);
    assert.deepEqual(
      [...new Set(drawn.flat().slice(0, Object.keys(faults).length))].sort(),
      Object.keys(faults).sort(),
    );
    for (const names of drawn) assert.equal(new Set(names.map((name) => faults[name]!.area)).size, names.length);
    assert.ok(drawn.some((names) => names.length === 3));
  });

  it("knows faults by name, by the beginning of their names, and as all; names the choices otherwise", () => {
    assert.deepEqual(faultsNamed("halves,sigstop"), ["halves", "sigstop-leader", "sigstop-follower"]);
    assert.equal(faultsNamed("all").length, Object.keys(faults).length);
    assert.throws(
      () => faultsNamed("halves,quake"),
      (error: unknown) =>
        error instanceof IkadaError && /"quake"/.test(error.message) && /bridge/.test(error.details.hint!),
    );
  });

  it("docs/chaos.md describes every fault, and no other", () => {
    // The drills have a table of their own.
    const [text = ""] = readFileSync("docs/chaos.md", "utf8").split("\n## Drills");
    const described = [...text.matchAll(/^\| `([\w-]+)` \|/gm)].map((match) => match[1]!);
    assert.deepEqual(described.sort(), Object.keys(faults).sort());
  });
});

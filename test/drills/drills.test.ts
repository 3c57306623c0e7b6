import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { IkadaError } from "../../sdk/index.js";
import { OwnEngine } from "../e2e/own-engine.js";
import { drills } from "./drills.js";
import { runDrills } from "./run.js";

const missing = OwnEngine.whatIsMissing();

describe("drills", () => {
  it(`lose and double no Pod, restart what died alone${missing === undefined ? "" : ` (skipped: ${missing})`}`, async function () {
    this.timeout(400_000);
    if (missing !== undefined) this.skip();
    // The others take longer than a test may. An engine that comes back is in test/e2e/engine-loss.test.ts.
    const names = ["agent", "remove", "hang"];
    const rows = await runDrills({ names, times: 1, awayMs: 1_000, pods: 3, tell: () => undefined });
    assert.deepEqual(
      rows.flatMap(({ name, wrong }) => wrong.map((what) => `${name}: ${what}`)),
      [],
    );
    assert.equal(rows.length, names.length);
  });

  it("are refused by a name that there is none of, with those that there are", async () => {
    await assert.rejects(
      runDrills({ names: ["quake"], pods: 1, tell: () => undefined }),
      (error: unknown) =>
        error instanceof IkadaError && /"quake"/.test(error.message) && /engine-live/.test(error.details.hint!),
    );
  });

  it("docs/chaos.md describes every drill, and no other", () => {
    const text = readFileSync("docs/chaos.md", "utf8").split("\n## Drills")[1] ?? "";
    const described = [...text.matchAll(/^\| `([\w-]+)` \|/gm)].map((match) => match[1]!);
    assert.deepEqual(described.sort(), Object.keys(drills).sort());
  });
});

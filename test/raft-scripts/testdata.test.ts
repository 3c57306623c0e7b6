import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { runFile } from "./run-script.js";
import { differences } from "./table.js";

const folder = "test/raft-scripts/testdata";

/**
 * Golden transcripts of the core. After a change of the core that is meant:
 * `npm run raft-scripts -- test/raft-scripts/testdata --rewrite`, and read the difference.
 */
describe("our own scripts", () => {
  for (const name of readdirSync(folder).sort()) {
    it(`${name} says what it said`, () => {
      const run = runFile(join(folder, name), name);
      assert.deepEqual(run.row.errors, []);
      assert.deepEqual(differences(run), []);
      assert.equal(run.row.level, run.row.kind === "interaction" ? "L4" : "L0");
    });
  }
});

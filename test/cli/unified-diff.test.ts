import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { unifiedDiff } from "../../cli/unified-diff.js";

const lines = (...items: (string | number)[]) => items.map((item) => `${item}\n`).join("");
const count = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** What a unified diff makes of a text: the check that it says what it means. */
function patched(text: string, diff: string): string {
  const old = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const result: string[] = [];
  let at = 0;
  for (const line of diff.split("\n").slice(2, -1)) {
    const range = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@$/.exec(line);
    if (range) {
      const start = range[2] === "0" ? Number(range[1]) : Number(range[1]) - 1;
      result.push(...old.slice(at, start));
      at = start;
    } else if (line[0] === "+") result.push(line.slice(1));
    else {
      assert.equal(old[at], line.slice(1));
      at += 1;
      if (line[0] === " ") result.push(line.slice(1));
    }
  }
  return lines(...result, ...old.slice(at));
}

describe("unified diff", () => {
  it("as diff -u writes it", () => {
    assert.equal(unifiedDiff("a", "b", lines(1, 2, 3), lines(1, 2, 3)), "");
    assert.equal(unifiedDiff("a", "b", "", ""), "");
    assert.equal(unifiedDiff("a", "b", "", lines(1, 2)), "--- a\n+++ b\n@@ -0,0 +1,2 @@\n+1\n+2\n");
    assert.equal(unifiedDiff("a", "b", lines(1), ""), "--- a\n+++ b\n@@ -1 +0,0 @@\n-1\n");
    assert.equal(
      unifiedDiff("a", "b", lines(1, 2, 3), lines(1, "x", 3)),
      "--- a\n+++ b\n@@ -1,3 +1,3 @@\n 1\n-2\n+x\n 3\n",
    );
  });

  it("changes far from each other have their own hunks, near ones share one", () => {
    const diff = (second: number) => {
      const fresh = count(1, 30).map((line) => (line === 5 || line === second ? `changed ${line}` : line));
      return unifiedDiff("a", "b", lines(...count(1, 30)), lines(...fresh));
    };
    assert.deepEqual(diff(12).match(/^@@.*@@$/gm), ["@@ -2,14 +2,14 @@"]);
    assert.deepEqual(diff(13).match(/^@@.*@@$/gm), ["@@ -2,7 +2,7 @@", "@@ -10,7 +10,7 @@"]);
  });

  it("is what patch(1) would make the new text of, with no more changes than there have to be", () => {
    const text = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 40 }).map((items) => lines(...items));
    fc.assert(
      fc.property(text, text, (old, fresh) => {
        const diff = unifiedDiff("a", "b", old, fresh);
        assert.equal(patched(old, diff), fresh);
        assert.equal(diff === "", old === fresh);
      }),
      { numRuns: 1000 },
    );
  });

  it("agrees with diff(1) on the number of changed lines", () => {
    const folder = mkdtempSync(join(tmpdir(), "ikada-diff-"));
    try {
      const random = fc.sample(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 20, maxLength: 60 }), {
        numRuns: 20,
        seed: 7,
      });
      for (const [index, items] of random.slice(1).entries()) {
        const [old, fresh] = [lines(...random[index]!), lines(...items)];
        writeFileSync(join(folder, "a"), old);
        writeFileSync(join(folder, "b"), fresh);
        let theirs = "";
        try {
          execFileSync("diff", ["-u", "--minimal", join(folder, "a"), join(folder, "b")]);
        } catch (caught) {
          theirs = (caught as { stdout: Buffer }).stdout.toString();
        }
        const changes = (diff: string) =>
          diff
            .split("\n")
            .slice(2)
            .filter((line) => /^[-+]/.test(line)).length;
        assert.equal(changes(unifiedDiff("a", "b", old, fresh)), changes(theirs));
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("large texts that have nothing in common are replaced", () => {
    const diff = unifiedDiff("a", "b", lines(...count(1, 6000)), lines(...count(10_001, 16_000)));
    assert.match(diff, /^--- a\n\+\+\+ b\n@@ -1,6000 \+1,6000 @@\n-1\n/);
  });
});

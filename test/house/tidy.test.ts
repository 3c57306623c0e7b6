import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { reasons } from "../../src/base/errors.js";
import { checkLimits } from "../../src/base/limits.js";

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" })
  .split("\n")
  .filter((file) => file !== "" && existsSync(file));
const sources = tracked.filter((file) => file.endsWith(".ts"));

describe("tidy", () => {
  it("limits do not contradict each other", checkLimits);

  it("no file is named for being a drawer", () => {
    const drawers = /(^|\/)(utils?|helpers?|common|misc|shared|types)\.ts$/;
    assert.deepEqual(
      sources.filter((file) => drawers.test(file) && file !== "raft/core/types.ts"),
      [],
    );
  });

  it("no unfinished marks, no default exports, no re-exporting drawers", () => {
    const faults: string[] = [];
    const marks = /\bTO[D]O\b|\bFIX[M]E\b|\bnot [i]mplemented\b/;
    for (const file of sources) {
      const text = readFileSync(file, "utf8");
      if (marks.test(text)) faults.push(`${file}: unfinished mark`);
      if (/^export \*/m.test(text)) faults.push(`${file}: export *`);
      if (/^export default/m.test(text) && !file.endsWith(".d.ts")) faults.push(`${file}: default export`);
    }
    assert.deepEqual(faults, []);
  });

  it("docs/errors.md lists every reason, and no other", () => {
    const documented = [...readFileSync("docs/errors.md", "utf8").matchAll(/^\| `(\w+)` \|/gm)].map(
      (match) => match[1]!,
    );
    assert.deepEqual(documented.sort(), Object.keys(reasons).sort());
  });

  it("links in the documents lead somewhere", () => {
    const faults: string[] = [];
    for (const file of tracked.filter((name) => name.endsWith(".md"))) {
      for (const match of readFileSync(file, "utf8").matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        const target = match[1]!;
        if (!/^[a-z]+:/.test(target) && !existsSync(join(dirname(file), target))) faults.push(`${file}: ${target}`);
      }
    }
    assert.deepEqual(faults, []);
  });

  it("dependencies are pinned and each has its reason in docs/decisions", () => {
    const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Record<string, Record<string, string>>;
    const pins = { ...manifest["dependencies"], ...manifest["devDependencies"] };
    const loose = Object.entries(pins).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
    assert.deepEqual(loose, []);
    const why = readFileSync("docs/decisions/0002-dependencies.md", "utf8");
    assert.deepEqual(
      Object.keys(pins).filter((name) => !why.includes(`\`${name}\``)),
      [],
    );
  });
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskMeter } from "../../../node-agent/volumes/disk-meter.js";
import { walk, type WalkBounds } from "../../../node-agent/volumes/disk-walk.js";

const isRoot = process.getuid?.() === 0;
const bounds: WalkBounds = { entriesMax: 10_000, depthMax: 100, goOn: () => true };

describe("measuring folders", function () {
  this.timeout(30_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ikada-meter-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const file = (name: string, bytes: number): void => writeFileSync(join(folder, name), Buffer.alloc(bytes, 1));
  const du = (): number =>
    Number(execFileSync("/usr/bin/env", ["du", "-s", "-B1", folder], { encoding: "utf8" }).split("\t")[0]);

  it("finds what du finds: blocks, holes, folders, files with several names", () => {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    file("a/b/file", 100_000);
    file("small", 1);
    linkSync(join(folder, "small"), join(folder, "a/again"));
    writeFileSync(join(folder, "hole"), "");
    truncateSync(join(folder, "hole"), 2 ** 30);
    const found = walk(folder, bounds);
    assert.equal(found?.bytes, du());
    assert.deepEqual([found?.inodes, found?.isComplete], [6, true]);
  });

  it("follows no link out, and none in a circle", () => {
    symlinkSync("/usr", join(folder, "out"));
    symlinkSync(".", join(folder, "self"));
    const found = walk(folder, bounds);
    assert.equal(found?.inodes, 3);
    assert.equal(walk(join(folder, "self"), bounds), undefined, "nor one at the top");
  });

  it("says when it gave up, and what it had found", () => {
    for (let at = 0; at < 30; at++) file(`f${at}`, 5000);
    assert.deepEqual([walk(folder, { ...bounds, entriesMax: 10 })?.isComplete], [false]);
    assert.equal(walk(folder, { ...bounds, entriesMax: 10 })?.inodes, 10);
    let left = 5;
    const late = walk(folder, { ...bounds, goOn: () => left-- > 0 });
    assert.deepEqual([late?.isComplete, late?.inodes], [false, 6]);
    mkdirSync(join(folder, "1/2/3/4"), { recursive: true });
    assert.equal(walk(folder, { ...bounds, depthMax: 3 })?.isComplete, false);
    assert.equal(walk(folder, { ...bounds, depthMax: 6 })?.isComplete, true);
  });

  it("takes names with a prefix alone", () => {
    file("log", 5000);
    file("log.1", 5000);
    file("other", 50_000);
    assert.equal(walk(folder, { ...bounds, prefix: "log" })?.inodes, 2);
  });

  it("in a thread of its own, one after the other, while the loop goes on", async () => {
    const meter = new DiskMeter();
    for (let at = 0; at < 2000; at++) file(`f${at}`, 0);
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    const found = await Promise.all([meter.measure(folder, "gently"), meter.measure(folder, "fast")]);
    clearInterval(timer);
    assert.deepEqual(
      found.map((usage) => usage?.inodes),
      [2001, 2001],
    );
    assert.ok(turns > 0);
    assert.equal(await meter.measure(join(folder, "none"), "fast"), undefined);
  });

  it(`stays on one file system${isRoot ? "" : " (skipped: needs root)"}`, function () {
    if (!isRoot) this.skip();
    const point = join(folder, "mounted");
    mkdirSync(point);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", point]);
    try {
      file("mounted/file", 1_000_000);
      assert.ok((walk(folder, bounds)?.bytes ?? 0) < 100_000);
      assert.ok((walk(point, bounds)?.bytes ?? 0) >= 1_000_000);
    } finally {
      execFileSync("umount", [point]);
    }
  });
});

import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack, type Header } from "tar-stream";
import { packFiles } from "../../cli/copy/pack-files.js";
import { Unpacker, type UnpackOptions } from "../../cli/copy/unpack.js";
import { IkadaError } from "../../src/base/errors.js";

type Entry = Partial<Header> & Pick<Header, "name"> & { readonly content?: string };

async function archiveOf(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) archive.entry(header, content ?? "");
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of archive) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

describe("what a container gives to `cp`", () => {
  let root: string;
  let folder: string;
  let skipped: string[];
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "ikada-unpack-"));
    folder = join(root, "inside");
    mkdirSync(folder);
    writeFileSync(join(root, "secret"), "untouched");
    skipped = [];
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function unpackBytes(bytes: Uint8Array, more: Partial<UnpackOptions> = {}): void {
    const unpacker = new Unpacker({
      folder,
      rename: undefined,
      bytesMax: 2 ** 20,
      onSkipped: (message) => skipped.push(message),
      ...more,
    });
    try {
      for (let at = 0; at < bytes.length; at += 700) unpacker.push(bytes.subarray(at, at + 700));
      unpacker.end();
    } finally {
      unpacker.close();
    }
  }
  const unpack = async (entries: readonly Entry[], more: Partial<UnpackOptions> = {}): Promise<void> =>
    unpackBytes(await archiveOf(entries), more);
  const refused = async (
    entries: readonly Entry[],
    reason = "BadRequest",
    more: Partial<UnpackOptions> = {},
  ): Promise<void> => {
    await assert.rejects(unpack(entries, more), (error: unknown) => {
      assert.ok(error instanceof IkadaError, String(error));
      assert.equal(error.reason, reason, error.message);
      return true;
    });
    outsideIsUntouched();
  };
  const outsideIsUntouched = (): void => {
    assert.deepEqual(readdirSync(root).sort(), ["inside", "secret"]);
    assert.equal(readFileSync(join(root, "secret"), "utf8"), "untouched");
  };

  it("is files, folders and links as they were, under another name when one is asked for", async () => {
    await unpack(
      [
        { name: "app/", type: "directory", mode: 0o750 },
        { name: "app/run", mode: 0o4755, mtime: new Date(1_600_000_000_000), content: "#!/bin/sh\n" },
        { name: "app/data/deep/file", content: "deep" },
        { name: "app/current", type: "symlink", linkname: "data/deep" },
        { name: "app/data/up", type: "symlink", linkname: "../run" },
        { name: "app/same", type: "link", linkname: "app/run" },
      ],
      { rename: "copy" },
    );
    const run = statSync(join(folder, "copy/run"));
    assert.deepEqual([run.mode & 0o7777, run.mtimeMs], [0o755, 1_600_000_000_000], "no set-user-id");
    assert.equal(statSync(join(folder, "copy")).mode & 0o777, 0o750);
    assert.equal(readFileSync(join(folder, "copy/current/file"), "utf8"), "deep");
    assert.equal(readFileSync(join(folder, "copy/data/up"), "utf8"), "#!/bin/sh\n");
    assert.equal(lstatSync(join(folder, "copy/same")).nlink, 1, "a copy, no link");
    assert.equal(readFileSync(join(folder, "copy/same"), "utf8"), "#!/bin/sh\n");
    assert.deepEqual(skipped, []);
  });

  it("never leaves its folder by a path", async () => {
    for (const name of ["../secret", "a/../../secret", "a/..", join(root, "secret"), "/etc/ikada-test"]) {
      await refused([{ name, content: "overwritten" }]);
      await refused([{ name, type: "directory" }]);
    }
    await refused([{ name: `${"d/".repeat(300)}f`, content: "x" }]);
  });

  it("never writes through a link: one of its own, one that was there, one that another entry has hidden", async () => {
    await unpack([
      { name: "out", type: "symlink", linkname: root },
      { name: "up", type: "symlink", linkname: ".." },
      { name: "far", type: "symlink", linkname: "../../../../etc" },
      { name: "sly", type: "symlink", linkname: "a/../../secret" },
      { name: "d/e/f", type: "symlink", linkname: "../../.." },
      { name: "d/e/beside", type: "symlink", linkname: "../../own" },
    ]);
    assert.equal(skipped.length, 6, skipped.join("\n"));
    assert.ok(!existsSync(join(folder, "out")));
    // The link is made only after everything else, so this is a folder by then.
    await refused([
      { name: "t/x", type: "symlink", linkname: "sub" },
      { name: "t/x/file", content: "through" },
    ]);
    symlinkSync(root, join(folder, "planted"));
    await refused([{ name: "planted/secret", content: "overwritten" }]);
    await refused([{ name: "planted/new/", type: "directory" }]);
    // A link in the place of a file is replaced, not followed.
    symlinkSync(join(root, "secret"), join(folder, "target"));
    await unpack([{ name: "target", content: "mine" }]);
    assert.equal(lstatSync(join(folder, "target")).isSymbolicLink(), false);
    outsideIsUntouched();
  });

  it("has no chain of links that leads out", async () => {
    await unpack([
      { name: "t/a/b/c/up", type: "symlink", linkname: "../../.." },
      { name: "t/a/hop", type: "symlink", linkname: "b/c/up/../.." },
      { name: "t/two", type: "symlink", linkname: "a/b/c/up" },
      { name: "t/three", type: "symlink", linkname: "two/../.." },
    ]);
    const top = realpathSync(join(folder, "t"));
    for (const name of ["a/b/c/up", "two", "two/a/b/c/up/two"]) assert.equal(realpathSync(join(top, name)), top, name);
    assert.equal(skipped.length, 2, skipped.join("\n"));
    assert.equal(readlinkSync(join(folder, "t/two")), "a/b/c/up");
  });

  it("copies hard links only of what it has made, and leaves out devices and pipes", async () => {
    writeFileSync(join(folder, "own"), "the user's");
    await unpack([
      { name: "steal", type: "link", linkname: "own" },
      { name: "null", type: "character-device" },
      { name: "disk", type: "block-device" },
      { name: "pipe", type: "fifo" },
    ]);
    assert.deepEqual(readdirSync(folder), ["own"]);
    assert.equal(skipped.length, 4, skipped.join("\n"));
    await refused([{ name: "steal", type: "link", linkname: "../secret" }]);
    await refused([{ name: "steal", type: "link", linkname: join(root, "secret") }]);
  });

  it("keeps to its limits of bytes and of entries", async () => {
    const bytesMax = 1_000;
    await refused([{ name: "big", content: "x".repeat(1_001) }], "TooLarge", { bytesMax });
    await refused(
      [
        { name: "half", content: "x".repeat(600) },
        { name: "again", type: "link", linkname: "half" },
      ],
      "TooLarge",
      { bytesMax },
    );
    const many = Array.from({ length: 11 }, (_, index) => ({ name: `f${index}`, content: "" }));
    await refused(many, "TooLarge", { entriesMax: 10 });
    // Said to be a terabyte: it is not waited for.
    const [header] = await archiveOf([{ name: "sparse", content: "x" }]).then((bytes) => [bytes.subarray(0, 512)]);
    header!.set(new TextEncoder().encode("77777777777"), 124);
    header!.fill(0x20, 148, 156);
    const sum = header!.reduce((total, byte) => total + byte, 0);
    header!.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
    assert.throws(() => unpackBytes(header!), { reason: "TooLarge" });
  });

  it("is refused when it is broken off, empty, or something else", async () => {
    const whole = await archiveOf([{ name: "file", content: "x".repeat(2_000) }]);
    assert.throws(() => unpackBytes(whole.subarray(0, 1_500)), { reason: "BadRequest", message: /broken off/ });
    assert.throws(() => unpackBytes(new Uint8Array(1_024)), { reason: "BadRequest", message: /empty/ });
    assert.throws(() => unpackBytes(Buffer.from("no tar at all".repeat(100))), { reason: "BadRequest" });
  });

  it("comes back as it went: what packs and what unpacks agree", async () => {
    const source = join(folder, "source");
    mkdirSync(join(source, "sub"), { recursive: true });
    writeFileSync(join(source, "sub", "a"), "A".repeat(70_000));
    writeFileSync(join(source, "b"), "");
    symlinkSync("sub/a", join(source, "link"));
    const parts: Uint8Array[] = [];
    for await (const part of packFiles(source, (message) => skipped.push(message))) parts.push(part);
    unpackBytes(Buffer.concat(parts), { rename: "target" });
    const target = join(folder, "target");
    assert.deepEqual((readdirSync(target, { recursive: true }) as string[]).sort(), ["b", "link", "sub", "sub/a"]);
    assert.equal(readFileSync(join(target, "link"), "utf8"), "A".repeat(70_000));
    await assert.rejects(packFiles(join(folder, "nothing"), () => undefined).next(), { reason: "NotFound" });
  });
});

import assert from "node:assert/strict";
import { execFileSync, fork, type ChildProcess } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { IkadaError } from "../../../src/base/errors.js";
import type { VolumePlan } from "../../../node-agent/core/volume-plan.js";
import { openBeneath, pathOf } from "../../../node-agent/volumes/beneath.js";
import { DiskMeter } from "../../../node-agent/volumes/disk-meter.js";
import { HostVolumes } from "../../../node-agent/volumes/host-volumes.js";
import { bind, mountsWithin, unmount } from "../../../node-agent/volumes/mounts.js";
import { removeTree } from "../../../node-agent/volumes/remove-tree.js";
import { filesOf, folderOf, mountOf } from "../contract/volumes.js";

const isRoot = process.getuid?.() === 0;
/** A skipped test says in its name what it needs. */
const needsRoot = isRoot ? "" : " (skipped: needs root)";
const reader = fileURLToPath(new URL("./torn-reader-child.js", import.meta.url));

function invalid(error: unknown): boolean {
  assert.ok(error instanceof IkadaError, String(error));
  assert.equal(error.reason, "Invalid", error.message);
  return true;
}

describe("volumes on this machine", function () {
  this.timeout(60_000);
  let folder: string;
  let allowed: string;
  let volumes: HostVolumes;
  const meter = new DiskMeter();

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "ikada-volumes-")));
    allowed = join(folder, "allowed");
    mkdirSync(allowed);
    volumes = new HostVolumes({ folder: join(folder, "pods"), hostPaths: [allowed], meter });
  });
  afterEach(async () => {
    for (const uid of await list()) await remove(uid);
    assert.deepEqual(await mountsWithin(folder), []);
    rmSync(folder, { recursive: true });
  });

  const call = (run: (done: (error: Error | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => run((error) => (error ? reject(error) : resolve())));
  const apply = (plan: VolumePlan, uid = "u1") => call((done) => volumes.apply(uid, plan, done));
  const remove = (uid: string) => call((done) => volumes.remove(uid, done));
  const list = (): Promise<readonly string[]> =>
    new Promise((resolve, reject) => volumes.list((error, uids) => (error ? reject(error) : resolve(uids))));
  const volume = (name: string) => join(folder, "pods", "u1", "volumes", name);
  async function source(...mounts: Parameters<typeof mountOf>): Promise<string> {
    const [ready] = await volumes.mountsFor("u1", "main", [mountOf(...mounts)]);
    assert.ok(ready);
    return ready.source;
  }

  it("writes files as Kubernetes' atomic writer does, with their modes whatever the umask", async () => {
    const before = process.umask(0o077);
    try {
      await apply(filesOf("v", { a: "1", "sub/b": "2" }, 0o664));
    } finally {
      process.umask(before);
    }
    assert.deepEqual(
      readdirSync(volume("v")).filter((name) => !name.startsWith("..")),
      ["a", "sub"],
    );
    assert.equal(readFileSync(join(volume("v"), "sub/b"), "utf8"), "2");
    assert.equal(statSync(join(volume("v"), "a")).mode & 0o7777, 0o664);
    assert.equal(statSync(join(volume("v"), "sub")).mode & 0o7777, 0o755);
    const content = realpathSync(join(volume("v"), "..data"));
    await apply(filesOf("v", { a: "1", "sub/b": "2" }, 0o664));
    assert.equal(realpathSync(join(volume("v"), "..data")), content, "the same again swaps nothing");
    await apply(filesOf("v", { a: "1", c: "3" }));
    assert.deepEqual(
      readdirSync(volume("v")).filter((name) => !name.startsWith("..")),
      ["a", "c"],
    );
    assert.ok(!existsSync(content), "what was replaced is removed");
  });

  it("goes on after an end at any point: what a crash left behind is put right", async () => {
    await apply(filesOf("v", { a: "1" }));
    symlinkSync("nowhere", join(volume("v"), "..data_tmp"));
    mkdirSync(join(volume("v"), "..2020_01_01T00_00_00.dead"));
    rmSync(join(volume("v"), "a"));
    symlinkSync("..data/gone", join(volume("v"), "gone"));
    await apply(filesOf("v", { a: "1" }));
    assert.deepEqual(
      readdirSync(volume("v")).filter((name) => name !== "..data" && !/^\.\.\d{4}_/.test(name)),
      ["a"],
    );
    assert.equal(readdirSync(volume("v")).length, 3);
    // A power cut may leave a file that is empty.
    writeFileSync(join(volume("v"), "..data", "a"), "");
    await apply(filesOf("v", { a: "1" }));
    assert.equal(readFileSync(join(volume("v"), "a"), "utf8"), "1");
  });

  it("a reader in another process never finds a mixture of two versions", async () => {
    const text = (version: number) => `${version}\n`.repeat(2_000);
    const version = (n: number) => filesOf("v", { one: text(n), two: text(n), "sub/three": text(n) });
    await apply(version(0));
    const child = fork(reader, [volume("v")]);
    const told = await nextMessage(child);
    assert.equal(told, "reading");
    for (let n = 1; n <= 300; n++) await apply(version(n));
    const ended = nextMessage(child);
    child.send("stop");
    const { reads, versions, torn } = (await ended) as { reads: number; versions: number; torn: readonly string[] };
    assert.deepEqual(torn, []);
    assert.ok(reads > 10 && versions > 5, `${reads} reads of ${versions} versions prove little`);
  });

  it("the reader of the test before would tell a torn volume", async () => {
    await apply(filesOf("v", { one: "1\n", two: "1\n", "sub/three": "1\n" }));
    const child = fork(reader, [volume("v")]);
    await nextMessage(child);
    writeFileSync(join(volume("v"), "..data", "one"), "2\n");
    await new Promise((resolve) => setTimeout(resolve, 200));
    const ended = nextMessage(child);
    child.send("stop");
    assert.notDeepEqual(((await ended) as { torn: readonly string[] }).torn, []);
  });

  it(`gives a group what it needs${needsRoot}`, async function () {
    if (!isRoot) this.skip();
    await apply({ ...filesOf("v", { a: "1" }, 0o400), group: 4242 } as VolumePlan);
    const file = statSync(join(volume("v"), "a"));
    assert.deepEqual([file.gid, file.mode & 0o7777], [4242, 0o440]);
    await apply({ ...folderOf("work"), group: 4242 } as VolumePlan);
    const work = statSync(volume("work"));
    assert.deepEqual([work.gid, work.mode & 0o7777], [4242, 0o2777]);
    chmodSync(volume("work"), 0o700);
    await apply({ ...folderOf("work"), group: 4242 } as VolumePlan);
    assert.equal(statSync(volume("work")).mode & 0o777, 0o700, "what was made of it since stays");
  });

  it(`a folder in memory has its limit, survives a second look, and is gone with the Pod${needsRoot}`, async function () {
    if (!isRoot) this.skip();
    const plan: VolumePlan = { kind: "folder", name: "m", medium: "memory", sizeLimitBytes: 65_536, group: undefined };
    await apply(plan);
    writeFileSync(join(volume("m"), "file"), "kept");
    await apply(plan);
    assert.equal(readFileSync(join(volume("m"), "file"), "utf8"), "kept");
    assert.equal((await mountsWithin(folder)).length, 1);
    assert.throws(() => writeFileSync(join(volume("m"), "big"), Buffer.alloc(100_000)), /ENOSPC/);
    await remove("u1");
    assert.deepEqual(await mountsWithin(folder), []);
  });

  describe(`parts of volumes${needsRoot}`, () => {
    beforeEach(async function () {
      if (!isRoot) this.skip();
      await apply(folderOf("work"));
      writeFileSync(join(folder, "secret"), "of the machine");
    });

    it("are made when they are missing, and are the very file that was checked", async () => {
      const made = await source("work", "/w", { subPath: "a/b" });
      assert.equal(statSync(made).mode & 0o7777, 0o777);
      writeFileSync(join(volume("work"), "a/b/file"), "inside");
      assert.equal(readFileSync(join(made, "file"), "utf8"), "inside");
      // Swapped after the check: the container keeps what was checked.
      renameSync(join(volume("work"), "a"), join(volume("work"), "old"));
      symlinkSync(folder, join(volume("work"), "a"));
      assert.equal(readFileSync(join(made, "file"), "utf8"), "inside");
      await assert.rejects(source("work", "/w", { subPath: "a/allowed" }), invalid);
    });

    it("follow links within the volume and none out of it", async () => {
      mkdirSync(join(volume("work"), "real"));
      writeFileSync(join(volume("work"), "real/file"), "inside");
      symlinkSync("real", join(volume("work"), "link"));
      assert.equal(readFileSync(await source("work", "/w", { subPath: "link/file" }), "utf8"), "inside");
      const attacks: Readonly<Record<string, string>> = {
        absolute: folder,
        climbing: "../../../../secret",
        file: join(folder, "secret"),
        root: "/",
        self: "self",
        dangling: "/nowhere/at/all",
        proc: "/proc/self/root",
      };
      for (const [name, target] of Object.entries(attacks)) {
        symlinkSync(target, join(volume("work"), name));
        await assert.rejects(source("work", "/w", { subPath: name }), invalid, name);
        await assert.rejects(source("work", "/w", { subPath: `${name}/x` }), invalid, `${name}/x`);
      }
      for (const subPath of ["..", "a/../../x", "/../x", "a\0b"])
        await assert.rejects(source("work", "/w", { subPath }), invalid, subPath);
    });

    it("lead nowhere else while somebody swaps them as fast as can be", async () => {
      const root = volume("work");
      mkdirSync(join(root, "d/e"), { recursive: true });
      writeFileSync(join(root, "d/e/file"), "inside");
      mkdirSync(join(folder, "outside/e"), { recursive: true });
      writeFileSync(join(folder, "outside/e/file"), "outside");
      let [opened, refusals] = [0, 0];
      await whileSwapping(root, join(folder, "outside"), async () => {
        for (let n = 0; n < 3_000; n++) {
          try {
            const handle = await openBeneath(root, "d/e/file");
            assert.equal(readFileSync(pathOf(handle), "utf8"), "inside");
            await handle.close();
            opened++;
          } catch (error) {
            invalid(error);
            refusals++;
          }
        }
      });
      assert.ok(opened > 0 && refusals > 0, `${opened} opened, ${refusals} refused: the race did not happen`);
    });

    it("are mounted from nowhere else while somebody swaps them as fast as can be", async () => {
      const root = volume("work");
      mkdirSync(join(root, "d/e"), { recursive: true });
      writeFileSync(join(root, "d/e/file"), "inside");
      mkdirSync(join(folder, "outside/e"), { recursive: true });
      writeFileSync(join(folder, "outside/e/file"), "outside");
      const target = join(folder, "target");
      writeFileSync(target, "");
      let [mounted, refusals] = [0, 0];
      await whileSwapping(root, join(folder, "outside"), async () => {
        for (let n = 0; n < 60; n++) {
          try {
            const handle = await openBeneath(root, "d/e/file");
            await bind(handle, target);
            await handle.close();
            assert.equal(readFileSync(target, "utf8"), "inside");
            await unmount(target);
            mounted++;
          } catch (error) {
            invalid(error);
            refusals++;
          }
        }
      });
      assert.ok(mounted > 0 && refusals > 0, `${mounted} mounted, ${refusals} refused: the race did not happen`);
    });

    it("named with what only looks like dots and slashes are plain names", async () => {
      for (const name of ["\u2024\u2024", "\uff0e\uff0e", "\u2025", "a\u2215b", "%2e%2e", "..\u200b", "..."]) {
        const made = await source("work", "/w", { subPath: `${name}/x` });
        writeFileSync(join(made, "file"), name);
        assert.equal(readFileSync(join(volume("work"), name, "x/file"), "utf8"), name);
      }
    });

    it("are the machine's own only below what is allowed", async () => {
      mkdirSync(join(allowed, "data"));
      writeFileSync(join(allowed, "data/file"), "shared");
      symlinkSync(folder, join(allowed, "out"));
      mkdirSync(join(folder, "allowed-not"));
      const host = (path: string, type = "") => apply({ kind: "host", name: "h", path, type });
      await host(join(allowed, "data"), "Directory");
      await host(join(allowed, "made/deep"), "DirectoryOrCreate");
      await host(join(allowed, "made/file"), "FileOrCreate");
      assert.ok(statSync(join(allowed, "made/deep")).isDirectory() && statSync(join(allowed, "made/file")).isFile());
      for (const [path, type] of [
        ["/etc", ""],
        ["/", ""],
        [join(allowed, "out"), ""],
        [join(allowed, "out/secret"), ""],
        [join(allowed, "../secret"), ""],
        [`${allowed}/data/../../secret`, ""],
        [`${allowed}-not`, ""],
        [join(allowed, "out/made"), "DirectoryOrCreate"],
        [join(allowed, "none"), ""],
        [join(allowed, "data"), "File"],
        [join(allowed, "data/file"), "Socket"],
        ["relative", ""],
      ] as const)
        await assert.rejects(host(path, type), invalid, path);
      const mount = { hostPath: join(allowed, "data") };
      assert.equal(readFileSync(join(await source("h", "/h", mount), "file"), "utf8"), "shared");
      assert.equal(readFileSync(await source("h", "/h", { ...mount, subPath: "file" }), "utf8"), "shared");
      await assert.rejects(source("h", "/h", { ...mount, subPath: "../../secret" }), invalid);
      await remove("u1");
      assert.equal(readFileSync(join(allowed, "data/file"), "utf8"), "shared", "what is the machine's stays");
    });
  });

  describe(`are removed${needsRoot}`, () => {
    beforeEach(async function () {
      if (!isRoot) this.skip();
      await apply(folderOf("work"));
      mkdirSync(join(folder, "outside/e"), { recursive: true });
      writeFileSync(join(folder, "outside/e/file"), "outside");
    });
    const outside = () => readFileSync(join(folder, "outside/e/file"), "utf8");

    it("without what links in them lead to, also while somebody swaps folders with such links", async () => {
      for (let n = 0; n < 10; n++) {
        await apply(folderOf("work"));
        const root = volume("work");
        mkdirSync(join(root, "d/e"), { recursive: true });
        for (let at = 0; at < 50; at++) writeFileSync(join(root, "d/e", `${at}`), "inside");
        symlinkSync(join(folder, "outside"), join(root, "plain"));
        await whileSwapping(root, join(folder, "outside"), () => remove("u1"));
        assert.equal(outside(), "outside");
        assert.ok(!existsSync(join(folder, "pods/u1")));
      }
    });

    it("however deep they are, whatever their names are made of, and in pieces", async () => {
      const deep = `const { mkdirSync } = require("fs");
        for (let n = 0; n < 600; n++) { mkdirSync("a".repeat(20)); process.chdir("a".repeat(20)); }
        mkdirSync("last");`;
      execFileSync(process.execPath, ["-e", deep], { cwd: volume("work") });
      const bytes = Buffer.concat([Buffer.from(`${volume("work")}/`), Buffer.from([0xff, 0xfe, 0x0a, 0x80])]);
      mkdirSync(bytes);
      writeFileSync(Buffer.concat([bytes, Buffer.from([0x2f, 0xc3])]), "no text");
      mkdirSync(join(folder, "pods/u1/.removing-0/left"), { recursive: true });
      await remove("u1");
      assert.ok(!existsSync(join(folder, "pods/u1")));
    });

    it("and what is mounted in them stays as it is, even when nobody knew of it", async () => {
      const inner = join(volume("work"), "a/b");
      mkdirSync(inner, { recursive: true });
      execFileSync("mount", ["--bind", join(folder, "outside"), inner]);
      try {
        await assert.rejects(removeTree(join(folder, "pods/u1")), { code: "EBUSY" });
        assert.equal(outside(), "outside");
        writeFileSync(join(folder, "pods/u1/file"), "");
        execFileSync("mount", ["--bind", join(folder, "outside/e/file"), join(folder, "pods/u1/file")]);
        await assert.rejects(removeTree(join(folder, "pods/u1")), { code: "EBUSY" });
        assert.equal(outside(), "outside");
      } finally {
        for (const at of await mountsWithin(join(folder, "pods"))) execFileSync("umount", [at]);
      }
      await remove("u1");
      assert.equal(outside(), "outside");
    });

    it("what is no Pod's is nobody's", async () => {
      mkdirSync(join(folder, "pods/lost+found"));
      assert.deepEqual(await list(), ["u1"]);
      rmSync(join(folder, "pods/lost+found"), { recursive: true });
    });
  });

  it(`no hostPath reaches the agent's own folder, nor one that a link has taken the place of${needsRoot}`, async function () {
    if (!isRoot) this.skip();
    const own = join(allowed, "agent");
    mkdirSync(join(own, "pods"), { recursive: true });
    mkdirSync(join(allowed, "inner"));
    symlinkSync(own, join(allowed, "to-agent"));
    const nested = new HostVolumes({
      folder: join(own, "pods"),
      ownFolder: own,
      meter,
      hostPaths: [join(allowed, "inner"), allowed],
    });
    const host = (path: string) =>
      call((done) => nested.apply("u1", { kind: "host", name: "h", path, type: "" }, done));
    await host(join(allowed, "inner"));
    for (const path of [own, join(own, "pods"), join(allowed, "to-agent")])
      await assert.rejects(host(path), invalid, path);
    // Who may write in the outer one puts a link in place of the inner one.
    rmSync(join(allowed, "inner"), { recursive: true });
    symlinkSync("/etc", join(allowed, "inner"));
    for (const path of ["/etc", join(allowed, "inner"), join(allowed, "inner/passwd")])
      await assert.rejects(host(path), invalid, path);
  });

  it("takes no name for a path", async () => {
    for (const name of ["..", "../x", "a/b", "", "."]) {
      await assert.rejects(apply(folderOf(name)), invalid, name);
      await assert.rejects(apply(folderOf("v"), name), invalid, name);
      await assert.rejects(remove(name), invalid, name);
    }
  });
});

/** Somebody swaps the folder `d` of `root` with a link to `outside` meanwhile. */
async function whileSwapping(root: string, outside: string, run: () => Promise<void>): Promise<void> {
  const swapper = fork(fileURLToPath(new URL("./swapper-child.js", import.meta.url)), [root, outside], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  await nextMessage(swapper);
  const ended = new Promise((resolve) => swapper.once("exit", resolve));
  try {
    await run();
  } finally {
    swapper.kill("SIGKILL");
    await ended;
  }
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`the child ended with ${code}`)));
  });
}

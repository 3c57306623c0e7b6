import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { Disk } from "../../src/base/env.js";
import { diskContract } from "../sim/disk-contract.js";
import { hostEnv, type HostEnv } from "../../src/host/env.js";
import { parseFailpoints } from "../../src/host/failpoint.js";
import { formatLine, hostLog, silentLog } from "../../src/host/log.js";

describe("host", () => {
  let folder: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "ikada-host-"));
  });
  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  it("keeps files in its folder, for its owner only", async () => {
    const dataFolder = path.join(folder, "data");
    await using env = closing(hostEnv({ dataFolder, log: silentLog }));
    const { disk } = env;
    const call = (start: (done: (error: Error | null) => void) => void): Promise<void> => promisify(start)();
    await call((done) => disk.makeFolder("a/b", done));
    await assert.rejects(
      call((done) => disk.read("a/b/file", 0, 10, done)),
      /ENOENT/,
    );
    await assert.rejects(
      call((done) => disk.sync("a/b/file", done)),
      /ENOENT/,
    );
    await call((done) => disk.write("a/b/file", 3, new Uint8Array([1, 2]), done));
    await call((done) => disk.sync("a/b/file", done));
    await call((done) => disk.rename("a/b/file", "a/b/renamed", done));
    await call((done) => disk.write("a/b/file", 0, new Uint8Array([9]), done));
    await call((done) => disk.syncFolder("a/b", done));
    const read = promisify((name: string, done: (error: Error | null, bytes: Uint8Array) => void) =>
      disk.read(name, 0, 100, done),
    );
    assert.deepEqual(await read("a/b/renamed"), new Uint8Array([0, 0, 0, 1, 2]));
    assert.deepEqual(await read("a/b/file"), new Uint8Array([9]));
    const size = promisify((name: string, done: (error: Error | null, bytes: number) => void) => disk.size(name, done));
    await call((done) => disk.truncate("a/b/renamed", 4, done));
    assert.equal(await size("a/b/renamed"), 4);
    await call((done) => disk.remove("a/b/renamed", done));
    await call((done) => disk.remove("a/b/renamed", done));
    assert.equal(await size("a/b/renamed"), -1);
    const list = promisify((name: string, done: (error: Error | null, names: string[]) => void) =>
      disk.list(name, done),
    );
    assert.deepEqual(await list("a/b"), ["file"]);
    assert.deepEqual(await list("nowhere"), []);
    assert.equal(fs.statSync(path.join(dataFolder, "a/b")).mode & 0o777, 0o700);
    assert.equal(fs.statSync(path.join(dataFolder, "a/b/file")).mode & 0o777, 0o600);
    for (const outside of ["../x", "/etc/passwd", "a/../../x", "a//b", "a\0b"]) {
      assert.throws(() => disk.write(outside, 0, new Uint8Array(1), () => undefined), /stays inside the data folder/);
    }
  });

  diskContract(() => ({
    disk: hostEnv({ dataFolder: folder, log: silentLog }).disk,
    settle: async (done) => {
      while (!done()) await new Promise((resolve) => setImmediate(resolve));
    },
  }));

  describe("with a thread for a folder", () => {
    let env: HostEnv;

    beforeEach(async () => {
      env = hostEnv({ dataFolder: folder, threadFolder: "log", log: silentLog });
      await promisify((done: (error: Error | null) => void) => env.disk.makeFolder("log", done))();
    });

    afterEach(() => env.close());

    diskContract(() => ({
      disk: inFolder("log", env.disk),
      settle: async (done) => {
        while (!done()) await new Promise((resolve) => setImmediate(resolve));
      },
    }));

    it("says what is wrong with an error's code, and forgets what was renamed or removed", async () => {
      const { disk } = env;
      const call = async (run: (done: (error: Error | null) => void) => void): Promise<void> => {
        await promisify((done: (error: Error | null) => void) => run(done))();
      };
      await assert.rejects(
        call((done) => disk.sync("log/none", done)),
        { code: "ENOENT" },
      );
      await call((done) => disk.write("log/a", 0, new Uint8Array([1]), done));
      await call((done) => disk.rename("log/a", "log/b", done));
      await call((done) => disk.write("log/a", 0, new Uint8Array([2]), done));
      await call((done) => disk.write("log/b", 1, new Uint8Array([3]), done));
      await call((done) => disk.remove("log/a", done));
      await call((done) => disk.write("log/a", 0, new Uint8Array([4, 4]), done));
      await call((done) => disk.syncFolder("log", done));
      assert.deepEqual([...fs.readFileSync(path.join(folder, "log/a"))], [4, 4]);
      assert.deepEqual([...fs.readFileSync(path.join(folder, "log/b"))], [1, 3]);
    });

    for (const place of ["log", "others"]) {
      it(`writes durably in ${place}, and tells a write that failed from a sync that did`, async () => {
        fs.mkdirSync(path.join(folder, place), { recursive: true });
        // A device that takes nothing, and one that can't be synced.
        fs.symlinkSync("/dev/full", path.join(folder, place, "full"));
        fs.symlinkSync("/dev/null", path.join(folder, place, "null"));
        const attempt = (name: string): Promise<[code: unknown, isWritten: boolean]> =>
          new Promise((resolve) => {
            env.disk.writeDurably?.(`${place}/${name}`, 1, new Uint8Array([7]), (error, isWritten) =>
              resolve([error && (error as NodeJS.ErrnoException).code, isWritten]),
            );
          });
        assert.deepEqual(await attempt("file"), [null, true]);
        assert.deepEqual([...fs.readFileSync(path.join(folder, place, "file"))], [0, 7]);
        assert.deepEqual(await attempt("full"), ["ENOSPC", false]);
        assert.deepEqual(await attempt("null"), ["EINVAL", true]);
      });
    }

    it("fails what is asked for when the thread has ended", async () => {
      await env.close();
      const write = promisify((done: (error: Error | null) => void) =>
        env.disk.write("log/a", 0, new Uint8Array(1), done),
      );
      await assert.rejects(write(), /thread has ended/);
    });
  });

  it("serves many files with few open ones, and writes that come before the file", async () => {
    await using env = closing(hostEnv({ dataFolder: folder, log: silentLog }));
    const { disk } = env;
    const write = promisify((name: string, at: number, done: (error: Error | null) => void) =>
      disk.write(name, at, new Uint8Array([at]), done),
    );
    const sync = promisify((name: string, done: (error: Error | null) => void) => disk.sync(name, done));
    const missed = sync("f0").catch((error: unknown) => String(error));
    await Promise.all(Array.from({ length: 300 }, (_, at) => write(`f${at % 150}`, at)));
    assert.match(String(await missed), /ENOENT/);
    const open = fs.readdirSync("/proc/self/fd").filter((descriptor) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(folder);
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, "ENOENT");
        return false;
      }
    });
    assert.ok(open.length <= 64, `${open.length} files open`);
    assert.equal(fs.readFileSync(path.join(folder, "f149"))[299], 299 & 255);
  }).timeout(90_000);

  it("fires timers not early and not after a cancel", async () => {
    await using env = closing(hostEnv({ dataFolder: folder, log: silentLog }));
    const { clock, timers } = env;
    let cancelled = true;
    timers.after(1, () => (cancelled = false)).cancel();
    for (const delayMs of [0, 1, 3.7, 11.2]) {
      const startMs = clock.monotonic();
      await new Promise<void>((resolve) => {
        timers.after(delayMs, resolve);
      });
      assert.ok(clock.monotonic() - startMs >= delayMs);
    }
    assert.ok(cancelled);
    timers.after(2 ** 33, () => assert.fail("fired 2^33 ms early")).cancel();
    const { random } = env;
    assert.equal(random.bytes(7).length, 7);
    assert.ok(random.int(3) < 3 && random.next() < 1);
  });

  it("parses failpoints strictly and acts on the named pass", () => {
    for (const wrong of ["a", "a=", "a=stop", "a=kill@0", "a=sleep", "a=sleep:x", "a=kill@1x", "=kill", "a b=kill"]) {
      assert.throws(() => parseFailpoints(wrong), /is not understood/, wrong);
    }
    const failpoint = parseFailpoints("a=error@2; b=error;c=sleep:1@1");
    failpoint("a");
    assert.throws(() => failpoint("a"), /failpoint a/);
    failpoint("a");
    failpoint("c");
    failpoint("unknown");
    assert.throws(() => failpoint("b"), /failpoint b/);
    const module = new URL("../../src/host/failpoint.js", import.meta.url).href;
    const script = `import { parseFailpoints } from "${module}"; const f = parseFailpoints("x=kill@2"); f("x"); console.log("one"); f("x"); console.log("two");`;
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    assert.deepEqual([child.signal, child.stdout], ["SIGKILL", "one\n"]);
  });

  it("writes JSON lines without secrets and without what is below the level", async () => {
    const line = formatLine("t", "info", "joined", {
      node: 1,
      joinToken: "a",
      private_key: "b",
      PASSWORD: "c",
      authorization: "d",
      level: "mine",
      tokenizer: "kept",
      monkey: "kept",
      missing: undefined,
    });
    assert.deepEqual(JSON.parse(line), {
      time: "t",
      level: "info",
      message: "joined",
      node: 1,
      joinToken: "[redacted]",
      private_key: "[redacted]",
      PASSWORD: "[redacted]",
      authorization: "[redacted]",
      field_level: "mine",
      tokenizer: "kept",
      monkey: "kept",
    });
    const file = path.join(folder, "log");
    const log = hostLog({ level: "warn", file, fields: { process: "test" } }).with({ part: "x" });
    log.info("hidden");
    log.error("seen", { at: 3 });
    for (
      let tries = 0;
      tries < 100 && !(fs.existsSync(file) && fs.readFileSync(file, "utf8").endsWith("\n"));
      tries++
    ) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const [first, rest] = fs.readFileSync(file, "utf8").split("\n");
    assert.equal(rest, "");
    const { time, ...fields } = JSON.parse(first ?? "") as Record<string, unknown>;
    assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
    assert.deepEqual(fields, { level: "error", message: "seen", process: "test", part: "x", at: 3 });
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  });
});

/** An environment that is closed at the end of its block. */
function closing<T extends { close(): Promise<void> }>(resource: T): T & AsyncDisposable {
  return Object.assign(resource, { [Symbol.asyncDispose]: () => resource.close() });
}

/** The disk as seen from one of its folders. */
function inFolder(folder: string, disk: Disk): Disk {
  const inside = (name: string): string => (name === "" ? folder : `${folder}/${name}`);
  return {
    list: (name, done) => disk.list(inside(name), done),
    makeFolder: (name, done) => disk.makeFolder(inside(name), done),
    size: (name, done) => disk.size(inside(name), done),
    read: (name, offset, length, done) => disk.read(inside(name), offset, length, done),
    write: (name, offset, bytes, done) => disk.write(inside(name), offset, bytes, done),
    sync: (name, done) => disk.sync(inside(name), done),
    syncFolder: (name, done) => disk.syncFolder(inside(name), done),
    truncate: (name, length, done) => disk.truncate(inside(name), length, done),
    rename: (from, to, done) => disk.rename(inside(from), inside(to), done),
    remove: (name, done) => disk.remove(inside(name), done),
  };
}

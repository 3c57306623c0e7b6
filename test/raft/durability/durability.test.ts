import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readTrace, type Acknowledged } from "./trace.js";

const texts = Array.from({ length: 40 }, (_, at) => `entry-${String(at).padStart(4, "0")}.`);

/** The message that says that entries are committed, among the writes of a member to its IPC channel. */
function acknowledged(args: string): string[] {
  return args.includes("committed") ? texts.filter((text) => args.includes(text)) : [];
}

async function traced(nodeOptions: string): Promise<Acknowledged[]> {
  const folder = mkdtempSync(path.join(tmpdir(), "ikada-trace-"));
  const output = path.join(folder, "trace");
  const child = fileURLToPath(new URL("./traced-child.js", import.meta.url));
  const calls = "trace=write,writev,sendmsg,pwrite64,pwritev,fdatasync,fsync";
  const args = [
    "-f",
    "--seccomp-bpf",
    "-y",
    "-s",
    "16384",
    "-o",
    output,
    "-e",
    calls,
    process.execPath,
    child,
    ...texts,
  ];
  try {
    const strace = spawn("strace", args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, NODE_OPTIONS: nodeOptions },
    });
    const code = await new Promise((resolve, reject) => strace.once("exit", resolve).once("error", reject));
    assert.equal(code, 0);
    return readTrace(readFileSync(output, "utf8"), texts, acknowledged);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("durability, as the kernel sees it", () => {
  it("has a completed sync between each append and its acknowledgement, on both members", async () => {
    const found = await traced("");
    assert.deepEqual(found.map(({ text }) => text).sort(), texts);
    for (const { text, durableIn } of found) assert.equal(durableIn.length, 2, `${text} in ${durableIn.join()}`);
  }).timeout(90_000);

  it("misses it where syncs do nothing", async () => {
    const found = await traced(`--import=${new URL("./no-sync-child.js", import.meta.url).href}`);
    assert.equal(found.length, texts.length);
    assert(found.every(({ durableIn }) => durableIn.length === 0));
  }).timeout(90_000);
});

describe("the trace of a log", () => {
  const text = texts[0] as string;
  const write = `7 pwrite64(21</d-1/log/0000000000000001.seg>, "ab${text}", 99, 64) = 99`;
  const acknowledgement = `6 write(3<socket:[1]>, "committed ${text}", 20) = 20`;
  const durable = (...lines: string[]): number | undefined =>
    readTrace(lines.join("\n"), texts, acknowledged)[0]?.durableIn.length;

  it("counts a sync that was asked for after the write, and completed before the answer", () => {
    const sync = "7 fdatasync(21</d-1/log/0000000000000001.seg>) = 0";
    const [asked, done] = [
      "8 fdatasync(21</d-1/log/0000000000000001.seg> <unfinished ...>",
      "8 <... fdatasync resumed>) = 0",
    ];
    assert.equal(durable(write, sync, acknowledgement), 1);
    assert.equal(durable(write, asked, done, acknowledgement), 1);
    assert.equal(durable(write, acknowledgement, sync), 0);
    assert.equal(durable(sync, write, acknowledgement), 0);
    assert.equal(durable(asked, write, done, acknowledgement), 0);
    assert.equal(durable(write, asked, acknowledgement, done), 0);
    assert.equal(durable(write, "7 fdatasync(22</d-1/log/marker>) = 0", acknowledgement), 0);
    assert.equal(durable(write, "7 fdatasync(21</d-1/log/0000000000000001.seg>) = -1 EIO (x)", acknowledgement), 0);
  });
});

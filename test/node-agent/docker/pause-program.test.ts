import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FrameSplitter } from "../../../node-agent/docker/frames.js";
import { pauseProgram } from "../../../node-agent/docker/pause-program.js";
import { sandboxImageArchive } from "../../../node-agent/docker/sandbox-image.js";

describe("pause program", () => {
  it("is the same bytes for ever, for both machines", async () => {
    for (const architecture of ["amd64", "arm64"] as const) {
      const program = Buffer.from(pauseProgram(architecture));
      assert.equal(program.readUInt32BE(0), 0x7f454c46);
      assert.equal(Number(program.readBigUInt64LE(24)), 0x400000 + 120, "the entry is behind the headers");
      assert.equal(program.at(-8), 2, "the signal set is last");
      const [first, second] = [await sandboxImageArchive(architecture), await sandboxImageArchive(architecture)];
      assert.ok(first.equals(second));
    }
  });

  it("waits, and ends with 0 on SIGTERM and SIGINT", async function () {
    if (process.platform !== "linux" || process.arch !== "x64") return;
    const folder = mkdtempSync(join(tmpdir(), "ikada-pause-"));
    const file = join(folder, "pause");
    writeFileSync(file, pauseProgram("amd64"), { mode: 0o755 });
    try {
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        const child = spawn(file, [], { stdio: "ignore" });
        after(() => child.kill("SIGKILL"));
        const ended = new Promise((resolve) => child.once("exit", (code, by) => resolve(code ?? by)));
        await new Promise((resolve) => child.once("spawn", resolve));
        await new Promise((resolve) => setTimeout(resolve, 100));
        assert.equal(child.exitCode, null);
        const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
        assert.match(status, /^SigIgn:\t0*10000$/m, "SIGCHLD: orphans are reaped");
        child.kill(signal);
        assert.equal(await ended, 0, signal);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("frames of the engine's output", () => {
  it("are put together from chunks of any size", () => {
    const frame = (stream: number, text: string): Buffer => {
      const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
      header.writeUInt32BE(Buffer.byteLength(text), 4);
      return Buffer.concat([header, Buffer.from(text)]);
    };
    const whole = Buffer.concat([frame(1, "one\n"), frame(2, ""), frame(2, "two\n"), frame(1, "x".repeat(300))]);
    for (let size = 1; size <= whole.length; size++) {
      const read = { stdout: "", stderr: "" };
      const splitter = new FrameSplitter((stream, bytes) => {
        read[stream] += Buffer.from(bytes).toString();
      });
      for (let at = 0; at < whole.length; at += size) splitter.push(whole.subarray(at, at + size));
      assert.deepEqual(read, { stdout: `one\n${"x".repeat(300)}`, stderr: "two\n" });
    }
  });
});

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** So long threads are watched to see which of them write to the disk. */
const watchMs = 300;
/** Longer than any test lets it hang. */
const hangMs = 120_000;

/**
 * Hangs the disk of one process, as a dead controller does: from now on its writes and syncs neither fail nor return; or slows
 * it down. Only the threads that write are traced, since a traced thread is slow in everything. Needs strace, and root.
 */
export class DiskHang {
  readonly #strace: ChildProcess;

  private constructor(strace: ChildProcess) {
    this.#strace = strace;
  }

  /**
   * Resolves when the disk hangs; with `delayMs` each write and sync begins so much later instead.
   * @throws Error when no thread of the process writes, or strace can't attach
   */
  static async begin(pid: number, delayMs = hangMs): Promise<DiskHang> {
    const threads = await writingThreads(pid);
    if (threads.length === 0) throw new Error(`no thread of process ${pid} has written to its disk in ${watchMs} ms`);
    const calls = "fdatasync,fsync,pwrite64,pwritev";
    const inject = ["-e", `trace=${calls}`, "-e", `inject=${calls}:delay_enter=${delayMs * 1_000}`, "-o", "/dev/null"];
    const attach = threads.flatMap((thread) => ["-p", String(thread)]);
    const strace = spawn("strace", [...inject, ...attach], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    await new Promise<void>((resolve, reject) => {
      strace.stderr!.on("data", (text: Buffer) => {
        said += text.toString();
        if (said.split("attached").length > threads.length) resolve();
      });
      strace.once("error", reject);
      strace.once("exit", () => reject(new Error(`strace ended: ${said}`)));
    });
    return new DiskHang(strace);
  }

  /** The calls that hang go through, and later ones as ever. */
  async end(): Promise<void> {
    if (this.#strace.exitCode !== null || this.#strace.signalCode !== null) return;
    const ended = once(this.#strace, "exit");
    this.#strace.kill("SIGTERM");
    await ended;
  }
}

async function writingThreads(pid: number): Promise<number[]> {
  const before = writtenBytes(pid);
  await sleep(watchMs);
  return [...writtenBytes(pid)]
    .filter(([thread, bytes]) => bytes > (before.get(thread) ?? 0))
    .map(([thread]) => thread);
}

/** Bytes that each thread has caused to be written to the disk so far. */
function writtenBytes(pid: number): Map<number, number> {
  const bytes = new Map<number, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const written = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/task/${thread}/io`, "utf8"))?.[1];
      bytes.set(Number(thread), Number(written));
    } catch {
      continue; // The thread has ended since the folder was read.
    }
  }
  return bytes;
}

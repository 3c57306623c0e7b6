import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Log } from "../src/base/env.js";

const main = fileURLToPath(new URL("./guard-main.js", import.meta.url));
/** Between the end of a guard and the start of the next. */
const pauseMs = 1_000;

/**
 * Keeps a guard of the fencing leases beside the agent while the node has any: a process of its own, which outlives this one and ends by
 * itself (guard-main.ts). It learns of the agent's end by the end of its input.
 */
export class GuardProcess {
  readonly #configFile: string;
  readonly #log: Log;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #wanted = false;

  constructor(configFile: string, log: Log) {
    this.#configFile = configFile;
    this.#log = log;
  }

  keep(wanted: boolean): void {
    this.#wanted = wanted;
    if (wanted && this.#child === undefined && this.#timer === undefined) this.#start();
    // The file may still have leases: it ends when they have run out.
    if (!wanted) this.#release();
  }

  close(): void {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#release();
  }

  #release(): void {
    this.#child?.stdin?.end();
    this.#child?.unref();
    this.#child = undefined;
  }

  #start(): void {
    const args = [main, "--config", this.#configFile];
    const child = spawn(process.execPath, args, { detached: true, stdio: ["pipe", "inherit", "inherit"] });
    this.#child = child;
    child.stdin?.on("error", () => undefined);
    const again = (why: string): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      if (!this.#wanted) return;
      this.#log.error("the guard of the fencing leases ended; another one is started", { why });
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        if (this.#wanted) this.#start();
      }, pauseMs);
    };
    child.once("error", (error) => again(error.message));
    child.once("exit", (code, signal) => again(signal ?? `code ${code}`));
  }
}

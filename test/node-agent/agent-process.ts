import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync, openSync, closeSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestIdentity } from "./test-server.js";

const main = fileURLToPath(new URL("../../node-agent/main.js", import.meta.url));

/** The agent as users start it: a process of its own with a configuration file. */
export class AgentProcess {
  readonly #configFile: string;
  readonly #logFile: string;
  #child: ChildProcess | undefined;

  constructor(identity: TestIdentity, config: Readonly<Record<string, unknown>>) {
    this.#configFile = join(identity.folder, "agent.json");
    this.#logFile = join(identity.folder, "agent.log");
    const tls = { ca: "ca.pem", certificate: "node.pem", key: "node.key" };
    writeFileSync(this.#configFile, JSON.stringify({ dataFolder: "data", tls, ...config }));
  }

  start(...flags: readonly string[]): void {
    const log = openSync(this.#logFile, "a");
    this.#child = spawn(process.execPath, [main, "--config", this.#configFile, ...flags], {
      stdio: ["ignore", log, log],
    });
    closeSync(log);
  }

  get log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  /** Resolves with the exit code, or the signal's name. */
  ended(): Promise<number | string> {
    const child = this.#child;
    if (child === undefined) return Promise.resolve("never started");
    if (child.exitCode !== null || child.signalCode !== null)
      return Promise.resolve(child.exitCode ?? child.signalCode ?? "");
    return new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal ?? "")));
  }

  async signal(signal: "SIGTERM" | "SIGKILL"): Promise<number | string> {
    this.#child?.kill(signal);
    return this.ended();
  }
}

/** Waits for a condition, not for a time; the deadline is only there for a test that fails. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 45_000,
): Promise<void> {
  const limit = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > limit) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Keeps the processes of one local cluster running, as systemd does on a real machine: a process that dies is
 * started again after a pause that doubles from 100 ms to 5 s; one that ends by itself with code 0, as after
 * SIGTERM, was stopped on purpose and stays down until the supervisor gets SIGHUP, and so does a server that was removed
 * from its cluster (code 4). SIGHUP makes it read its list again: what is down or new is started, what is not listed any more is
 * stopped. SIGTERM to the supervisor stops all.
 */
export interface SupervisedProcess {
  /** Unique; names its log and pid file. */
  readonly name: string;
  /** Words in front of node, for example to run it in a network namespace: a command that becomes what it runs. */
  readonly prefix: readonly string[];
  /** Arguments to node. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const pauseMsMin = 100;
const pauseMsMax = 5_000;
/** A run this long makes the next failure a first failure again. */
const steadyMs = 30_000;
/** Given to a process between SIGTERM and SIGKILL. */
const stopMsMax = 10_000;
const logBytesMax = 64 * 1024 * 1024;

class Supervised {
  readonly #process: SupervisedProcess;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = pauseMsMin;
  #stopping = false;
  #ended: () => void = () => undefined;

  constructor(process: SupervisedProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
  }

  start(): void {
    if (this.#child) return;
    clearTimeout(this.#timer);
    const { name, prefix, args, env } = this.#process;
    const logFile = join(this.#folder, "logs", `${name}.log`);
    keepSmall(logFile);
    const log = openSync(logFile, "a");
    const startedAt = performance.now();
    const [command, ...words] = [...prefix, process.execPath, ...args] as [string, ...string[]];
    const child = spawn(command, words, { stdio: ["ignore", log, log], env: { ...process.env, ...env } });
    closeSync(log);
    this.#child = child;
    const pidFile = join(this.#folder, "run", `${name}.pid`);
    if (child.pid !== undefined) writeFileSync(pidFile, String(child.pid));
    child.once("error", (error) => report(`${name} could not be started: ${error.message}`));
    child.once("exit", (code, signal) => {
      rmSync(pidFile, { force: true });
      this.#child = undefined;
      report(`${name} ended with ${signal ?? `code ${code}`}`);
      if (this.#stopping || code === 0 || code === 4) return this.#ended();
      this.#pauseMs = performance.now() - startedAt > steadyMs ? pauseMsMin : Math.min(this.#pauseMs * 2, pauseMsMax);
      this.#timer = setTimeout(() => this.start(), this.#pauseMs);
    });
  }

  stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child) return Promise.resolve();
    return new Promise((resolve) => {
      const kill = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
      this.#ended = () => {
        clearTimeout(kill);
        resolve();
      };
      child.kill("SIGTERM");
    });
  }
}

function keepSmall(file: string): void {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > logBytesMax) renameSync(file, `${file}.1`);
}

function report(message: string): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), message })}\n`);
}

function main(folder: string): void {
  const listed = (): readonly SupervisedProcess[] =>
    JSON.parse(readFileSync(join(folder, "supervisor.json"), "utf8")) as readonly SupervisedProcess[];
  for (const name of ["logs", "run"]) mkdirSync(join(folder, name), { recursive: true });
  const pidFile = join(folder, "run", "supervisor.pid");
  writeFileSync(pidFile, String(process.pid));
  const supervised = new Map(listed().map((item) => [item.name, new Supervised(item, folder)]));
  // Keeps the process alive while every child waits for its next start.
  const alive = setInterval(() => undefined, 60_000);
  const stop = async (): Promise<void> => {
    await Promise.all([...supervised.values()].map((item) => item.stop()));
    rmSync(pidFile, { force: true });
    clearInterval(alive);
  };
  process.once("SIGTERM", () => void stop());
  process.once("SIGINT", () => void stop());
  process.on("SIGHUP", () => {
    const wanted = new Map(listed().map((item) => [item.name, item]));
    for (const [name, item] of supervised) {
      if (wanted.has(name)) continue;
      supervised.delete(name);
      void item.stop();
    }
    for (const [name, item] of wanted) if (!supervised.has(name)) supervised.set(name, new Supervised(item, folder));
    for (const item of supervised.values()) item.start();
  });
  for (const item of supervised.values()) item.start();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv[2]!);

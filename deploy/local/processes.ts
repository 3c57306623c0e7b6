import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { SupervisedProcess } from "./supervisor.js";

const supervisorMain = join(dirname(fileURLToPath(import.meta.url)), "supervisor.js");
/** Longer than the supervisor gives its own children. */
const stopMsMax = 15_000;

/** Starts the supervisor of `folder` in the background; it outlives this process. Leftovers of a killed one are stopped first. */
export async function startProcesses(folder: string, processes: readonly SupervisedProcess[]): Promise<void> {
  await stopProcesses(folder);
  for (const name of ["logs", "run"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, "supervisor.json"), JSON.stringify(processes, undefined, 2));
  const log = openSync(join(folder, "logs", "supervisor.log"), "a");
  const child = spawn(process.execPath, [supervisorMain, folder], { detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  child.unref();
}

/** Whether the supervisor of this folder runs. */
export function isRunning(folder: string): boolean {
  return ownPid(folder, "supervisor") !== undefined;
}

/** The pid of a process of this cluster; undefined when it does not run. */
export function ownPid(folder: string, name: string): number | undefined {
  const pid = pidInFile(folder, name);
  return pid !== undefined && isOurs(pid, folder) ? pid : undefined;
}

function pidInFile(folder: string, name: string): number | undefined {
  try {
    return Number(readFileSync(join(folder, "run", `${name}.pid`), "utf8")) || undefined;
  } catch {
    return undefined; // No pid file: it does not run.
  }
}

/** Pids are used again, so a pid file alone is no proof: our processes name the folder in their command line. */
function isOurs(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8")
      .split("\0")
      .some((word) => word === folder || word.startsWith(`${folder}/`));
  } catch {
    return false; // The process is gone.
  }
}

/** Stops the supervisor and every process of `folder` that still runs; nothing else. */
export async function stopProcesses(folder: string): Promise<void> {
  const supervisor = ownPid(folder, "supervisor");
  if (supervisor !== undefined) await stopPid(supervisor, folder);
  for (const file of listPidFiles(folder)) {
    const pid = ownPid(folder, file.slice(0, -".pid".length));
    if (pid !== undefined) await stopPid(pid, folder);
    rmSync(join(folder, "run", file), { force: true });
  }
}

/** Stops one process; the supervisor leaves it down, since it ends by itself. Returns once the supervisor knows: `startStopped` before that would find it running. */
export async function stopProcess(folder: string, name: string): Promise<void> {
  const pid = ownPid(folder, name);
  if (pid === undefined) return;
  await stopPid(pid, folder);
  const deadline = performance.now() + stopMsMax;
  while (isRunning(folder) && pidInFile(folder, name) === pid) {
    if (performance.now() > deadline)
      throw new Error(`the supervisor of ${folder} does not see that ${name} has ended`);
    await sleep(20);
  }
}

/** Starts whatever of a running cluster is down, `stopProcess`ed or not. */
export function startStopped(folder: string): void {
  const supervisor = ownPid(folder, "supervisor");
  if (supervisor !== undefined) signal(supervisor, "SIGHUP");
}

/** Lets the supervisor run one process more, from now on. */
export function addProcess(folder: string, added: SupervisedProcess): void {
  changeList(folder, (list) => [...list.filter(({ name }) => name !== added.name), added]);
}

/** Lets the supervisor stop a process, and forget it. */
export function dropProcess(folder: string, dropped: string): void {
  changeList(folder, (list) => list.filter(({ name }) => name !== dropped));
}

function changeList(
  folder: string,
  change: (list: readonly SupervisedProcess[]) => readonly SupervisedProcess[],
): void {
  const file = join(folder, "supervisor.json");
  const list = JSON.parse(readFileSync(file, "utf8")) as readonly SupervisedProcess[];
  // Whole or not at all, since the supervisor may be reading it.
  writeFileSync(`${file}.new`, JSON.stringify(change(list), undefined, 2));
  renameSync(`${file}.new`, file);
  startStopped(folder);
}

function listPidFiles(folder: string): string[] {
  try {
    return readdirSync(join(folder, "run")).filter((file) => file.endsWith(".pid"));
  } catch {
    return []; // Never started.
  }
}

async function stopPid(pid: number, folder: string): Promise<void> {
  signal(pid, "SIGTERM");
  const deadline = performance.now() + stopMsMax;
  while (isOurs(pid, folder)) {
    if (performance.now() > deadline) signal(pid, "SIGKILL");
    await sleep(50);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (caught) {
    // It has ended since it was looked at.
    if ((caught as NodeJS.ErrnoException).code !== "ESRCH") throw caught;
  }
}

import { execFile } from "node:child_process";
import { readFile, stat, type FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { IkadaError } from "../../src/base/errors.js";
import { isWithin } from "./beneath.js";

const run = promisify(execFile);

/** A command that hangs, as on a dead network file system, must not hold up the agent for ever. */
const commandMsMax = 20_000;

/** Makes what the handle names, and nothing that has taken its name since, be seen at `target`. */
export async function bind(source: FileHandle, target: string): Promise<void> {
  await mountCommand("mount", ["--no-canonicalize", "--bind", `/proc/${process.pid}/fd/${source.fd}`, target]);
  const [wanted, found] = [await source.stat(), await stat(target)];
  if (wanted.dev === found.dev && wanted.ino === found.ino) return;
  await unmount(target);
  throw new IkadaError("Internal", `${target}: another file was mounted than the one that was checked`);
}

export async function mountMemory(target: string, options: readonly string[]): Promise<void> {
  await mountCommand("mount", ["-t", "tmpfs", "-o", options.join(","), "tmpfs", target]);
}

export async function unmount(target: string): Promise<void> {
  await mountCommand("umount", ["--no-canonicalize", target]);
}

/** Where something is mounted at or below a folder, the deepest first; a place is named once for each mount on it. */
export async function mountsWithin(folder: string): Promise<readonly string[]> {
  const text = await readFile("/proc/self/mountinfo", "utf8");
  const targets = text.split("\n").flatMap((line) => {
    const target = line.split(" ")[4];
    return target === undefined ? [] : [unescaped(target)];
  });
  return targets.filter((target) => isWithin(folder, target)).reverse();
}

/** The kernel writes spaces and the like as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

async function mountCommand(command: string, args: readonly string[]): Promise<void> {
  try {
    await run(command, args, { timeout: commandMsMax, env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" } });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() || (error as Error).message;
    const hint = "volumes in memory, parts of volumes and hostPath need an agent that runs as root and may mount";
    throw new IkadaError("Unavailable", `${command} ${args.join(" ")}: ${said}`, { hint }, error);
  }
}

import { constants } from "node:fs";
import { chmod, mkdir, open, realpath, type FileHandle } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { IkadaError } from "../../src/base/errors.js";

/** Names a file without opening it: nothing happens to a pipe or a device. Linux; not among Node's constants. */
const namesOnly = 0o10000000;

/** How what is missing at the end of a path is made; undefined: it is not. */
export interface Missing {
  readonly what: "folder" | "file";
  readonly mode: number;
}

/**
 * Opens `path` below `root` so that it can't lead out, also when somebody swaps parts of it meanwhile. Links are resolved first and count as
 * long as they end below `root`; then each part is opened from the one before without following any link, which `/proc/self/fd/N/name`
 * does as openat(2) would. The handle only names the file. @throws IkadaError Invalid
 */
export async function openBeneath(root: string, path: string, missing?: Missing): Promise<FileHandle> {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || path.includes("\0")) throw refused(path, "it has a part that is not allowed");
  const realRoot = await realpath(root);
  const { real, existing } = await resolved(realRoot, parts, path);
  if (!isWithin(realRoot, real)) throw refused(path, `it leads out, to ${real}`);
  const known = relative(realRoot, real).split(sep).filter(Boolean);
  const steps = [...known, ...parts.slice(existing)];
  let handle = await open(root, namesOnly);
  try {
    for (const [at, name] of steps.entries()) {
      const isLast = at === steps.length - 1;
      const next = await step(handle, name, path, at < known.length ? undefined : missing, isLast);
      const before = handle;
      handle = next;
      await before.close();
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  return handle;
}

/** A path to what a handle names that no swap of names changes. */
export function pathOf(handle: FileHandle): string {
  return `/proc/self/fd/${handle.fd}`;
}

export function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root === sep ? sep : root + sep);
}

/** The longest part of a path that is there, without links, and how many of its parts that are. */
export async function resolved(
  root: string,
  parts: readonly string[],
  shown: string,
): Promise<{ readonly real: string; readonly existing: number }> {
  for (let existing = parts.length; ; existing--) {
    try {
      return { real: await realpath(join(root, ...parts.slice(0, existing))), existing };
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || existing === 0) throw refused(shown, messageOf(error), error);
    }
  }
}

async function step(
  folder: FileHandle,
  name: string,
  shown: string,
  missing: Missing | undefined,
  isLast: boolean,
): Promise<FileHandle> {
  const at = `${pathOf(folder)}/${name}`;
  const flags = namesOnly | constants.O_NOFOLLOW | (isLast ? 0 : constants.O_DIRECTORY);
  const made = missing === undefined ? false : await make(at, isLast ? missing : { ...missing, what: "folder" });
  let handle: FileHandle;
  try {
    handle = await open(at, flags);
  } catch (error) {
    throw refused(shown, `"${name}": ${messageOf(error)}`, error);
  }
  const stat = await handle.stat();
  if (stat.isSymbolicLink()) {
    await handle.close();
    throw refused(shown, `"${name}" was a link when it was opened`);
  }
  if (!made || missing === undefined) return handle;
  const isFolder = !isLast || missing.what === "folder";
  if (stat.isDirectory() !== isFolder || stat.uid !== process.geteuid?.()) {
    await handle.close();
    throw refused(shown, `"${name}" was another one when it was opened`);
  }
  // The process's umask took some of the mode.
  await chmod(pathOf(handle), missing.mode);
  return handle;
}

/** False when something is there already. */
async function make(at: string, { what, mode }: Missing): Promise<boolean> {
  try {
    if (what === "folder") await mkdir(at, { mode });
    else await (await open(at, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, mode)).close();
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

export function refused(path: string, why: string, cause?: unknown): IkadaError {
  return new IkadaError("Invalid", `path "${path}" is refused: ${why}`, {}, cause);
}

export function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

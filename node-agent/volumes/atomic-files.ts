import { randomBytes } from "node:crypto";
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import type { VolumeFile, VolumePlan } from "../core/volume-plan.js";
import { codeOf } from "./beneath.js";

type FilesPlan = Extract<VolumePlan, { kind: "files" }>;

/** The link to the present content; users see a link through it for each name. */
const present = "..data";

/**
 * Brings a folder to exactly these files, all at once (Kubernetes' atomic writer): they are written into a folder of their own, and one rename
 * of the link `..data` makes them those that are seen. Who reads through `..data` finds one set of files, never a mixture; a reader
 * that stays in a folder that was replaced finds it removed. True when something changed.
 */
export async function writeFiles(folder: string, { files, group }: FilesPlan): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  await own(folder, 0o755, group, true);
  const now = await linkTarget(join(folder, present));
  const same = now !== undefined && (await holds(join(folder, now), files, group));
  if (!same) await replaceContent(folder, files, group);
  await keepNames(folder, new Set(files.map(({ path }) => path.split("/")[0] as string)));
  await removeOldContent(folder);
  return !same;
}

async function replaceContent(folder: string, files: readonly VolumeFile[], group: number | undefined): Promise<void> {
  const stamp = new Date().toISOString().replace(/[-:]/g, "_").replace(/\..*/, "");
  const name = `..${stamp}.${randomBytes(5).toString("hex")}`;
  const content = join(folder, name);
  await mkdir(content);
  await own(content, 0o755, group, true);
  for (const { path, bytes, mode } of files) {
    const file = join(content, path);
    for (const parent of parentsOf(path)) {
      const made = await mkdir(join(content, parent), { recursive: true });
      if (made !== undefined) await own(join(content, parent), 0o755, group, true);
    }
    await writeFile(file, bytes, { flag: "wx", mode: 0o600 });
    await own(file, mode, group, false);
  }
  const link = join(folder, `${present}_tmp`);
  await rm(link, { force: true });
  await symlink(name, link);
  await rename(link, join(folder, present));
}

function parentsOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [...parentsOf(parent), parent];
}

/** As kubelet's SetVolumeOwnership: what the agent writes is read by the group and keeps it. */
async function own(path: string, mode: number, group: number | undefined, isFolder: boolean): Promise<void> {
  if (group !== undefined) await chown(path, 0, group);
  await chmod(path, modeFor(mode, group, isFolder));
}

function modeFor(mode: number, group: number | undefined, isFolder: boolean): number {
  if (group === undefined) return mode;
  return mode | (isFolder ? 0o2550 : 0o440);
}

async function holds(content: string, files: readonly VolumeFile[], group: number | undefined): Promise<boolean> {
  const found = await filesIn(content, "");
  if (found === undefined || found.length !== files.length) return false;
  const there = new Set(found);
  for (const { path, bytes, mode } of files) {
    if (!there.has(path)) return false;
    const stat = await lstat(join(content, path));
    if ((stat.mode & 0o7777) !== modeFor(mode, group, false) || stat.size !== bytes.length) return false;
    if (!(await readFile(join(content, path))).equals(bytes)) return false;
  }
  return true;
}

/** Undefined when the folder is gone. */
async function filesIn(content: string, below: string): Promise<readonly string[] | undefined> {
  const entries = await readdir(join(content, below), { withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (entries === undefined) return undefined;
  const found: string[] = [];
  for (const entry of entries) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) found.push(...((await filesIn(content, path)) ?? []));
    else found.push(path);
  }
  return found;
}

/** A link for each name that the present content has, and none for others. */
async function keepNames(folder: string, names: ReadonlySet<string>): Promise<void> {
  for (const name of names) {
    const target = `${present}/${name}`;
    if ((await linkTarget(join(folder, name))) === target) continue;
    const link = join(folder, "..name_tmp");
    await rm(link, { force: true });
    await symlink(target, link);
    await rename(link, join(folder, name));
  }
  for (const name of await readdir(folder)) {
    if (names.has(name) || name.startsWith("..")) continue;
    if ((await linkTarget(join(folder, name)))?.startsWith(`${present}/`)) await rm(join(folder, name));
  }
}

async function removeOldContent(folder: string): Promise<void> {
  const now = await linkTarget(join(folder, present));
  for (const name of await readdir(folder))
    if (name.startsWith("..") && name !== present && name !== now)
      await rm(join(folder, name), { recursive: true, force: true });
}

/** Undefined when there is no link of this name. */
async function linkTarget(path: string): Promise<string | undefined> {
  return readlink(path).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "EINVAL") return undefined;
    throw error;
  });
}

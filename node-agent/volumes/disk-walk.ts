import { closeSync, constants, fstatSync, lstatSync, openSync, opendirSync } from "node:fs";

/** What was found below a folder. */
export interface Walked {
  readonly bytes: number;
  readonly inodes: number;
  readonly isComplete: boolean;
}

export interface WalkBounds {
  readonly entriesMax: number;
  readonly depthMax: number;
  /** Names at the top; undefined: all. */
  readonly prefix?: string | undefined;
  /** Called for each entry; false ends the walk. */
  goOn(): boolean;
}

/**
 * Counts as du does: blocks on the disk, a file with several names once, on one file system. Each folder is opened from the one before without
 * following a link, so that who swaps names meanwhile leads it nowhere. Undefined when the folder is not there.
 */
export function walk(root: string, bounds: WalkBounds): Walked | undefined {
  let fd: number;
  try {
    fd = openSync(root, folderFlags);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
  try {
    const { dev, blocks } = fstatSync(fd);
    const whole = bounds.prefix === undefined;
    const count: Count = { bytes: whole ? blocks * blockBytes : 0, inodes: whole ? 1 : 0, isComplete: true };
    walkFolder(fd, dev, 0, bounds, count, new Set());
    return count;
  } finally {
    closeSync(fd);
  }
}

/** The bytes and inodes of `stat` are in units of this, whatever the file system's blocks are. */
const blockBytes = 512;
const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

interface Count {
  bytes: number;
  inodes: number;
  isComplete: boolean;
}

function walkFolder(fd: number, dev: number, depth: number, bounds: WalkBounds, count: Count, seen: Set<number>): void {
  const folder = opendirSync(`/proc/self/fd/${fd}`);
  try {
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      if (depth === 0 && bounds.prefix !== undefined && !entry.name.startsWith(bounds.prefix)) continue;
      if (count.inodes >= bounds.entriesMax || !bounds.goOn()) {
        count.isComplete = false;
        return;
      }
      const path = `/proc/self/fd/${fd}/${entry.name}`;
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat === undefined || stat.dev !== dev) continue;
      if (!stat.isDirectory() && stat.nlink > 1) {
        if (seen.has(stat.ino)) continue;
        seen.add(stat.ino);
      }
      count.bytes += stat.blocks * blockBytes;
      count.inodes += 1;
      if (!stat.isDirectory()) continue;
      if (depth + 1 >= bounds.depthMax) count.isComplete = false;
      else descend(path, dev, depth + 1, bounds, count, seen);
      if (!count.isComplete && count.inodes >= bounds.entriesMax) return;
    }
  } finally {
    folder.closeSync();
  }
}

function descend(path: string, dev: number, depth: number, bounds: WalkBounds, count: Count, seen: Set<number>): void {
  let fd: number;
  try {
    fd = openSync(path, folderFlags);
  } catch (error) {
    if (isGone(error)) return;
    throw error;
  }
  try {
    // Another one may have its name since.
    if (fstatSync(fd).dev === dev) walkFolder(fd, dev, depth, bounds, count, seen);
  } finally {
    closeSync(fd);
  }
}

/** Files come and go while they are counted, and may become links. */
function isGone(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP";
}

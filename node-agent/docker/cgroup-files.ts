import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import type { ContainerUsage } from "../core/access.js";

/** Where the kernel says what a control group uses (Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst). */
export interface CgroupFiles {
  readonly cpu: { readonly file: string; readonly version: 1 | 2 };
  readonly memory: { readonly folder: string; readonly version: 1 | 2 };
  /** The file that counts processes and threads; undefined where nobody does. */
  readonly processes: string | undefined;
}

/**
 * The files of a process's control groups, of version 2, of version 1, or of both side by side, where each controller is in one of them.
 * `membership` is its /proc/PID/cgroup, `mounts` this process's /proc/self/mountinfo. Undefined when they are not mounted here.
 */
export function cgroupFiles(membership: string, mounts: string): CgroupFiles | undefined {
  const groups = membership.split("\n").flatMap((line) => {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    return match ? [{ controllers: match[1]!.split(","), path: match[2]! }] : [];
  });
  const mounted = mounts.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", point = ""] = before.split(" ");
    const [type = "", , options = ""] = after.split(" ");
    return type === "cgroup" || type === "cgroup2" ? [{ root, point, type, options: options.split(",") }] : [];
  });
  const folderOf = (controller: string): { folder: string; version: 1 | 2 } | undefined => {
    const first = groups.find(({ controllers }) => controllers.includes(controller));
    const hierarchy = first && mounted.find(({ type, options }) => type === "cgroup" && options.includes(controller));
    if (first && hierarchy) return { folder: below(hierarchy, first.path), version: 1 };
    const unified = groups.find(({ controllers }) => controllers.length === 1 && controllers[0] === "");
    const whole = unified && mounted.find(({ type }) => type === "cgroup2");
    return unified && whole ? { folder: below(whole, unified.path), version: 2 } : undefined;
  };
  const cpu = folderOf("cpuacct") ?? folderOf("cpu");
  const memory = folderOf("memory");
  const pids = folderOf("pids");
  if (!cpu || !memory) return undefined;
  const file = posix.join(cpu.folder, cpu.version === 1 ? "cpuacct.usage" : "cpu.stat");
  return { cpu: { file, version: cpu.version }, memory, processes: pids && posix.join(pids.folder, "pids.current") };
}

/** A mount may show a part of the hierarchy alone. */
function below({ root, point }: { readonly root: string; readonly point: string }, path: string): string {
  const inside = root !== "/" && (path === root || path.startsWith(`${root}/`)) ? path.slice(root.length) : path;
  return posix.join(point, inside);
}

/** @throws when the group is gone */
export async function readUsage(files: CgroupFiles): Promise<Omit<ContainerUsage, "atMs">> {
  const { cpu, memory } = files;
  const [usageFile, inactive] =
    memory.version === 1
      ? (["memory.usage_in_bytes", "total_inactive_file"] as const)
      : (["memory.current", "inactive_file"] as const);
  const [cpuText, usageText, statText, countText] = await Promise.all([
    readFile(cpu.file, "utf8"),
    readFile(posix.join(memory.folder, usageFile), "utf8"),
    readFile(posix.join(memory.folder, "memory.stat"), "utf8"),
    // Not everywhere is that counted.
    files.processes === undefined ? undefined : readFile(files.processes, "utf8").catch(() => undefined),
  ]);
  const cpuNanos = cpu.version === 1 ? Number(cpuText) : fieldOf(cpuText, "usage_usec") * 1000;
  const memoryBytes = Math.max(0, Number(usageText) - fieldOf(statText, inactive));
  return { cpuNanos, memoryBytes, ...(countText !== undefined && { processes: Number(countText) }) };
}

/** Of lines `name value`; 0 when it is not there. */
function fieldOf(text: string, name: string): number {
  for (const line of text.split("\n")) if (line.startsWith(`${name} `)) return Number(line.slice(name.length + 1));
  return 0;
}

import { readFile, stat, statfs } from "node:fs/promises";
import { posix } from "node:path";
import type { Done } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import type { ContainerRuntime, DiskSpace } from "./core/runtime.js";
import type { MachineReader, MachineSupplies, Signal, Supply } from "./core/pressure/signals.js";

export interface HostSuppliesOptions {
  /** Of the agent: its disk is `nodefs`. */
  readonly dataFolder: string;
  /** Whose disk is `imagefs`. */
  readonly runtime: Pick<ContainerRuntime, "imageDisk">;
  /** @default the machine's */
  readonly procFolder?: string;
}

/**
 * What this machine has left, by its kernel: /proc, the files of its root control group (versions 1 and 2) and statfs. Memory is what the kernel could
 * give at once without what is kept of files that nobody reads: capacity less the working set, as Kubernetes counts it. An agent that is itself
 * in a control group with a limit has no more than that.
 */
export class HostSupplies implements MachineReader {
  readonly #options: HostSuppliesOptions;

  constructor(options: HostSuppliesOptions) {
    this.#options = options;
  }

  read(done: Done<MachineSupplies>): void {
    const answer = async (): Promise<void> => {
      let result: MachineSupplies;
      try {
        result = await this.#read();
      } catch (caught) {
        done(IkadaError.from(caught), { supplies: {}, hasImageDisk: false });
        return;
      }
      done(null, result);
    };
    void answer();
  }

  async #read(): Promise<MachineSupplies> {
    const { dataFolder, procFolder = "/proc" } = this.#options;
    const [memory, processes, node, image] = await Promise.all([
      memorySupply(procFolder),
      processSupply(procFolder),
      diskSpace(dataFolder),
      this.#imageDisk(),
    ]);
    const supplies: Partial<Record<Signal, Supply>> = {
      "memory.available": memory,
      "pid.available": processes,
      ...ofDisk("nodefs", node),
      ...(image && ofDisk("imagefs", image)),
    };
    const hasImageDisk = image?.device !== undefined && image.device !== node.device;
    return { supplies, hasImageDisk };
  }

  /** Undefined while the engine does not answer, or is on another machine. */
  #imageDisk(): Promise<DiskSpace | undefined> {
    return new Promise((resolve) => {
      this.#options.runtime.imageDisk((error, disk) => resolve(error === null ? disk : undefined));
    });
  }
}

/** The file system that a folder is on. */
export async function diskSpace(folder: string): Promise<DiskSpace> {
  const [{ blocks, bavail, bsize, files, ffree }, { dev }] = await Promise.all([statfs(folder), stat(folder)]);
  return {
    capacityBytes: blocks * bsize,
    availableBytes: bavail * bsize,
    ...(files > 0 && { inodes: { capacity: files, available: ffree } }),
    device: dev,
  };
}

function ofDisk(name: "nodefs" | "imagefs", disk: DiskSpace): Partial<Record<Signal, Supply>> {
  const { capacityBytes, availableBytes, inodes } = disk;
  return {
    [`${name}.available`]: { capacity: capacityBytes, available: availableBytes },
    ...(inodes && { [`${name}.inodesFree`]: inodes }),
  };
}

async function memorySupply(procFolder: string): Promise<Supply> {
  const [meminfo, mounts] = await Promise.all([
    readFile(posix.join(procFolder, "meminfo"), "utf8"),
    readFile(posix.join(procFolder, "self/mountinfo"), "utf8"),
  ]);
  const kib = (name: string): number => {
    const line = meminfo.split("\n").find((one) => one.startsWith(`${name}:`));
    return Number(/(\d+) kB/.exec(line ?? "")?.[1] ?? 0);
  };
  const total = kib("MemTotal") * 1024;
  const group = await rootGroup(mounts);
  const capacity = Math.min(total, group?.limit ?? total);
  // The root group of version 2 has no count of its own.
  const used = group?.used ?? total - kib("MemFree") * 1024;
  const workingSet = Math.max(0, used - (group?.inactiveFile ?? kib("Inactive(file)") * 1024));
  return { capacity, available: Math.max(0, capacity - workingSet) };
}

interface RootGroup {
  readonly limit: number | undefined;
  readonly used: number | undefined;
  readonly inactiveFile: number | undefined;
}

/** What is mounted as the root of control groups of memory; undefined: nothing. */
async function rootGroup(mounts: string): Promise<RootGroup | undefined> {
  let unified: string | undefined;
  for (const line of mounts.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const point = before.split(" ")[4] ?? "";
    const [type, , options = ""] = after.split(" ");
    if (type === "cgroup" && options.split(",").includes("memory")) {
      const [used, limit, inactiveFile] = await Promise.all([
        numberIn(posix.join(point, "memory.usage_in_bytes")),
        numberIn(posix.join(point, "memory.limit_in_bytes")),
        fieldIn(posix.join(point, "memory.stat"), "total_inactive_file"),
      ]);
      return { used, limit, inactiveFile };
    }
    if (type === "cgroup2") unified ??= point;
  }
  if (unified === undefined) return undefined;
  const [used, limit, inactiveFile] = await Promise.all([
    numberIn(posix.join(unified, "memory.current")),
    numberIn(posix.join(unified, "memory.max")),
    fieldIn(posix.join(unified, "memory.stat"), "inactive_file"),
  ]);
  return { used, limit, inactiveFile };
}

/** Undefined when the file is not there or says `max`. */
async function numberIn(file: string): Promise<number | undefined> {
  const text = await textOf(file);
  return text !== undefined && /^\d+\n?$/.test(text) ? Number(text) : undefined;
}

async function fieldIn(file: string, name: string): Promise<number | undefined> {
  const found = new RegExp(`^${name} (\\d+)$`, "m").exec((await textOf(file)) ?? "")?.[1];
  return found === undefined ? undefined : Number(found);
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Numbers that the kernel has for processes and threads, and how many of them are in use. */
async function processSupply(procFolder: string): Promise<Supply> {
  const [load, ids, threads] = await Promise.all([
    readFile(posix.join(procFolder, "loadavg"), "utf8"),
    numberIn(posix.join(procFolder, "sys/kernel/pid_max")),
    numberIn(posix.join(procFolder, "sys/kernel/threads-max")),
  ]);
  const capacity = Math.min(ids ?? Infinity, threads ?? Infinity);
  const used = Number(/\/(\d+) /.exec(load)?.[1] ?? 0);
  return { capacity, available: Math.max(0, capacity - used) };
}

import type { Pod } from "../../../src/api/kinds/pod.js";
import type { DiskUsage } from "../runtime.js";

/** What one Pod takes of its machine, as far as it was measured. */
export interface PodUsage {
  readonly uid: string;
  readonly pod: Pod;
  /** By container name; those that could not be measured are absent. */
  readonly containers: ReadonlyMap<string, ContainerUse>;
  /** Of emptyDirs on the disk, by volume name. */
  readonly volumes: ReadonlyMap<string, DiskUsage>;
}

export interface ContainerUse {
  readonly memoryBytes?: number;
  readonly processes?: number;
  /** What it wrote to its own layer. */
  readonly writable?: DiskUsage;
  readonly log?: DiskUsage;
}

/** Which of a Pod's files are meant: all, those on the engine's disk, those on the agent's. */
export type DiskPart = "all" | "image disk" | "node disk";

/** What was not found takes nothing: a Pod without files on the disk that is meant is not one that nobody knows. */
export function diskOf({ containers, volumes }: PodUsage, part: DiskPart): DiskUsage {
  const ofEngine = [...containers.values()].flatMap(({ writable, log }) => [writable, log]);
  const chosen = [...(part === "node disk" ? [] : ofEngine), ...(part === "image disk" ? [] : volumes.values())];
  return sumOf(chosen.filter((usage) => usage !== undefined));
}

export function sumOf(usages: readonly DiskUsage[]): DiskUsage {
  return {
    bytes: usages.reduce((sum, { bytes }) => sum + bytes, 0),
    inodes: usages.reduce((sum, { inodes }) => sum + inodes, 0),
    isComplete: usages.every(({ isComplete }) => isComplete),
  };
}

/** Bytes of its layer and its log; undefined when one of them is not known. */
export function containerDiskBytes({ writable, log }: ContainerUse): number | undefined {
  return writable === undefined || log === undefined ? undefined : writable.bytes + log.bytes;
}

/** Undefined: nothing of it was measured. */
export function totalOf({ containers }: PodUsage, part: "memoryBytes" | "processes"): number | undefined {
  const known = [...containers.values()].flatMap((one) => one[part] ?? []);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0);
}

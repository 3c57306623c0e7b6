import type { Done } from "../../../src/base/env.js";

/** What is looked at, under Kubernetes' names (kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction). */
export const signals = [
  "memory.available",
  "nodefs.available",
  "nodefs.inodesFree",
  "imagefs.available",
  "imagefs.inodesFree",
  "pid.available",
] as const;

export type Signal = (typeof signals)[number];

/** Of one thing: all there is, and what is left. Bytes, or a count. */
export interface Supply {
  readonly capacity: number;
  readonly available: number;
}

/** A signal that this machine does not tell is absent. */
export interface MachineSupplies {
  readonly supplies: Readonly<Partial<Record<Signal, Supply>>>;
  /** The engine has a disk of its own for images and containers; else that of the agent's data folder is theirs too. */
  readonly hasImageDisk: boolean;
}

/** What the agent needs of its machine to see that something runs short: its own files (node-agent/machine-supplies.ts), or a fake. */
export interface MachineReader {
  read(done: Done<MachineSupplies>): void;
}

/** What Pods take and that can run short. */
export type Starved = "memory" | "ephemeral-storage" | "inodes" | "pids";

export const pressureConditions = ["MemoryPressure", "DiskPressure", "PIDPressure"] as const;
export type PressureCondition = (typeof pressureConditions)[number];

/** What is short when a signal is low. */
export function starvedBy(signal: Signal): Starved {
  if (signal === "memory.available") return "memory";
  if (signal === "pid.available") return "pids";
  return signal.endsWith("inodesFree") ? "inodes" : "ephemeral-storage";
}

export function conditionOf(signal: Signal): PressureCondition {
  const starved = starvedBy(signal);
  return starved === "memory" ? "MemoryPressure" : starved === "pids" ? "PIDPressure" : "DiskPressure";
}

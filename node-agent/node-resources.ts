import * as os from "node:os";
import { canonicalQuantity, formatQuantity, parseQuantity } from "../src/api/quantity.js";
import { IkadaError } from "../src/base/errors.js";
import type { MachineSupplies } from "./core/pressure/signals.js";
import { formatBytes, unitsIn, type Threshold } from "./core/pressure/thresholds.js";

/** Amounts by resource, as quantities. */
export type Amounts = Readonly<Record<string, string>>;

export interface NodeResources {
  readonly capacity: Amounts;
  /** What Pods may have together. */
  readonly allocatable: Amounts;
}

export interface ResourceSettings {
  /** In place of what the machine has. */
  readonly capacity: Amounts;
  /** Kept for what is no Pod: the system, the engine, this agent. */
  readonly reserved: Amounts;
  readonly thresholds: readonly Threshold[];
}

/**
 * What this node has and what of it Pods may ask for: capacity less what is reserved and, of memory and disk, less what has to be left (the hard
 * thresholds), as in Kubernetes. `supplies`: as the machine was read; without them it has no disk to offer.
 * @throws IkadaError Invalid when an amount is no quantity
 */
export function nodeResources(settings: ResourceSettings, supplies: MachineSupplies["supplies"]): NodeResources {
  const memory = supplies["memory.available"];
  const disk = supplies["nodefs.available"];
  const machine: Amounts = {
    cpu: String(os.availableParallelism()),
    memory: formatBytes(memory?.capacity ?? Math.floor(os.totalmem() / 1024) * 1024),
    pods: "110",
    ...(disk && { "ephemeral-storage": formatBytes(disk.capacity) }),
  };
  const capacity = canonical({ ...machine, ...settings.capacity }, "capacity");
  const reserved = canonical(settings.reserved, "reserved");
  const allocatable = Object.fromEntries(
    Object.entries(capacity).map(([name, amount]) => {
      const left = nanos(amount) - nanos(reserved[name] ?? "0") - keptFree(name, amount, settings.thresholds);
      const family = parseQuantity(amount)?.family ?? "decimal";
      return [name, formatQuantity({ nanos: left < 0n ? 0n : left, family })] as const;
    }),
  );
  return { capacity, allocatable };
}

function keptFree(name: string, capacity: string, thresholds: readonly Threshold[]): bigint {
  const signal = { memory: "memory.available", "ephemeral-storage": "nodefs.available" }[name];
  const hard = thresholds.find((threshold) => threshold.signal === signal && threshold.graceMs === 0);
  if (hard === undefined) return 0n;
  return BigInt(unitsIn(hard.amount, Number(nanos(capacity) / perUnit))) * perUnit;
}

function canonical(amounts: Amounts, field: string): Amounts {
  return Object.fromEntries(
    Object.entries(amounts).map(([name, amount]) => {
      const text = canonicalQuantity(amount);
      if (text === undefined) throw new IkadaError("Invalid", `${field}.${name}: "${amount}" is not a quantity`);
      return [name, text] as const;
    }),
  );
}

const perUnit = 10n ** 9n;

function nanos(text: string): bigint {
  return parseQuantity(text)?.nanos ?? 0n;
}

import { readFile } from "node:fs/promises";
import type { ikada } from "#proto/agent.js";
import type { Log } from "../src/base/env.js";
import type { ContainerUsage } from "./core/access.js";
import type { Agent } from "./core/agent.js";
import type { ContainerRuntime } from "./core/runtime.js";

export interface StatsKeeperOptions {
  readonly agent: Pick<Agent, "runningContainers">;
  readonly runtime: Pick<ContainerRuntime, "usage">;
  readonly log: Log;
  /** @default 5,000 */
  readonly intervalMs?: number;
  /** @default the machine's */
  readonly procFolder?: string;
}

interface Measured {
  readonly usages: ReadonlyMap<string, ContainerUsage>;
  readonly cpu: MachineCpu | undefined;
  readonly atMs: number;
}

/** Clock ticks of all processors since the machine's start. */
interface MachineCpu {
  readonly busy: number;
  readonly total: number;
  readonly processors: number;
}

/** What this node and its containers use: measured at an interval and kept for the last one, for those who ask. */
export class StatsKeeper {
  readonly #options: StatsKeeperOptions;
  readonly #timer: NodeJS.Timeout;
  #before: Measured | undefined;
  #latest: ikada.agent.v1.INodeStats = { cpuCores: notKnown, memoryBytes: 0, timeMs: 0, intervalMs: 0, containers: [] };
  #measuring = false;
  #warned = false;

  constructor(options: StatsKeeperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.measure(), options.intervalMs ?? 5_000);
    void this.measure();
  }

  latest(): ikada.agent.v1.INodeStats {
    return this.#latest;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** One at a time: an engine that hangs makes no queue. */
  async measure(): Promise<void> {
    if (this.#measuring) return;
    this.#measuring = true;
    try {
      await this.#measure();
      this.#warned = false;
    } catch (caught) {
      if (!this.#warned) this.#options.log.warn("what is used was not measured", { error: String(caught) });
      this.#warned = true;
    } finally {
      this.#measuring = false;
    }
  }

  async #measure(): Promise<void> {
    const { agent, runtime, procFolder = "/proc" } = this.#options;
    const containers = agent.runningContainers();
    const [usages, cpu, memoryBytes] = await Promise.all([
      new Promise<ReadonlyMap<string, ContainerUsage>>((resolve, reject) => {
        const ids = containers.map(({ id }) => id);
        runtime.usage(ids, (error, result) => (error ? reject(error) : resolve(result)));
      }),
      machineCpu(procFolder),
      machineMemory(procFolder),
    ]);
    const before = this.#before;
    const atMs = performance.now();
    this.#before = { usages, cpu, atMs };
    this.#latest = {
      cpuCores: machineCores(before?.cpu, cpu),
      memoryBytes,
      timeMs: Date.now(),
      intervalMs: before ? Math.round(atMs - before.atMs) : 0,
      containers: containers.flatMap(({ id, podUid, containerName }) => {
        const usage = usages.get(id);
        if (!usage) return [];
        const cpuCores = coresOf(before?.usages.get(id), usage);
        return [{ podUid, container: containerName, cpuCores, memoryBytes: usage.memoryBytes }];
      }),
    };
  }
}

/** On the wire: not known yet. */
const notKnown = -1;

function coresOf(before: ContainerUsage | undefined, now: ContainerUsage): number {
  if (!before || now.atMs <= before.atMs || now.cpuNanos < before.cpuNanos) return notKnown;
  return (now.cpuNanos - before.cpuNanos) / 1e6 / (now.atMs - before.atMs);
}

function machineCores(before: MachineCpu | undefined, now: MachineCpu | undefined): number {
  if (!before || !now || now.total <= before.total) return notKnown;
  return ((now.busy - before.busy) / (now.total - before.total)) * now.processors;
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal; guests are in user. */
async function machineCpu(procFolder: string): Promise<MachineCpu | undefined> {
  const lines = (await readFile(`${procFolder}/stat`, "utf8")).split("\n");
  const ticks = (lines[0] ?? "").trim().split(/\s+/).slice(1, 9).map(Number);
  if (ticks.length < 8 || ticks.some(Number.isNaN)) return undefined;
  const total = ticks.reduce((sum, count) => sum + count, 0);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return { total, busy: total - idle, processors: lines.filter((line) => /^cpu\d/.test(line)).length };
}

/** What new programs could not have without swapping. */
async function machineMemory(procFolder: string): Promise<number> {
  const text = await readFile(`${procFolder}/meminfo`, "utf8");
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
  return Math.max(0, kib("MemTotal") - kib("MemAvailable")) * 1024;
}

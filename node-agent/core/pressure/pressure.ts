import type { Finished } from "../../../src/base/env.js";
import { PodMeter } from "./pod-meter.js";
import { PressureKeeper, type PressureMeans, type PressureSettings } from "./pressure-keeper.js";
import type { MachineReader } from "./signals.js";
import { StorageKeeper } from "./storage-keeper.js";
import type { ContainerRuntime } from "../runtime.js";
import type { VolumeHost } from "../volume-host.js";

/** What the agent needs to keep its machine from running out of something. */
export interface PressureOptions extends PressureSettings {
  readonly machine: MachineReader;
  /** Between two rounds over the Pods that may only write so much. */
  readonly storageIntervalMs: number;
}

/** Everything about pressure of one agent. */
export class Pressure {
  readonly #keeper: PressureKeeper;
  readonly #storage: StorageKeeper;

  constructor(
    options: PressureOptions,
    runtime: ContainerRuntime,
    volumes: VolumeHost,
    means: Omit<PressureMeans, "machine" | "meter">,
  ) {
    const meter = new PodMeter(runtime, volumes);
    this.#keeper = new PressureKeeper(options, { ...means, machine: options.machine, meter });
    this.#storage = new StorageKeeper(options.storageIntervalMs, { ...means, meter });
  }

  start(done: Finished): void {
    this.#keeper.start((error) => {
      if (error === null) this.#storage.start();
      done(error);
    });
  }

  close(): void {
    this.#keeper.close();
    this.#storage.close();
  }

  get conditions(): ReturnType<PressureKeeper["conditions"]> {
    return this.#keeper.conditions();
  }

  refusal(pod: Parameters<PressureKeeper["refusal"]>[0]): string | undefined {
    return this.#keeper.refusal(pod);
  }
}

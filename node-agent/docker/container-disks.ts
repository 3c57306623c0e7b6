import { basename, dirname } from "node:path";
import type { ContainerStorage, DiskUsage, Pace } from "../core/runtime.js";
import { IkadaError } from "../../src/base/errors.js";
import type { DiskMeter } from "../volumes/disk-meter.js";
import { engineDeadlines, type Engine } from "./engine.js";

/** Where a container's files are on this machine. */
interface Place {
  /** Of an overlay: what the container changed. Undefined with drivers that have no such folder. */
  readonly upper: string | undefined;
  /** The file of its output; those that were rotated away stand beside it. */
  readonly log: string | undefined;
}

/** What containers have on the engine's disk. The files are counted here; where they can't be reached the engine is asked, which counts itself then. */
export class ContainerDisks {
  readonly #engine: Engine;
  readonly #meter: DiskMeter;
  readonly #places = new Map<string, Place>();

  constructor(engine: Engine, meter: DiskMeter) {
    this.#engine = engine;
    this.#meter = meter;
  }

  async storage(containerIds: readonly string[], pace: Pace): Promise<ReadonlyMap<string, ContainerStorage>> {
    const storages = new Map<string, ContainerStorage>();
    for (const id of containerIds) {
      const storage = await this.#storage(id, pace);
      if (storage !== undefined) storages.set(id, storage);
    }
    return storages;
  }

  /** Undefined for one that is gone. */
  async #storage(id: string, pace: Pace): Promise<ContainerStorage | undefined> {
    const { upper, log } = this.#places.get(id) ?? (await this.#find(id)) ?? {};
    const counted = upper === undefined ? undefined : await this.#count(upper, pace);
    const writable = counted ?? (await this.#ask(id));
    if (writable === undefined) {
      this.#places.delete(id);
      return undefined;
    }
    const output = log === undefined ? undefined : await this.#count(dirname(log), pace, basename(log));
    return { writable, log: output ?? nothing };
  }

  /** Undefined where this process can't reach the folder. */
  async #count(folder: string, pace: Pace, prefix?: string): Promise<DiskUsage | undefined> {
    try {
      return await this.#meter.measure(folder, pace, prefix);
    } catch (caught) {
      if (caught instanceof IkadaError && caught.reason === "Unavailable") return undefined;
      throw caught;
    }
  }

  async #find(id: string): Promise<Place | undefined> {
    const inspected = await this.#inspect(id, false);
    if (inspected === undefined) return undefined;
    const data = (inspected.GraphDriver as { Data?: Readonly<Record<string, string>> | null } | undefined)?.Data;
    const place: Place = { upper: data?.["UpperDir"], log: inspected.LogPath || undefined };
    if (this.#places.size >= placesMax) this.#places.clear();
    this.#places.set(id, place);
    return place;
  }

  async #ask(id: string): Promise<DiskUsage | undefined> {
    const inspected = (await this.#inspect(id, true)) as { SizeRw?: number } | undefined;
    return inspected && { bytes: inspected.SizeRw ?? 0, inodes: 0, isComplete: true };
  }

  async #inspect(id: string, size: boolean) {
    try {
      return await this.#engine.call(`inspect ${id.slice(0, 12)}`, engineDeadlines.createMs, (abortSignal) =>
        this.#engine.docker
          .getContainer(id)
          .inspect({ abortSignal, ...(size && { size }) } as { abortSignal: AbortSignal }),
      );
    } catch (caught) {
      if (caught instanceof IkadaError && caught.reason === "NotFound") return undefined;
      throw caught;
    }
  }
}

const nothing: DiskUsage = { bytes: 0, inodes: 0, isComplete: true };
const placesMax = 5_000;

import type { Done } from "../../../src/base/env.js";
import type { Pod } from "../../../src/api/kinds/pod.js";
import type { ContainerUsage } from "../access.js";
import type { ContainerInfo, ContainerRuntime, ContainerStorage, DiskUsage, Pace } from "../runtime.js";
import type { VolumeHost } from "../volume-host.js";
import { sumOf, type ContainerUse, type PodUsage } from "./pod-usage.js";
import { diskFolders } from "./storage-limits.js";

/** A Pod with all its containers, in any phase. */
export interface MeasuredPod {
  readonly uid: string;
  readonly pod: Pod;
  readonly containers: readonly ContainerInfo[];
}

/** Measures what Pods take. */
export class PodMeter {
  readonly #runtime: Pick<ContainerRuntime, "usage" | "storage">;
  readonly #volumes: Pick<VolumeHost, "usage">;

  constructor(runtime: Pick<ContainerRuntime, "usage" | "storage">, volumes: Pick<VolumeHost, "usage">) {
    this.#runtime = runtime;
    this.#volumes = volumes;
  }

  /** Memory and processes. */
  running(pods: readonly MeasuredPod[], done: Done<readonly PodUsage[]>): void {
    const ids = pods.flatMap(({ containers }) =>
      containers.filter(({ phase, role }) => phase === "running" && role === "container").map(({ id }) => id),
    );
    this.#runtime.usage(ids, (error, usages) => {
      if (error !== null) return done(error, []);
      return done(
        null,
        pods.map(({ uid, pod, containers }) => ({ uid, pod, containers: usesOf(containers, usages), volumes: none })),
      );
    });
  }

  /** What they have on disks: one Pod after the other, so that one walk goes on at a time. */
  onDisk(pods: readonly MeasuredPod[], pace: Pace, done: Done<readonly PodUsage[]>): void {
    const measured: PodUsage[] = [];
    const next = (): void => {
      const one = pods[measured.length];
      if (one === undefined) return done(null, measured);
      return this.#disk(one, pace, (error, usage) => {
        if (error !== null) return done(error, []);
        measured.push(usage);
        return next();
      });
    };
    next();
  }

  #disk({ uid, pod, containers }: MeasuredPod, pace: Pace, done: Done<PodUsage>): void {
    const ids = containers.filter(({ role }) => role === "container").map(({ id }) => id);
    const nothing: PodUsage = { uid, pod, containers: new Map(), volumes: none };
    this.#runtime.storage(ids, pace, (error, storages) => {
      if (error !== null) return done(error, nothing);
      return this.#volumes.usage(uid, pace, (volumesError, found) => {
        if (volumesError !== null) return done(volumesError, nothing);
        const names = new Set(diskFolders(pod).map(({ name }) => name));
        const volumes = new Map([...found].filter(([name]) => names.has(name)));
        return done(null, { uid, pod, containers: storageOf(containers, storages), volumes });
      });
    });
  }
}

const none: ReadonlyMap<string, DiskUsage> = new Map();

function usesOf(
  containers: readonly ContainerInfo[],
  usages: ReadonlyMap<string, ContainerUsage>,
): ReadonlyMap<string, ContainerUse> {
  const uses = new Map<string, ContainerUse>();
  for (const { id, containerName } of containers) {
    const usage = usages.get(id);
    if (usage === undefined) continue;
    const { memoryBytes, processes } = usage;
    uses.set(containerName, { memoryBytes, ...(processes !== undefined && { processes }) });
  }
  return uses;
}

/** Of a container that was started again the dead one counts too, while it is there. */
function storageOf(
  containers: readonly ContainerInfo[],
  storages: ReadonlyMap<string, ContainerStorage>,
): ReadonlyMap<string, ContainerUse> {
  const uses = new Map<string, ContainerUse>();
  for (const { id, containerName } of containers) {
    const storage = storages.get(id);
    if (storage === undefined) continue;
    const before = uses.get(containerName);
    const writable = sumOf([storage.writable, ...(before?.writable === undefined ? [] : [before.writable])]);
    const log = sumOf([storage.log, ...(before?.log === undefined ? [] : [before.log])]);
    uses.set(containerName, { writable, log });
  }
  return uses;
}

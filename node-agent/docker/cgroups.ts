import { readFile } from "node:fs/promises";
import type { ContainerUsage } from "../core/access.js";
import { engineDeadlines, type Engine } from "./engine.js";
import { cgroupFiles, readUsage, type CgroupFiles } from "./cgroup-files.js";

/**
 * What containers use, by the kernel's own files: reading them takes microseconds, while the engine's call for it takes a second of waiting and a
 * millisecond of its processor. The engine is asked once for each container, for the number of its process.
 */
export class ContainerCgroups {
  readonly #engine: Engine;
  /** By container. */
  #files = new Map<string, CgroupFiles>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Of those that run; the others are left out. */
  async usage(containerIds: readonly string[]): Promise<ReadonlyMap<string, ContainerUsage>> {
    const known = new Map<string, CgroupFiles>();
    const usages = new Map<string, ContainerUsage>();
    for (const id of containerIds) {
      const files = this.#files.get(id) ?? (await this.#find(id));
      const usage = files && (await readUsage(files).catch(() => undefined));
      if (!files || !usage) continue;
      known.set(id, files);
      usages.set(id, { ...usage, atMs: performance.now() });
    }
    this.#files = known;
    return usages;
  }

  async #find(id: string): Promise<CgroupFiles | undefined> {
    try {
      const { State } = await this.#engine.call(`inspect ${id.slice(0, 12)}`, engineDeadlines.readMs, (abortSignal) =>
        this.#engine.docker.getContainer(id).inspect({ abortSignal }),
      );
      if (!State.Running) return undefined;
      const [membership, mounts] = await Promise.all([
        readFile(`/proc/${State.Pid}/cgroup`, "utf8"),
        readFile("/proc/self/mountinfo", "utf8"),
      ]);
      // The number may be another process's by now, or mean one of another namespace.
      return membership.includes(id) ? cgroupFiles(membership, mounts) : undefined;
    } catch {
      return undefined;
    }
  }
}

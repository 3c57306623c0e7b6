import type { Done, Finished, Timers } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { isBelow } from "./pod-volumes.js";
import type { DiskUsage, MountedVolume, Pace } from "./runtime.js";
import type { VolumeHost } from "./volume-host.js";
import type { VolumePlan } from "./volume-plan.js";

/** Texts by path. */
type Files = Map<string, string>;

/** Volumes of a machine in memory; it allows no hostPath. */
export class FakeVolumes implements VolumeHost {
  readonly #timers: Timers;
  readonly pods = new Map<string, Map<string, Files>>();
  /** Of the engine, by `namespace/name`; they outlive Pods. */
  readonly named = new Map<string, Files>();
  /** Bytes in a volume, by `pod uid/volume`, in place of those of its texts. */
  readonly sizes = new Map<string, number>();
  /** While set, nothing can be made or removed. */
  failure: string | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  list(done: Done<readonly string[]>): void {
    this.#timers.after(0, () => done(null, [...this.pods.keys()]));
  }

  apply(podUid: string, plan: VolumePlan, done: Finished): void {
    this.#run(done, () => {
      if (plan.kind === "host")
        throw new IkadaError("Invalid", `hostPath "${plan.path}": this node allows no hostPath`);
      if (plan.kind === "named") {
        const key = `${plan.volume.namespace}/${plan.volume.name}`;
        if (!this.named.has(key)) this.named.set(key, new Map());
        return;
      }
      const volumes = this.pods.get(podUid) ?? new Map<string, Files>();
      this.pods.set(podUid, volumes);
      const decoder = new TextDecoder();
      if (plan.kind === "files")
        volumes.set(plan.name, new Map(plan.files.map(({ path, bytes }) => [path, decoder.decode(bytes)])));
      else if (!volumes.has(plan.name)) volumes.set(plan.name, new Map());
    });
  }

  remove(podUid: string, done: Finished): void {
    this.#run(done, () => this.pods.delete(podUid));
  }

  usage(podUid: string, _pace: Pace, done: Done<ReadonlyMap<string, DiskUsage>>): void {
    this.#timers.after(1, () => {
      const usages = [...(this.pods.get(podUid) ?? [])].map(([name, files]) => {
        const written = [...files.values()].reduce((sum, text) => sum + text.length, 0);
        const bytes = this.sizes.get(`${podUid}/${name}`) ?? written;
        return [name, { bytes, inodes: 1 + files.size, isComplete: true }] as const;
      });
      done(null, new Map(usages));
    });
  }

  /** What a container finds of the volumes. @throws IkadaError Invalid when a mount is not allowed */
  mounted(podUid: string, mounts: readonly MountedVolume[]): FakeMounts {
    const filesOf = (mount: MountedVolume): Files | undefined => {
      const { named, volume } = mount;
      return named === undefined
        ? this.pods.get(podUid)?.get(volume)
        : this.named.get(`${named.namespace}/${named.name}`);
    };
    for (const mount of mounts) {
      const { volume, subPath } = mount;
      if (filesOf(mount) === undefined) throw new IkadaError("Invalid", `fake engine: there is no volume "${volume}"`);
      if (subPath !== undefined && !isBelow(subPath))
        throw new IkadaError("Invalid", `path "${subPath}" is refused: it leads out`);
    }
    // What a subPath names is what it was when the container was made.
    const pinned = new Map<MountedVolume, string | undefined>();
    for (const mount of mounts) if (mount.subPath !== undefined) pinned.set(mount, filesOf(mount)?.get(mount.subPath));
    return new FakeMounts(mounts, pinned, filesOf);
  }

  #run(done: Finished, work: () => unknown): void {
    this.#timers.after(1, () => {
      let failed: Error | null = null;
      try {
        if (this.failure !== undefined) throw new IkadaError("Unavailable", this.failure);
        work();
      } catch (error) {
        failed = IkadaError.from(error);
      }
      done(failed);
    });
  }
}

/** Volumes in one container. */
export class FakeMounts {
  readonly #mounts: readonly MountedVolume[];
  readonly #pinned: ReadonlyMap<MountedVolume, string | undefined>;
  readonly #files: (mount: MountedVolume) => Files | undefined;

  constructor(
    mounts: readonly MountedVolume[],
    pinned: ReadonlyMap<MountedVolume, string | undefined>,
    files: (mount: MountedVolume) => Files | undefined,
  ) {
    this.#mounts = mounts;
    this.#pinned = pinned;
    this.#files = files;
  }

  read(path: string): string | undefined {
    const place = this.#placeOf(path);
    if (place === undefined) return undefined;
    const pinned = this.#pinned.get(place.mount);
    return pinned !== undefined && path === place.mount.target ? pinned : this.#files(place.mount)?.get(place.at);
  }

  /** Undefined: the path is in no volume. False: it may not be written. */
  write(path: string, text: string): boolean | undefined {
    const place = this.#placeOf(path);
    if (place === undefined) return undefined;
    if (place.mount.readOnly) return false;
    this.#files(place.mount)?.set(place.at, text);
    return true;
  }

  #placeOf(path: string): { readonly mount: MountedVolume; readonly at: string } | undefined {
    for (const mount of this.#mounts) {
      if (path !== mount.target && !path.startsWith(`${mount.target}/`)) continue;
      const below = path.slice(mount.target.length + 1);
      return { mount, at: [mount.subPath ?? "", below].filter(Boolean).join("/") };
    }
    return undefined;
  }
}

import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  realpath,
  rmdir,
  unlink,
  writeFile,
  type FileHandle,
} from "node:fs/promises";
import { isAbsolute, join, normalize, relative } from "node:path";
import type { Done, Finished } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type { DiskUsage, MountedVolume, Pace } from "../core/runtime.js";
import type { VolumeHost } from "../core/volume-host.js";
import type { NamedVolume, VolumePlan } from "../core/volume-plan.js";
import { writeFiles } from "./atomic-files.js";
import { codeOf, isWithin, openBeneath, pathOf, refused, resolved, type Missing } from "./beneath.js";
import type { DiskMeter } from "./disk-meter.js";
import { bind, mountMemory, mountsWithin, unmount } from "./mounts.js";
import { removeTree } from "./remove-tree.js";

export interface HostVolumesOptions {
  /** Has a folder for each Pod, by uid. The engine must see the agent's mounts in it. */
  readonly folder: string;
  /** Folders of this machine that Pods with hostPath may reach; none: no Pod may. */
  readonly hostPaths: readonly string[];
  /** What no Pod may reach by any of them: the agent's keys and all Pods' Secrets. @default folder */
  readonly ownFolder?: string;
  /** Volumes that the engine keeps; absent: Pods may name none. */
  readonly named?: NamedVolumes;
  readonly meter: DiskMeter;
}

/** What the engine does for volumes that it keeps by name (node-agent/docker/named-volumes.ts). */
export interface NamedVolumes {
  /** The volume, made when it is not there. @throws IkadaError Conflict when somebody else's has its name */
  ensure(volume: NamedVolume): Promise<EngineVolume>;
}

export interface EngineVolume {
  /** The engine's name for it. */
  readonly id: string;
  /** Its folder, where this machine has it. */
  readonly folder: string;
  /** Made by this call. */
  readonly isNew: boolean;
}

/** What a container is given. */
export interface ReadyMount {
  /** A path on this machine, or the engine's name of a volume. */
  readonly source: string;
  readonly kind: "bind" | "volume";
  readonly target: string;
  readonly readOnly: boolean;
}

/**
 * Volumes on this machine. Below `folder/<uid>`: `volumes/<name>` is the volume itself, `mounts/<container>_<n>` what one container is given
 * of a part of a volume or of the machine: a mount of the very file that was checked, so that swapping names afterwards changes nothing.
 * Works on one Pod come one after the other.
 */
export class HostVolumes implements VolumeHost {
  readonly #options: HostVolumesOptions;
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(options: HostVolumesOptions) {
    this.#options = options;
  }

  list(done: Done<readonly string[]>): void {
    const uids = namesIn(this.#options.folder).then((names) => names.filter((name) => safeName.test(name)));
    void settle(uids, done, []);
  }

  apply(podUid: string, plan: VolumePlan, done: Finished): void {
    void settle(
      this.#inOrder(podUid, () => this.#apply(podUid, plan)),
      done,
      undefined,
    );
  }

  remove(podUid: string, done: Finished): void {
    void settle(
      this.#inOrder(podUid, () => this.#remove(podUid)),
      done,
      undefined,
    );
  }

  /** What a container's mounts are on this machine. @throws IkadaError Invalid when one leads out of its volume */
  mountsFor(podUid: string, containerName: string, mounts: readonly MountedVolume[]): Promise<readonly ReadyMount[]> {
    if (mounts.length === 0) return Promise.resolve([]);
    return this.#inOrder(podUid, async () => {
      const ready: ReadyMount[] = [];
      for (const [at, mount] of mounts.entries()) {
        const { target, readOnly } = mount;
        try {
          const found = await this.#source(podUid, mount, `${safe(containerName)}_${at}`);
          ready.push({ ...found, target, readOnly });
        } catch (error) {
          const { reason, message, details } = IkadaError.from(error);
          const part = mount.subPath === undefined ? "" : "subPath for ";
          const what = `failed to prepare ${part}volumeMount "${mount.volume}" of container "${containerName}"`;
          // A missing file is not the missing image or container that NotFound stands for.
          const shown = reason === "NotFound" ? "Invalid" : reason;
          throw new IkadaError(shown, `${what}: ${message}`, details, error);
        }
      }
      return ready;
    });
  }

  async #inOrder<T>(podUid: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(podUid) ?? Promise.resolve();
    const mine = before.then(work, work);
    const over = async (): Promise<void> => {
      await Promise.allSettled([mine]);
      if (this.#last.get(podUid) === mine) this.#last.delete(podUid);
    };
    this.#last.set(podUid, mine);
    void over();
    return mine;
  }

  async #apply(podUid: string, plan: VolumePlan): Promise<void> {
    if (plan.kind === "host") {
      await (await this.#openHostPath(plan.path, plan.type)).close();
      return;
    }
    if (plan.kind === "named") {
      const { folder, isNew } = await this.#named(plan.volume);
      if (isNew) await openToAll(folder, plan.group);
      return;
    }
    const folder = this.#volumeFolder(podUid, plan.name);
    await mkdir(join(folder, ".."), { recursive: true, mode: 0o700 });
    if (plan.kind === "files") await writeFiles(folder, plan);
    else await makeFolder(folder, plan);
  }

  usage(podUid: string, pace: Pace, done: Done<ReadonlyMap<string, DiskUsage>>): void {
    void settle(this.#usage(podUid, pace), done, new Map());
  }

  async #usage(podUid: string, pace: Pace): Promise<ReadonlyMap<string, DiskUsage>> {
    const folder = join(this.#podFolder(podUid), "volumes");
    const usages = new Map<string, DiskUsage>();
    for (const name of await namesIn(folder)) {
      const usage = await this.#options.meter.measure(join(folder, name), pace);
      if (usage !== undefined) usages.set(name, usage);
    }
    return usages;
  }

  #named(volume: NamedVolume): Promise<EngineVolume> {
    const { named } = this.#options;
    if (named !== undefined) return named.ensure(volume);
    throw new IkadaError("Unsupported", `volume "${volume.name}": this node's engine keeps no volumes`);
  }

  async #source(podUid: string, mount: MountedVolume, name: string): Promise<Pick<ReadyMount, "source" | "kind">> {
    const { hostPath, subPath } = mount;
    const engine = mount.named && (await this.#named(mount.named));
    if (engine !== undefined && subPath === undefined) return { source: engine.id, kind: "volume" };
    const folder = engine?.folder ?? this.#volumeFolder(podUid, mount.volume);
    if (hostPath === undefined && !(await exists(folder)))
      throw new IkadaError("Invalid", `the pod's volume "${mount.volume}" is not on this machine`);
    if (hostPath === undefined && subPath === undefined) return { source: folder, kind: "bind" };
    const whole = hostPath === undefined ? undefined : await this.#openHostPath(hostPath, "");
    let part: FileHandle | undefined;
    try {
      const root = whole === undefined ? folder : pathOf(whole);
      if (subPath !== undefined) part = await openBeneath(root, subPath, await folderLike(root));
      const chosen = part ?? whole;
      if (chosen === undefined) throw new IkadaError("Internal", `nothing to mount for ${mount.volume}`);
      return { source: await this.#bind(podUid, chosen, name), kind: "bind" };
    } finally {
      await part?.close();
      await whole?.close();
    }
  }

  /** A place of the agent's own where what the handle names is seen. */
  async #bind(podUid: string, handle: FileHandle, name: string): Promise<string> {
    const folder = join(this.#podFolder(podUid), "mounts");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const target = join(folder, name);
    // Of the attempt before, whose container has a copy of its own.
    for (const old of await mountsWithin(await realPathIn(folder, name))) await unmount(old);
    await removePlace(target);
    if ((await handle.stat()).isDirectory()) await mkdir(target);
    else await writeFile(target, "", { flag: "wx" });
    await bind(handle, target);
    return target;
  }

  /** A part of the machine that its owner allows. */
  async #openHostPath(path: string, type: string): Promise<FileHandle> {
    const { hostPaths } = this.#options;
    const hint = "the agent's config lists the folders that Pods may reach as hostPaths";
    if (hostPaths.length === 0)
      throw new IkadaError("Invalid", `hostPath "${path}": this node allows no hostPath`, { hint });
    if (!isAbsolute(path)) throw refused(path, "a hostPath is absolute");
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    if (parts.includes("..")) throw refused(path, "it has a part that is not allowed");
    const { real, existing } = await resolved("/", parts, path);
    for (const root of outermost(hostPaths)) {
      const realRoot = await realpath(root).catch(() => undefined);
      if (realRoot === undefined || !isWithin(realRoot, real)) continue;
      const rest = join(relative(realRoot, real), ...parts.slice(existing));
      const handle = await openBeneath(realRoot, rest, missingOf(type));
      try {
        await this.#refuseOwn(handle, path);
        await checkType(handle, path, type);
        return handle;
      } catch (error) {
        await handle.close();
        throw error;
      }
    }
    const allowed = hostPaths.join(", ");
    throw new IkadaError("Invalid", `hostPath "${path}" is not below what this node allows (${allowed})`, { hint });
  }

  async #refuseOwn(handle: FileHandle, path: string): Promise<void> {
    const own = await realpath(this.#options.ownFolder ?? this.#options.folder).catch(() => undefined);
    if (own !== undefined && isWithin(own, await realpath(pathOf(handle))))
      throw new IkadaError("Invalid", `hostPath "${path}" is the node agent's own`);
  }

  async #remove(podUid: string): Promise<void> {
    const folder = this.#podFolder(podUid);
    if (!(await exists(folder))) return;
    const real = await realpath(folder);
    for (const target of await mountsWithin(real)) await unmount(target);
    // Nothing of the machine's own may be removed through a mount.
    const left = await mountsWithin(real);
    if (left.length > 0) throw new IkadaError("Unavailable", `${left.join(", ")}: still mounted`);
    await removeTree(folder);
  }

  #podFolder(podUid: string): string {
    return join(this.#options.folder, safe(podUid));
  }

  #volumeFolder(podUid: string, name: string): string {
    return join(this.#podFolder(podUid), "volumes", safe(name));
  }
}

async function makeFolder(folder: string, plan: Extract<VolumePlan, { kind: "folder" }>): Promise<void> {
  const { group, medium, sizeLimitBytes } = plan;
  const isNew = !(await exists(folder));
  if (isNew) await mkdir(folder);
  if (medium === "memory") {
    const real = await realpath(folder);
    if ((await mountsWithin(real)).includes(real)) return;
    const mode = group === undefined ? "0777" : "2777";
    await mountMemory(real, [
      `mode=${mode}`,
      ...(group === undefined ? [] : [`gid=${group}`]),
      ...(sizeLimitBytes === undefined ? [] : [`size=${sizeLimitBytes}`]),
    ]);
    return;
  }
  // What containers made of it since is theirs.
  if (isNew) await openToAll(folder, group);
}

/** For whoever a Pod's containers run as. */
async function openToAll(folder: string, group: number | undefined): Promise<void> {
  if (group !== undefined) await chown(folder, 0, group);
  await chmod(folder, group === undefined ? 0o777 : 0o2777);
}

/** A missing part is made as a folder with the volume's own mode, as in Kubernetes. */
async function folderLike(root: string): Promise<Missing> {
  const { mode } = await lstat(await realpath(root));
  return { what: "folder", mode: mode & 0o7777 };
}

function missingOf(type: string): Missing | undefined {
  if (type === "DirectoryOrCreate") return { what: "folder", mode: 0o755 };
  return type === "FileOrCreate" ? { what: "file", mode: 0o644 } : undefined;
}

async function checkType(handle: FileHandle, path: string, type: string): Promise<void> {
  const stat = await handle.stat();
  const fits: Readonly<Record<string, boolean>> = {
    "": true,
    DirectoryOrCreate: stat.isDirectory(),
    Directory: stat.isDirectory(),
    FileOrCreate: stat.isFile(),
    File: stat.isFile(),
    Socket: stat.isSocket(),
    CharDevice: stat.isCharacterDevice(),
    BlockDevice: stat.isBlockDevice(),
  };
  if (fits[type] !== true) throw new IkadaError("Invalid", `hostPath type check failed: ${path} is not a ${type}`);
}

const safeName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** Without those below another one: who may write in that could put a link to anywhere in their place. */
function outermost(roots: readonly string[]): readonly string[] {
  const plain = roots.map((root) => normalize(`${root}/.`).replace(/(?<=.)\/$/, ""));
  return plain.filter((root) => !plain.some((other) => other !== root && isWithin(other, root)));
}

/** Where something was mounted: an empty folder or file of the agent's. What is still mounted there stays. */
async function removePlace(target: string): Promise<void> {
  try {
    await unlink(target);
  } catch (error) {
    if (codeOf(error) === "EISDIR") await rmdir(target);
    else if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** Names come from servers; none of them may be a path. */
function safe(name: string): string {
  if (safeName.test(name)) return name;
  throw new IkadaError("Invalid", `"${name}" can't be the name of a volume's folder`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

async function realPathIn(folder: string, name: string): Promise<string> {
  return join(await realpath(folder), name);
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function settle<T>(work: Promise<T>, done: (error: Error | null, result: T) => void, none: T): Promise<void> {
  let result: T;
  try {
    result = await work;
  } catch (error) {
    done(IkadaError.from(error), none);
    return;
  }
  done(null, result);
}

import type { Disk, Done, Finished } from "../../src/base/env.js";
import { SimulatedFile, tear, type CrashLoss, type FileChange } from "./disk-file.js";
import type { Process, World } from "./world.js";

export interface DiskFaults {
  /** Time of one request, uniform. */
  latencyUsMin: number;
  latencyUsMax: number;
  syncUsMin: number;
  syncUsMax: number;
  /** Probability that a request takes up to `stallUsMax` longer. */
  stallRate: number;
  stallUsMax: number;
  /** Probability that a sync fails. What it was to make durable may or may not be; the process has to end, and only a power cut tells. */
  syncErrorRate: number;
  /** Probability that a write fails and changes nothing. */
  writeErrorRate: number;
  /** Probability that a read fails. */
  readErrorRate: number;
  /** Bytes that fit; writes beyond fail with ENOSPC. */
  capacityBytes: number;
}

type FolderChange =
  | { readonly type: "add"; readonly path: string; readonly file: SimulatedFile }
  | { readonly type: "rename"; readonly from: string; readonly to: string }
  | { readonly type: "remove"; readonly path: string };

/** A request that has begun and not completed: a crash may leave any part of it. */
interface InFlight {
  readonly path: string;
  readonly offset: number;
  /** The caller's bytes, read at completion: who changes them before writes what it did not mean. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * One machine's disk. It survives its process: bytes are `cached` when their write completed and durable when a sync
 * covered them; names are durable when a `syncFolder` covered them. Completions come in random order.
 */
export class SimulatedDisk {
  readonly faults: DiskFaults;
  /** Told of each failed request, before its caller. */
  onError: () => void = () => undefined;
  /** Told of each write when it begins. */
  onWrite: () => void = () => undefined;
  readonly #world: World;
  #names = new Map<string, SimulatedFile>();
  #durableNames = new Map<string, SimulatedFile>();
  /** Per folder, in order: what a power cut may take back from the end. */
  #folderChanges = new Map<string, FolderChange[]>();
  /** Made ones are durable at once, as the real disk makes them. */
  readonly #folders = new Set([""]);
  readonly #inFlight = new Set<InFlight>();
  #hungUntilUs = 0;
  #hungSinceUs = 0;
  #waitingSinceUs: number | undefined;
  #order = 0;

  constructor(world: World, faults: DiskFaults) {
    this.#world = world;
    this.faults = faults;
  }

  /** No request that begins before then completes before. */
  hang(untilUs: number): void {
    this.#hungSinceUs = this.#world.timeUs;
    this.#hungUntilUs = untilUs;
  }

  /** Since when a write of the log waits for a disk that hangs. */
  get waitingSinceUs(): number | undefined {
    const isOfThisHang = this.#hungUntilUs > this.#world.timeUs && (this.#waitingSinceUs ?? -1) >= this.#hungSinceUs;
    return isOfThisHang ? this.#waitingSinceUs : undefined;
  }

  get usedBytes(): number {
    let used = 0;
    for (const file of this.#names.values()) used += file.cached.length;
    return used;
  }

  /** The disk as a process's present incarnation sees it. */
  open(process: Process): Disk {
    const request = (latencyUs: number, run: () => void): void => {
      this.#world.after(latencyUs, run, process);
    };
    const epoch = process.epoch;
    const guard = (run: () => void): void => {
      if (process.epoch === epoch) run();
    };
    return {
      list: (folder, done) => guard(() => request(this.#latency(), () => done(null, this.#list(folder)))),
      makeFolder: (folder, done) => guard(() => request(this.#latency(), () => this.#makeFolder(folder, done))),
      size: (path, done) =>
        guard(() => request(this.#latency(), () => done(null, this.#names.get(path)?.cached.length ?? -1))),
      read: (path, offset, length, done) =>
        guard(() => request(this.#latency(), () => this.#read(path, offset, length, done))),
      write: (path, offset, bytes, done) => guard(() => this.#change({ path, offset, bytes }, request, done)),
      truncate: (path, length, done) =>
        guard(() => this.#change({ path, offset: length, bytes: undefined }, request, done)),
      sync: (path, done) => guard(() => this.#sync(path, request, done)),
      syncFolder: (folder, done) => guard(() => this.#syncFolder(folder, request, done)),
      rename: (from, to, done) => guard(() => request(this.#latency(), () => this.#rename(from, to, done))),
      remove: (path, done) => guard(() => request(this.#latency(), () => this.#remove(path, done))),
    };
  }

  /** To be called when the process has ended. */
  crash(loss: CrashLoss): void {
    const { random } = this.#world;
    for (const request of this.#inFlight) {
      if (!random.chance(0.5)) continue;
      const change: FileChange = { order: this.#order++, offset: request.offset, bytes: request.bytes?.slice() };
      const whole = request.bytes === undefined || random.chance(0.5);
      for (const part of whole ? [change] : tear(random, change, loss.tearBytes)) this.#file(request.path).change(part);
    }
    this.#inFlight.clear();
    this.#waitingSinceUs = undefined;
    if (loss.processOnly) return;
    for (const [folder, changes] of this.#folderChanges) {
      const kept = loss.keep === "nothing" ? 0 : random.int(changes.length + 1);
      for (const change of changes.slice(0, kept)) applyToNames(this.#durableNames, change);
      this.#folderChanges.set(folder, []);
    }
    for (const file of new Set([...this.#names.values(), ...this.#durableNames.values()])) file.lose(random, loss);
    this.#names = new Map(this.#durableNames);
  }

  /** Names of all files, in code-unit order. */
  files(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** What a power cut would leave of a file at least; undefined when not even its name is durable. A view, for reading at once. */
  durableBytes(path: string): Uint8Array | undefined {
    return this.#durableNames.get(path)?.durable.view();
  }

  /** Names of the files in a folder that a power cut would leave, in code-unit order. */
  durableNamesIn(folder: string): string[] {
    const paths = [...this.#durableNames.keys()].filter((path) => folderOf(path) === folder);
    return paths.map((path) => path.slice(path.lastIndexOf("/") + 1)).sort();
  }

  /** Nothing is on its way to this disk, and a power cut would take nothing back. */
  get isIdle(): boolean {
    if (this.#inFlight.size > 0) return false;
    return [...this.#names.values()].every((file) => file.changes.length === 0);
  }

  /** A new disk in the machine. */
  wipe(): void {
    this.#names.clear();
    this.#durableNames.clear();
    this.#folderChanges.clear();
    this.#inFlight.clear();
  }

  /** A file that was there before the world began. */
  place(path: string, bytes: Uint8Array): void {
    const file = new SimulatedFile();
    file.change({ order: this.#order++, offset: 0, bytes });
    file.sync(this.#order);
    this.#names.set(path, file);
    this.#durableNames.set(path, file);
  }

  /** Bit rot: flips a bit of what is stored. */
  flipBit(path: string, offset: number, bit: number): void {
    const file = this.#names.get(path);
    file?.cached.flip(offset, bit);
    file?.durable.flip(offset, bit);
  }

  #list(folder: string): string[] {
    const names: string[] = [];
    for (const path of this.#names.keys())
      if (folderOf(path) === folder) names.push(path.slice(path.lastIndexOf("/") + 1));
    return names.sort();
  }

  #makeFolder(folder: string, done: Finished): void {
    for (let end = folder.length; end > 0; end = folder.lastIndexOf("/", end - 1))
      this.#folders.add(folder.slice(0, end));
    done(null);
  }

  #read(path: string, offset: number, length: number, done: Done<Uint8Array>): void {
    const file = this.#names.get(path);
    if (!file) return done(missing(path), new Uint8Array(0));
    if (this.#world.random.chance(this.faults.readErrorRate)) {
      this.onError();
      return done(new Error(`EIO: read of ${path} failed`), new Uint8Array(0));
    }
    return done(null, file.cached.read(offset, length));
  }

  #change(change: InFlight, request: (latencyUs: number, run: () => void) => void, done: Finished): void {
    this.#inFlight.add(change);
    this.onWrite();
    request(this.#latency(change.path), () => {
      this.#inFlight.delete(change);
      const { path, offset, bytes } = change;
      if (bytes === undefined ? !this.#names.has(path) : !this.#folders.has(folderOf(path))) return done(missing(path));
      if (this.#world.random.chance(this.faults.writeErrorRate)) {
        this.onError();
        return done(new Error(`EIO: write of ${path} failed`));
      }
      const file = this.#file(path);
      if (
        bytes &&
        offset + bytes.length > file.cached.length &&
        this.usedBytes + bytes.length > this.faults.capacityBytes
      ) {
        this.onError();
        return done(Object.assign(new Error(`ENOSPC: no space left for ${path}`), { code: "ENOSPC" }));
      }
      file.change({ order: this.#order++, offset, bytes: bytes?.slice() });
      return done(null);
    });
  }

  #sync(path: string, request: (latencyUs: number, run: () => void) => void, done: Finished): void {
    const file = this.#names.get(path);
    const order = this.#order - 1;
    request(this.#syncLatency(path), () => {
      if (!file) return done(missing(path));
      if (this.#world.random.chance(this.faults.syncErrorRate)) {
        // Some of it may have reached the disk all the same.
        if (this.#world.random.chance(0.5)) file.sync(order);
        this.onError();
        return done(new Error(`EIO: sync of ${path} failed`));
      }
      file.sync(order);
      return done(null);
    });
  }

  #syncFolder(folder: string, request: (latencyUs: number, run: () => void) => void, done: Finished): void {
    const changes = this.#folderChanges.get(folder)?.slice() ?? [];
    request(this.#syncLatency(), () => {
      if (!this.#folders.has(folder)) return done(missing(folder));
      const pending = this.#folderChanges.get(folder) ?? [];
      // Another sync may have covered a part of them meanwhile.
      for (const change of changes) {
        if (pending[0] !== change) continue;
        pending.shift();
        applyToNames(this.#durableNames, change);
      }
      return done(null);
    });
  }

  #rename(from: string, to: string, done: Finished): void {
    if (folderOf(from) !== folderOf(to)) throw new Error(`rename over folders: ${from} to ${to}`);
    if (!this.#names.has(from)) return done(missing(from));
    this.#changeFolder(folderOf(from), { type: "rename", from, to });
    return done(null);
  }

  #remove(path: string, done: Finished): void {
    if (this.#names.has(path)) this.#changeFolder(folderOf(path), { type: "remove", path });
    done(null);
  }

  #file(path: string): SimulatedFile {
    const present = this.#names.get(path);
    if (present) return present;
    const file = new SimulatedFile();
    this.#changeFolder(folderOf(path), { type: "add", path, file });
    return file;
  }

  #changeFolder(folder: string, change: FolderChange): void {
    applyToNames(this.#names, change);
    const changes = this.#folderChanges.get(folder);
    if (changes) changes.push(change);
    else this.#folderChanges.set(folder, [change]);
  }

  #latency(path = ""): number {
    return this.#stalled(this.#world.random.between(this.faults.latencyUsMin, this.faults.latencyUsMax), path);
  }

  #syncLatency(path = ""): number {
    return this.#stalled(this.#world.random.between(this.faults.syncUsMin, this.faults.syncUsMax), path);
  }

  #stalled(latencyUs: number, path: string): number {
    const { random, timeUs } = this.#world;
    if (this.#hungUntilUs > timeUs) {
      const isFirst = this.#waitingSinceUs === undefined || this.#waitingSinceUs < this.#hungSinceUs;
      if (isFirst && path.endsWith(".seg")) this.#waitingSinceUs = timeUs;
      return latencyUs + this.#hungUntilUs - timeUs;
    }
    return random.chance(this.faults.stallRate) ? latencyUs + random.int(this.faults.stallUsMax + 1) : latencyUs;
  }
}

function applyToNames(names: Map<string, SimulatedFile>, change: FolderChange): void {
  switch (change.type) {
    case "add":
      names.set(change.path, change.file);
      return;
    case "remove":
      names.delete(change.path);
      return;
    case "rename": {
      const file = names.get(change.from);
      names.delete(change.from);
      if (file) names.set(change.to, file);
    }
  }
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "" : path.slice(0, slash);
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: no such file ${path}`), { code: "ENOENT" });
}

import type { Disk, Finished } from "../../src/base/env.js";

/**
 * Files in memory whose requests wait in a queue until `run`: a test sees what is in flight, and chooses what a
 * crash leaves. `files` is what reads see; a write enters it when it completes.
 */
export class MemoryDisk {
  readonly files: Map<string, Uint8Array>;
  /** What was asked for, in order: `write log/…`, `sync log/…`. */
  readonly requests: string[] = [];
  /** A request that this returns true for fails, and so do all after it on a dead disk. */
  fails: (request: string) => boolean = () => false;
  /** While it is true a write of more than is there finds no space, and leaves a part. */
  isFull = false;
  /** Told of each request, to let somebody complete it later. */
  onRequest: () => void = () => undefined;
  readonly disk: Disk;
  nowMs = 0;
  readonly #queue: (() => void)[] = [];
  readonly #timers = new Set<() => void>();

  constructor(files: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.files = new Map([...files].map(([path, bytes]) => [path, bytes.slice()]));
    const missing = (path: string): Error => new Error(`ENOENT: ${path}`);
    this.disk = {
      list: (folder, done) => this.#request(`list ${folder}`, done, [], () => this.#list(folder)),
      makeFolder: (folder, done) => this.#request(`makeFolder ${folder}`, done, undefined, () => undefined),
      size: (path, done) => this.#request(`size ${path}`, done, -1, () => this.files.get(path)?.length ?? -1),
      read: (path, offset, length, done) =>
        this.#request(`read ${path}`, done, new Uint8Array(0), () => {
          const bytes = this.files.get(path);
          if (!bytes) throw missing(path);
          return bytes.slice(offset, offset + length);
        }),
      write: (path, offset, bytes, done) =>
        this.#request(`write ${path}`, done, undefined, () => this.#write(path, offset, bytes)),
      sync: (path, done) => this.#request(`sync ${path}`, done, undefined, () => undefined),
      syncFolder: (folder, done) => this.#request(`syncFolder ${folder}`, done, undefined, () => undefined),
      truncate: (path, length, done) =>
        this.#request(`truncate ${path}`, done, undefined, () => {
          this.files.set(path, (this.files.get(path) ?? new Uint8Array(0)).slice(0, length));
        }),
      rename: (from, to, done) =>
        this.#request(`rename ${from}`, done, undefined, () => {
          const bytes = this.files.get(from);
          if (!bytes) throw missing(from);
          this.files.delete(from);
          this.files.set(to, bytes);
        }),
      remove: (path, done) => this.#request(`remove ${path}`, done, undefined, () => void this.files.delete(path)),
    };
  }

  /** A timer of the process whose disk this is: it waits until `idle`. */
  later(run: () => void): { cancel(): void } {
    this.#timers.add(run);
    return { cancel: () => this.#timers.delete(run) };
  }

  /** Completes all requests, lets a second pass and all timers run, and completes what they asked for. */
  idle(): void {
    this.run();
    this.nowMs += 1000;
    const due = Array.from(this.#timers);
    this.#timers.clear();
    for (const run of due) run();
    this.run();
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Completes the oldest waiting request; false when there is none. */
  step(): boolean {
    const next = this.#queue.shift();
    next?.();
    return next !== undefined;
  }

  /** Completes all requests, and those that they lead to. */
  run(): void {
    while (this.step());
  }

  /** The process died: what it had asked for does not happen any more. */
  drop(): void {
    this.#queue.length = 0;
  }

  count(prefix: string): number {
    return this.requests.filter((request) => request.startsWith(prefix)).length;
  }

  #request<T>(
    request: string,
    done: ((error: Error | null, result: T) => void) | Finished,
    none: T,
    run: () => T,
  ): void {
    this.requests.push(request);
    this.#queue.push(() => {
      let result = none;
      let failure: Error | null = null;
      try {
        if (this.fails(request)) throw new Error(`EIO: ${request}`);
        result = run();
      } catch (error) {
        failure = error as Error;
      }
      done(failure, result);
    });
    this.onRequest();
  }

  #list(folder: string): string[] {
    const prefix = `${folder}/`;
    const inside = [...this.files.keys()].filter((path) => path.startsWith(prefix));
    return inside.map((path) => path.slice(prefix.length)).sort();
  }

  #write(path: string, offset: number, bytes: Uint8Array): void {
    const present = this.files.get(path) ?? new Uint8Array(0);
    const length = Math.max(present.length, offset + bytes.length);
    if (this.isFull && length > present.length) {
      this.files.set(path, Uint8Array.from([...present, ...bytes.subarray(0, (length - present.length) / 2)]));
      throw Object.assign(new Error(`ENOSPC: ${path}`), { code: "ENOSPC" });
    }
    const written = new Uint8Array(length);
    written.set(present);
    written.set(bytes, offset);
    this.files.set(path, written);
  }
}

/** Overwrites a part of `files`' copy of a file, without any request. */
export function damage(
  files: Map<string, Uint8Array>,
  path: string,
  change: (bytes: Uint8Array) => Uint8Array | void,
): void {
  const bytes = files.get(path)?.slice();
  if (!bytes) throw new Error(`no file ${path}`);
  files.set(path, change(bytes) ?? bytes);
}

import type { Disk, Done, Finished, Timers } from "../../src/base/env.js";

/**
 * Files in memory that keep the rules of `Disk`: what was not synced is lost by `crash`. Completions come in turns of their own.
 */
export class MemoryDisk {
  #files = new Map<string, Uint8Array>();
  #durable = new Map<string, Uint8Array>();
  /** Contents that were synced under their present name. */
  #synced = new Map<string, Uint8Array>();

  /** While true, syncs fail. */
  failing = false;
  /** While true, nothing more can be written. */
  isFull = false;
  /** While true, requests wait. */
  stalled = false;
  #waiting: (() => void)[] = [];

  resume(): void {
    this.stalled = false;
    for (const run of this.#waiting.splice(0)) run();
  }

  crash(): void {
    this.#waiting = [];
    this.#files = new Map(this.#durable);
    this.#synced = new Map(this.#durable);
  }

  /** Changes stored bytes, as bad storage does. */
  damage(name: string): void {
    const bytes = this.#files.get(name);
    if (bytes !== undefined) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  }

  get names(): string[] {
    return [...this.#files.keys()].sort();
  }

  open(timers: Timers): Disk {
    const later = (run: () => void): void =>
      void timers.after(0.2, () => {
        if (this.stalled) this.#waiting.push(run);
        else run();
      });
    const finish = (work: () => void, done: Finished): void =>
      later(() => {
        work();
        done(null);
      });
    const give = <T>(work: () => T, done: Done<T>): void => later(() => done(null, work()));
    return {
      list: (_folder, done) => give(() => this.names, done),
      makeFolder: (_folder, done) => finish(() => undefined, done),
      size: (path, done) => give(() => this.#files.get(path)?.length ?? -1, done),
      read: (path, offset, length, done) =>
        give(() => (this.#files.get(path) as Uint8Array).slice(offset, offset + length), done),
      write: (path, offset, bytes, done) =>
        later(() => {
          if (this.isFull) return done(Object.assign(new Error("no space left on device"), { code: "ENOSPC" }));
          const before = this.#files.get(path) ?? new Uint8Array();
          const after = new Uint8Array(Math.max(before.length, offset + bytes.length));
          after.set(before);
          after.set(bytes, offset);
          this.#files.set(path, after);
          this.#synced.delete(path);
          return done(null);
        }),
      sync: (path, done) =>
        later(() => {
          if (this.failing) return done(new Error("EIO"));
          this.#synced.set(path, this.#files.get(path) as Uint8Array);
          return done(null);
        }),
      syncFolder: (_folder, done) =>
        finish(() => {
          // A name without synced content survives with nothing in it.
          const entries = [...this.#files.keys()].map(
            (name) => [name, this.#synced.get(name) ?? new Uint8Array()] as const,
          );
          this.#durable = new Map(entries);
        }, done),
      truncate: (path, length, done) =>
        finish(() => void this.#files.set(path, (this.#files.get(path) ?? new Uint8Array()).slice(0, length)), done),
      rename: (from, to, done) =>
        finish(() => {
          for (const map of [this.#files, this.#synced]) {
            const bytes = map.get(from);
            map.delete(from);
            map.delete(to);
            if (bytes !== undefined) map.set(to, bytes);
          }
        }, done),
      remove: (path, done) =>
        finish(() => {
          this.#files.delete(path);
          this.#synced.delete(path);
        }, done),
    };
  }
}

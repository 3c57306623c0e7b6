import type { Disk, Finished } from "../../src/base/env.js";
import type { LogEnv } from "./segment-writer.js";

/** Given up first when the disk is full: votes and what is under way still fit for a while. */
export const reservePath = "log/reserve";
const retryMs = 100;
const lookMs = 1_000;

/**
 * The disk as the log sees it: one that is full for a while. A write that finds no space is known not to have happened, or only
 * in part; it is repeated at the same place until it succeeds, and nobody hears of it before. Any other error goes to
 * the caller, also that of a sync, which is never repeated.
 */
export class LogSpace {
  readonly disk: Disk;
  readonly #env: LogEnv;
  readonly #reserveBytes: number;
  #isFull = false;
  #isClosed = false;
  #waiting = 0;

  constructor(env: LogEnv, reserveBytes: number) {
    this.#env = env;
    this.#reserveBytes = reserveBytes;
    const { disk } = env;
    this.disk = {
      list: (folder, done) => disk.list(folder, done),
      makeFolder: (folder, done) => disk.makeFolder(folder, done),
      size: (path, done) => disk.size(path, done),
      read: (path, offset, length, done) => disk.read(path, offset, length, done),
      write: (path, offset, bytes, done) => this.#write(path, offset, bytes, done),
      sync: (path, done) => disk.sync(path, done),
      ...(disk.writeDurably && {
        writeDurably: (path, offset, bytes, done) => this.#writeDurably(path, offset, bytes, done),
      }),
      syncFolder: (folder, done) => disk.syncFolder(folder, done),
      truncate: (path, length, done) => disk.truncate(path, length, done),
      rename: (from, to, done) => disk.rename(from, to, done),
      remove: (path, done) => disk.remove(path, done),
    };
  }

  /** From the first write that found no space until the reserve is there again. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Makes the reserve. Beside the writes; that it can't be made is no failure, but a full disk. */
  open(): void {
    if (this.#reserveBytes === 0) return;
    this.#env.disk.size(reservePath, (error, size) => {
      if (!error && size !== this.#reserveBytes) this.#makeReserve();
    });
  }

  /** Writes that wait for space fail with what they found. */
  close(): void {
    this.#isClosed = true;
  }

  #write(path: string, offset: number, bytes: Uint8Array, done: Finished): void {
    this.#env.disk.write(path, offset, bytes, (error) => {
      if (!this.#isNoSpace(error)) return done(error);
      return this.#later(() => this.#write(path, offset, bytes, done));
    });
  }

  #writeDurably(...[path, offset, bytes, done]: Parameters<NonNullable<Disk["writeDurably"]>>): void {
    this.#env.disk.writeDurably?.(path, offset, bytes, (error, isWritten) => {
      if (isWritten || !this.#isNoSpace(error)) return done(error, isWritten);
      return this.#later(() => this.#writeDurably(path, offset, bytes, done));
    });
  }

  #isNoSpace(error: Error | null): boolean {
    return error !== null && isNoSpace(error) && !this.#isClosed;
  }

  #later(again: () => void): void {
    this.#waiting++;
    this.#giveReserve(() => {
      this.#waiting--;
      again();
    });
  }

  #giveReserve(next: () => void): void {
    if (this.#isFull) return void this.#env.timers.after(retryMs, next);
    this.#isFull = true;
    this.#env.log.error("the disk is full: this server takes no writes until there is space again");
    this.#env.timers.after(lookMs, () => this.#look());
    return this.#env.disk.remove(reservePath, () => next());
  }

  #look(): void {
    if (!this.#isFull || this.#isClosed) return;
    if (this.#waiting > 0 || this.#reserveBytes === 0) this.#lookLater();
    else this.#makeReserve();
  }

  /** Without one there is nothing to look for: the next write finds out. */
  #lookLater(): void {
    if (this.#reserveBytes === 0 && this.#waiting === 0) this.#wellAgain();
    else this.#env.timers.after(lookMs, () => this.#look());
  }

  #makeReserve(): void {
    const { disk } = this.#env;
    disk.write(reservePath, 0, new Uint8Array(this.#reserveBytes), (error) => {
      if (!error) return disk.sync(reservePath, (syncError) => (syncError ? this.#noReserve() : this.#wellAgain()));
      return this.#noReserve();
    });
  }

  /** What of it was made takes the space of votes. */
  #noReserve(): void {
    this.#env.disk.remove(reservePath, () => {
      if (!this.#isFull)
        this.#env.log.error("the disk is full: this server takes no writes until there is space again");
      this.#isFull = true;
      if (!this.#isClosed) this.#lookLater();
    });
  }

  #wellAgain(): void {
    if (this.#isFull) this.#env.log.info("the disk has space again");
    this.#isFull = false;
  }
}

function isNoSpace(error: Error): boolean {
  const { code } = error as Error & { readonly code?: unknown };
  return code === "ENOSPC" || code === "EDQUOT";
}

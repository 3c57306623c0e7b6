import path from "node:path";
import { Worker } from "node:worker_threads";
import type { Disk, Done, Finished } from "../base/env.js";
import { hostDisk, type HostDisk } from "./disk.js";

type Request =
  | {
      readonly type: "write" | "writeDurably";
      readonly file: string;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  | { readonly type: "sync" | "syncFolder" | "forget"; readonly file: string };

export interface DiskThreadData {
  readonly root: string;
  /** Counts requests. The thread sleeps on it, which wakes faster than an event loop does. */
  readonly asked: Int32Array;
}

export type ToDiskThread = ({ readonly id: number } & Request) | { readonly type: "close" };

export interface FromDiskThread {
  readonly id: number;
  readonly error: { readonly message: string; readonly code: string | undefined } | undefined;
  /** Of a failed `writeDurably`: the write was done, and the sync has failed. */
  readonly isWritten: boolean;
}

type Completion = (error: Error | null, isWritten: boolean) => void;

/**
 * A `Disk` that writes and syncs the files of one folder on a thread of its own. Node's file functions share a few threads with
 * RocksDB, name resolution, ciphers and compression of the whole process; behind twenty such jobs a write of the Raft log takes a hundred times
 * as long (docs/decisions/0006). Everything else goes to the `HostDisk`, which has the paths checked too.
 */
export class ThreadDisk implements Disk {
  readonly #disk: HostDisk;
  readonly #folder: string;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Completion>();
  readonly #asked = new Int32Array(new SharedArrayBuffer(4));
  readonly #ended: Promise<void>;
  #last = 0;
  #broken: Error | undefined;

  /** `folder` is the one in `root` whose files are written by the thread. */
  constructor(root: string, folder: string) {
    this.#disk = hostDisk(root);
    this.#folder = folder;
    const workerData: DiskThreadData = { root: path.resolve(root), asked: this.#asked };
    this.#worker = new Worker(new URL("./disk-thread-main.js", import.meta.url), { workerData, name: "disk" });
    this.#ended = new Promise((resolve) => this.#worker.once("exit", () => resolve()));
    this.#worker.on("message", ({ id, error, isWritten }: FromDiskThread) =>
      this.#finish(id, error ? Object.assign(new Error(error.message), { code: error.code }) : null, isWritten),
    );
    this.#worker.on("error", (error) => this.#break(error));
    this.#worker.on("exit", () => this.#break(new Error("the disk's thread has ended")));
    this.#worker.unref();
  }

  list(folder: string, done: Done<string[]>): void {
    this.#disk.list(folder, done);
  }

  makeFolder(folder: string, done: Finished): void {
    this.#disk.makeFolder(folder, done);
  }

  size(file: string, done: Done<number>): void {
    this.#disk.size(file, done);
  }

  read(file: string, offset: number, length: number, done: Done<Uint8Array>): void {
    this.#disk.read(file, offset, length, done);
  }

  write(file: string, offset: number, bytes: Uint8Array, done: Finished): void {
    if (this.#isMine(file)) this.#ask({ type: "write", file, offset, bytes }, done);
    else this.#disk.write(file, offset, bytes, done);
  }

  sync(file: string, done: Finished): void {
    if (this.#isMine(file)) this.#ask({ type: "sync", file }, done);
    else this.#disk.sync(file, done);
  }

  writeDurably(file: string, offset: number, bytes: Uint8Array, done: Completion): void {
    if (this.#isMine(file)) return this.#ask({ type: "writeDurably", file, offset, bytes }, done);
    return this.#disk.write(file, offset, bytes, (error) => {
      if (error) done(error, false);
      else this.#disk.sync(file, (syncError) => done(syncError, true));
    });
  }

  syncFolder(folder: string, done: Finished): void {
    if (folder === this.#folder) this.#ask({ type: "syncFolder", file: folder }, done);
    else this.#disk.syncFolder(folder, done);
  }

  truncate(file: string, length: number, done: Finished): void {
    this.#disk.truncate(file, length, done);
  }

  rename(from: string, to: string, done: Finished): void {
    this.#disk.rename(from, to, (error) => this.#forget([from, to], error, done));
  }

  remove(file: string, done: Finished): void {
    this.#disk.remove(file, (error) => this.#forget([file], error, done));
  }

  /** Resolves when all files are closed and the thread has ended. */
  async close(): Promise<void> {
    this.#worker.ref();
    this.#tell({ type: "close" });
    await Promise.all([this.#ended, this.#disk.close()]);
  }

  #isMine(file: string): boolean {
    const name = file.slice(this.#folder.length + 1);
    return file.startsWith(`${this.#folder}/`) && name !== "" && name !== "." && name !== ".." && !name.includes("/");
  }

  /** What the names mean has changed. */
  #forget([file, ...others]: readonly string[], error: Error | null, done: Finished): void {
    if (file === undefined || error) return done(error);
    if (!this.#isMine(file)) return this.#forget(others, error, done);
    return this.#ask({ type: "forget", file }, (failure) => this.#forget(others, failure, done));
  }

  #ask(request: Request, done: Completion): void {
    if (this.#broken) return void setImmediate(done, this.#broken, false);
    const id = ++this.#last;
    if (this.#waiting.size === 0) this.#worker.ref();
    this.#waiting.set(id, done);
    return this.#tell({ id, ...request });
  }

  #tell(message: ToDiskThread): void {
    this.#worker.postMessage(message, []);
    Atomics.add(this.#asked, 0, 1);
    Atomics.notify(this.#asked, 0);
  }

  #finish(id: number, error: Error | null, isWritten: boolean): void {
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    done?.(error, isWritten);
  }

  #break(error: Error): void {
    this.#broken ??= error;
    for (const id of this.#waiting.keys()) this.#finish(id, this.#broken, false);
  }
}

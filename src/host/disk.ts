import fs from "node:fs";
import path from "node:path";
import type { Disk, Done, Finished } from "../base/env.js";
import { invariant } from "../base/errors.js";
import { FileHandles } from "./file-handles.js";

/** A `Disk` in one folder of the machine, with its files kept open. Files are made 0600, folders 0700. */
export function hostDisk(folder: string): HostDisk {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  return new HostDisk(path.resolve(folder));
}

/**
 * Invariants: (1) no path leaves the root; (2) a call's completion runs after the call has returned, since all of
 * Node's file functions are asynchronous; (3) a handle is closed only when no call uses it.
 */
export class HostDisk implements Disk {
  readonly #root: string;
  readonly #handles = new FileHandles();

  constructor(root: string) {
    this.#root = root;
  }

  list(folder: string, done: Done<string[]>): void {
    fs.readdir(this.#resolve(folder), { withFileTypes: true }, (error, entries) => {
      if (error?.code === "ENOENT") return done(null, []);
      if (error) return done(error, []);
      const files = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
      return done(null, files.sort());
    });
  }

  makeFolder(folder: string, done: Finished): void {
    const target = this.#resolve(folder);
    fs.mkdir(target, { recursive: true, mode: 0o700 }, (error, first) => {
      if (error || first === undefined) return done(error);
      // A new folder is durable when its parent is: from the deepest made one up to the first one that was there.
      const parents: string[] = [];
      for (let at = target; at.length >= first.length; at = path.dirname(at)) parents.push(path.dirname(at));
      return syncFolders(parents, done);
    });
  }

  size(file: string, done: Done<number>): void {
    fs.stat(this.#resolve(file), (error, stat) => {
      if (error?.code === "ENOENT") return done(null, -1);
      return error ? done(error, -1) : done(null, stat.size);
    });
  }

  read(file: string, offset: number, length: number, done: Done<Uint8Array>): void {
    const bytes = new Uint8Array(length);
    this.#handles.use(this.#resolve(file), false, (openError, descriptor, release) => {
      const finish = (error: Error | null, count: number): void => {
        release();
        done(error, bytes.subarray(0, count));
      };
      if (openError) return finish(openError, 0);
      const next = (filled: number): void => {
        fs.read(descriptor, bytes, filled, length - filled, offset + filled, (error, count) => {
          if (error || count === 0 || filled + count === length) return finish(error, filled + count);
          return next(filled + count);
        });
      };
      return next(0);
    });
  }

  write(file: string, offset: number, bytes: Uint8Array, done: Finished): void {
    this.#handles.use(this.#resolve(file), true, (openError, descriptor, release) => {
      const finish = (error: Error | null): void => {
        release();
        done(error);
      };
      if (openError) return finish(openError);
      const next = (written: number): void => {
        fs.write(descriptor, bytes, written, bytes.length - written, offset + written, (error, count) => {
          if (error || written + count === bytes.length) return finish(error);
          return next(written + count);
        });
      };
      return next(0);
    });
  }

  sync(file: string, done: Finished): void {
    this.#withHandle(file, (descriptor, finish) => fs.fdatasync(descriptor, finish), done);
  }

  truncate(file: string, length: number, done: Finished): void {
    this.#withHandle(file, (descriptor, finish) => fs.ftruncate(descriptor, length, finish), done);
  }

  syncFolder(folder: string, done: Finished): void {
    syncFolders([this.#resolve(folder)], done);
  }

  rename(from: string, to: string, done: Finished): void {
    const [source, target] = [this.#resolve(from), this.#resolve(to)];
    fs.rename(source, target, (error) => {
      this.#handles.forget(source);
      this.#handles.forget(target);
      done(error);
    });
  }

  remove(file: string, done: Finished): void {
    const target = this.#resolve(file);
    fs.unlink(target, (error) => {
      this.#handles.forget(target);
      done(error?.code === "ENOENT" ? null : error);
    });
  }

  close(): Promise<void> {
    return this.#handles.close();
  }

  #withHandle(file: string, work: (descriptor: number, finish: Finished) => void, done: Finished): void {
    this.#handles.use(this.#resolve(file), false, (openError, descriptor, release) => {
      if (openError) {
        release();
        return done(openError);
      }
      return work(descriptor, (error) => {
        release();
        done(error);
      });
    });
  }

  #resolve(relative: string): string {
    const parts = relative.split("/");
    const inside = relative === "" || parts.every((part) => part !== "" && part !== "." && part !== "..");
    invariant(inside && !relative.includes("\0"), `path "${relative}" is relative and stays inside the data folder`);
    return path.join(this.#root, relative);
  }
}

/** Fsyncs folders one after the other, stopping at the first failure. */
function syncFolders(folders: readonly string[], done: Finished): void {
  const [folder, ...rest] = folders;
  if (folder === undefined) return done(null);
  fs.open(folder, "r", (openError, descriptor) => {
    if (openError) return done(openError);
    fs.fsync(descriptor, (syncError) => {
      fs.close(descriptor, (closeError) => {
        const error = syncError ?? closeError ?? null;
        return error ? done(error) : syncFolders(rest, done);
      });
    });
  });
}

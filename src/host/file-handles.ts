import fs from "node:fs";

/** Files kept open beyond their use; a few segments, the hard state and some rotation are far below. */
const handlesMax = 64;

/** `descriptor` is valid when `error` is null; `release` is called once, whatever happened. */
type Use = (error: Error | null, descriptor: number, release: () => void) => void;

interface Handle {
  /** -1 while the file is being opened. */
  descriptor: number;
  users: number;
  waiting: ((error: Error | null) => void)[];
  /** Opened so that a missing file is made. */
  readonly create: boolean;
  /** No longer in the table: closed by its last user. */
  forgotten: boolean;
}

/**
 * Open files by path, least recently used closed first. A file that was renamed or removed must be
 * forgotten, so that the next use opens what the path names then.
 */
export class FileHandles {
  readonly #handles = new Map<string, Handle>();
  #open = 0;
  #closed: (() => void) | undefined;

  use(path: string, create: boolean, use: Use): void {
    let handle = this.#handles.get(path);
    if (handle) {
      // Re-inserted, so that the table's order is that of the last use.
      this.#handles.delete(path);
      this.#handles.set(path, handle);
    } else {
      handle = { descriptor: -1, users: 0, waiting: [], create, forgotten: false };
      this.#handles.set(path, handle);
      this.#openFile(path, handle, create);
    }
    const used = handle;
    used.users++;
    const release = (): void => {
      used.users--;
      if (used.forgotten) this.#closeUnused(used);
      else this.#evict();
    };
    if (used.descriptor !== -1) return use(null, used.descriptor, release);
    used.waiting.push((error) => {
      // The file was opened for one who does not make it, and this one does: a missing file is no answer for it.
      if (error && create && !used.create && (error as NodeJS.ErrnoException).code === "ENOENT") {
        release();
        return this.use(path, create, use);
      }
      return use(error, used.descriptor, release);
    });
  }

  forget(path: string): void {
    const handle = this.#handles.get(path);
    if (!handle) return;
    this.#handles.delete(path);
    handle.forgotten = true;
    this.#closeUnused(handle);
  }

  /** Resolves when all files are closed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#closed = resolve;
      for (const path of this.#handles.keys()) this.forget(path);
      if (this.#open === 0) resolve();
    });
  }

  #openFile(path: string, handle: Handle, create: boolean): void {
    this.#open++;
    const flags = fs.constants.O_RDWR | (create ? fs.constants.O_CREAT : 0);
    fs.open(path, flags, 0o600, (error, descriptor) => {
      const waiting = handle.waiting;
      handle.waiting = [];
      if (error) {
        this.#gone();
        if (this.#handles.get(path) === handle) this.#handles.delete(path);
      } else {
        handle.descriptor = descriptor;
      }
      for (const wake of waiting) wake(error);
      if (!error && handle.forgotten) this.#closeUnused(handle);
    });
  }

  #evict(): void {
    if (this.#handles.size <= handlesMax) return;
    for (const [path, handle] of this.#handles) {
      if (handle.users === 0 && handle.descriptor !== -1) return this.forget(path);
    }
  }

  #closeUnused(handle: Handle): void {
    if (handle.users > 0 || handle.descriptor === -1) return;
    const descriptor = handle.descriptor;
    handle.descriptor = -1;
    fs.close(descriptor, () => this.#gone());
  }

  #gone(): void {
    this.#open--;
    if (this.#open === 0) this.#closed?.();
  }
}

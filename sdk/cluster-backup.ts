import { createHash, randomBytes } from "node:crypto";
import { access, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { IkadaError } from "../src/base/errors.js";
import { apiMethods } from "../src/host/api-methods.js";
import type { Calls } from "./calls.js";
import { Deadline, type CallOptions } from "./deadline.js";

/** What a backup holds, told with its first bytes. */
export interface BackupBegin {
  /** Id of the server whose state it is. */
  readonly server: number;
  /** Of the objects: what was written up to it is in the backup, and nothing of what came later. */
  readonly revision: number;
  /** The same for the keys of etcd's services. */
  readonly etcdRevision: number;
}

/** `deadlineMs` is for the whole stream; the server has a bound of its own, an hour. */
export interface BackupOptions extends CallOptions {
  /**
   * Without asking the leader first: also where there is none, and perhaps without the newest writes.
   * @default false
   */
  readonly local?: boolean;
  /** Called once, before the first bytes. */
  readonly onBegin?: (begin: BackupBegin) => void;
}

/** How a backup becomes a file. */
export interface BackupFileOptions extends BackupOptions {
  /** Replaces a file that is there. @default false */
  readonly force?: boolean;
  /** Called after each piece with the bytes so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** A backup that is whole on disk. */
export interface BackupFileResult extends BackupBegin {
  /** Length of the file. */
  readonly bytes: number;
  /** Of the whole file, in hex, as `sha256sum` tells it. */
  readonly sha256: string;
}

const digestBytes = 32;

/** The bytes of a backup; behind the last of them they are known to be whole. Another server is asked only while none have come. */
export async function* backup(calls: Calls, options: BackupOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const deadline = new Deadline(options);
  const request = { local: options.local ?? false };
  for (let tries = 1; ; tries += 1) {
    const { address, messages } = calls.stream(apiMethods.backup, request, deadline, tries);
    const check = new EndCheck();
    try {
      for await (const { data, begin } of messages) {
        if (begin && check.bytes === 0) options.onBegin?.(beginOf(begin));
        check.add(data);
        yield data;
      }
      check.end(address);
      return;
    } catch (caught) {
      if (check.bytes > 0) throw caught;
      await calls.next(IkadaError.from(caught), address, tries, deadline);
    }
  }
}

/** Under a name of its own until it is whole and durable: a file of the wanted name is a good backup. */
export async function backupToFile(calls: Calls, file: string, options: BackupFileOptions): Promise<BackupFileResult> {
  await checkFree(file, options.force);
  const partial = join(dirname(file), `.${basename(file)}.${randomBytes(4).toString("hex")}.part`);
  const digest = createHash("sha256");
  let begin: BackupBegin | undefined;
  let bytes = 0;
  try {
    // Secrets are in it.
    const handle = await open(partial, "wx", 0o600);
    try {
      const onBegin = (told: BackupBegin): void => {
        begin = told;
        options.onBegin?.(told);
      };
      for await (const piece of backup(calls, { ...options, onBegin })) {
        await handle.writeFile(piece);
        digest.update(piece);
        bytes += piece.length;
        options.onProgress?.(bytes);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await checkFree(file, options.force);
    await rename(partial, file);
    await syncFolder(dirname(file));
  } catch (caught) {
    await rm(partial, { force: true });
    throw fileError(caught, file);
  }
  return { ...begin!, bytes, sha256: digest.digest("hex") };
}

async function checkFree(file: string, force = false): Promise<void> {
  if (force || !(await exists(file))) return;
  throw new IkadaError("AlreadyExists", `${file} is there already`, { hint: "name another file, or --force" });
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (caught) {
    if ((caught as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw fileError(caught, file);
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What the disk says is about the file and no defect. */
function fileError(caught: unknown, file: string): IkadaError {
  const { code, message } = caught as NodeJS.ErrnoException;
  if (caught instanceof IkadaError || code === undefined) return IkadaError.from(caught);
  if (code === "ENOSPC") return new IkadaError("DiskFull", `${file}: the disk is full`, { hint: "make space" }, caught);
  return new IkadaError("Invalid", `${file} can't be written: ${message}`, {}, caught);
}

function beginOf(begin: {
  server?: number | null;
  revision?: number | null;
  etcdRevision?: number | null;
}): BackupBegin {
  return { server: begin.server ?? 0, revision: begin.revision ?? 0, etcdRevision: begin.etcdRevision ?? 0 };
}

/** The last 32 bytes of a backup are the SHA-256 of all before them. */
class EndCheck {
  readonly #digest = createHash("sha256");
  #tail: Uint8Array = new Uint8Array(0);
  bytes = 0;

  add(piece: Uint8Array): void {
    this.bytes += piece.length;
    const held = Buffer.concat([this.#tail, piece]);
    const until = Math.max(0, held.length - digestBytes);
    this.#digest.update(held.subarray(0, until));
    this.#tail = held.subarray(until);
  }

  /** @throws IkadaError Damaged */
  end(address: string): void {
    if (this.bytes > digestBytes && this.#digest.digest().equals(this.#tail)) return;
    throw new IkadaError("Damaged", `the backup from ${address} did not come whole: ${this.bytes} bytes`, {
      hint: "take another one",
    });
  }
}

import {
  closeSync,
  constants,
  copyFileSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { Stats } from "node:fs";
import { join } from "node:path";
import { IkadaError } from "../../src/base/errors.js";
import { TarReader, type TarEntry } from "../../src/base/tar-reader.js";

export interface UnpackOptions {
  /** Absolute; nothing is written outside of it. It is there, and may be reached through links of its owner. */
  readonly folder: string;
  /** The new first part of all paths; undefined: as it is. */
  readonly rename: string | undefined;
  readonly bytesMax: number;
  /** @default 1,000,000 */
  readonly entriesMax?: number;
  /** What was left out, and why. */
  readonly onSkipped: (message: string) => void;
}

const depthMax = 256;

/**
 * Writes a tar that a container may have made to this machine's disk. Invariants:
 *
 * 1. A path with `..`, a leading slash or a NUL ends it, as does one that is deeper than `depthMax`, and more entries or bytes than allowed.
 * 2. Nothing is written through a link: every folder on the way is a real one, made here or found, and a file's place is emptied before it is made.
 * 3. Links are made last. Their targets are relative, within the folder that is copied, and go up only at their beginning, so that no chain of them
 *    leads out. Hard links become copies, of files that this archive has made. Devices, pipes and sockets are left out.
 * 4. Files get permissions, but no set-user-id and the like, and no owner.
 */
export class Unpacker {
  readonly #options: UnpackOptions;
  readonly #reader = new TarReader();
  /** Paths of files that this archive has made. */
  readonly #made = new Set<string>();
  readonly #links: { readonly parts: readonly string[]; readonly target: string }[] = [];
  #file: number | undefined;
  #mtime = 0;
  #entries = 0;
  #bytes = 0;

  constructor(options: UnpackOptions) {
    this.#options = options;
  }

  /** @throws IkadaError BadRequest for what no honest archive has, TooLarge */
  push(chunk: Uint8Array): void {
    for (const event of this.#reader.push(chunk)) {
      if (event.kind === "entry") this.#begin(event.entry);
      else if (event.kind === "data") this.#write(event.bytes);
      else this.#endFile();
    }
  }

  /** How many things were made. @throws IkadaError BadRequest when the archive was broken off, or was empty */
  end(): number {
    if (!this.#reader.ended || !this.#reader.betweenEntries)
      throw new IkadaError("BadRequest", "the archive was broken off");
    if (this.#entries === 0) throw new IkadaError("BadRequest", "the archive is empty");
    for (const link of this.#links) this.#makeLink(link);
    return this.#entries;
  }

  /** Closes what is open, after a failure. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #begin(entry: TarEntry): void {
    const { folder, bytesMax, entriesMax = 1_000_000, onSkipped } = this.#options;
    this.#entries += 1;
    if (this.#entries > entriesMax) throw new IkadaError("TooLarge", `more than ${entriesMax} files in one archive`);
    const parts = this.#partsOf(entry.path);
    const name = entry.path;
    const [last] = parts.slice(-1);
    if (last === undefined) {
      if (entry.type !== "folder") throw hostile(name, "it has no name");
      return;
    }
    if (entry.type === "folder") {
      this.#makeFolder(parts, entry.mode);
      return;
    }
    if (entry.type === "symlink") {
      this.#links.push({ parts, target: entry.linkPath });
      return;
    }
    if (entry.type === "other") {
      onSkipped(`${name}: neither file nor folder nor link`);
      return;
    }
    const at = join(this.#makeFolder(parts.slice(0, -1), 0o755), last);
    this.#makeRoom(at, name);
    if (entry.type === "hardlink") {
      const source = join(folder, ...this.#partsOf(entry.linkPath));
      if (!this.#made.has(source)) {
        onSkipped(`${name}: a hard link to ${entry.linkPath}, which is not in the archive before it`);
        return;
      }
      this.#count(lstatSync(source).size, bytesMax);
      copyFileSync(source, at, constants.COPYFILE_EXCL);
      this.#made.add(at);
      return;
    }
    this.#count(entry.sizeBytes, bytesMax);
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    this.#file = openSync(at, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, entry.mode & 0o777);
    this.#mtime = entry.mtime;
    this.#made.add(at);
  }

  #count(bytes: number, bytesMax: number): void {
    this.#bytes += bytes;
    if (this.#bytes > bytesMax) {
      const hint = "give a larger --limit when that is right";
      throw new IkadaError("TooLarge", `more than ${bytesMax} bytes in one archive`, { hint });
    }
  }

  #write(bytes: Uint8Array): void {
    if (this.#file === undefined) return;
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
  }

  #endFile(): void {
    if (this.#file === undefined) return;
    if (this.#mtime > 0) futimesSync(this.#file, this.#mtime, this.#mtime);
    closeSync(this.#file);
    this.#file = undefined;
  }

  /** Each part a real folder; gives the path of the last. */
  #makeFolder(parts: readonly string[], mode: number): string {
    let at = this.#options.folder;
    for (const [index, part] of parts.entries()) {
      at = join(at, part);
      const found = statOf(at);
      if (found === undefined) mkdirSync(at, (index === parts.length - 1 ? mode & 0o777 : 0o755) | 0o700);
      else if (!found.isDirectory()) throw hostile(parts.join("/"), `${part} is here and is no folder`);
    }
    return at;
  }

  #makeRoom(at: string, name: string): void {
    const found = statOf(at);
    if (found?.isDirectory()) throw new IkadaError("BadRequest", `${JSON.stringify(name)} is a folder here`);
    if (found) unlinkSync(at);
  }

  #makeLink({ parts, target }: { readonly parts: readonly string[]; readonly target: string }): void {
    const name = parts.join("/");
    const place = parts.slice(0, -1);
    const steps = target.split("/").filter((step) => step !== "" && step !== ".");
    const ups = steps.findIndex((step) => step !== "..");
    const upCount = ups < 0 ? steps.length : ups;
    // Out of what is copied, that is: what lies beside it here is nobody's business but the user's.
    const leadsOut = upCount >= place.length || steps.slice(upCount).includes("..");
    if (target.startsWith("/") || target.includes("\0") || steps.length === 0 || leadsOut) {
      this.#options.onSkipped(`${name}: a link out of what is copied, to ${target}`);
      return;
    }
    const at = join(this.#makeFolder(place, 0o755), parts[parts.length - 1]!);
    const found = statOf(at);
    if (found?.isSymbolicLink() && readlinkSync(at) === target) return;
    this.#makeRoom(at, name);
    symlinkSync(target, at);
  }

  /** @throws IkadaError BadRequest */
  #partsOf(path: string): string[] {
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    if (path.startsWith("/")) throw hostile(path, "it is absolute");
    if (parts.includes("..")) throw hostile(path, "it leads out of its folder");
    if (path.includes("\0")) throw hostile(path, "it has a NUL in it");
    if (parts.length > depthMax) throw hostile(path, `it is more than ${depthMax} folders deep`);
    if (this.#options.rename !== undefined && parts.length > 0) parts[0] = this.#options.rename;
    return parts;
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function hostile(path: string, why: string): IkadaError {
  const hint = "no honest copy has that; nothing after it was written";
  return new IkadaError("BadRequest", `the archive has ${JSON.stringify(path)}: ${why}`, { hint });
}

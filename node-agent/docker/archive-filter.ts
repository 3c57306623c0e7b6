import { IkadaError } from "../../src/base/errors.js";
import { TarReader, type TarEntry } from "../../src/base/tar-reader.js";
import { tarEnd, tarHeader, tarPadding } from "../../src/base/tar-writer.js";

export interface ArchiveFilterOptions {
  /** The new first part of all paths; undefined: as it is. */
  readonly rename: string | undefined;
  readonly owner: { readonly uid: number; readonly gid: number };
  /** @default 1,000,000 */
  readonly entriesMax?: number;
}

const entriesMaxDefault = 1_000_000;
const bytesMax = 64 * 2 ** 30;

/**
 * Reads a caller's tar and writes another one for the engine, of files, folders and symbolic links below one name. Nothing that the engine's
 * reader would see was made by the caller but names, modes and contents; links, devices and paths that lead elsewhere are refused.
 */
export class ArchiveFilter {
  readonly #options: ArchiveFilterOptions;
  readonly #reader = new TarReader();
  /** Paths of the archive's own links, below which nothing is put. */
  readonly #links = new Set<string>();
  #entries = 0;
  #bytes = 0;
  #entrySize = 0;

  constructor(options: ArchiveFilterOptions) {
    this.#options = options;
  }

  /** What of the new archive this chunk makes. @throws IkadaError BadRequest, TooLarge */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    for (const event of this.#reader.push(chunk)) {
      if (event.kind === "entry") yield this.#header(event.entry);
      else if (event.kind === "data") yield event.bytes;
      else if (this.#entrySize % 512 !== 0) yield tarPadding(this.#entrySize);
    }
  }

  /** The end of the new archive. @throws IkadaError BadRequest when the caller's was broken off, or had nothing */
  end(): Uint8Array {
    if (!this.#reader.ended || !this.#reader.betweenEntries)
      throw new IkadaError("BadRequest", "the archive was broken off");
    if (this.#entries === 0) throw new IkadaError("BadRequest", "the archive is empty");
    return tarEnd();
  }

  #header({ type, path, linkPath, mode, sizeBytes, mtime }: TarEntry): Uint8Array {
    this.#entries += 1;
    this.#bytes += sizeBytes;
    this.#entrySize = sizeBytes;
    const { rename, owner, entriesMax = entriesMaxDefault } = this.#options;
    if (this.#entries > entriesMax) throw new IkadaError("TooLarge", `more than ${entriesMax} files in one archive`);
    if (this.#bytes > bytesMax) throw new IkadaError("TooLarge", `more than ${bytesMax} bytes in one archive`);
    if (type !== "file" && type !== "folder" && type !== "symlink") {
      throw new IkadaError("BadRequest", `${JSON.stringify(path)} is neither file nor folder nor symbolic link`);
    }
    const parts = partsOf(path);
    const hidden =
      this.#links.size > 0 && parts.some((_, at) => at > 0 && this.#links.has(parts.slice(0, at).join("/")));
    if (hidden) throw new IkadaError("BadRequest", `${JSON.stringify(path)} is below a link of the same archive`);
    if (type === "symlink") this.#links.add(parts.join("/"));
    else this.#links.delete(parts.join("/"));
    if (rename !== undefined) parts[0] = rename;
    return tarHeader({ type, path: parts.join("/"), linkPath, mode, sizeBytes, mtime, ...owner });
  }
}

/** @throws IkadaError BadRequest */
function partsOf(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (path.startsWith("/") || path.includes("\0") || parts.includes("..") || parts.length === 0) {
    throw new IkadaError("BadRequest", `the archive's path ${JSON.stringify(path)} is not below its folder`);
  }
  return parts;
}

import { IkadaError } from "../../src/base/errors.js";
import { TarReader } from "../../src/base/tar-reader.js";
import { joined, tarEnd, tarHeader, tarPadding } from "../../src/base/tar-writer.js";
import type { FakeContainer } from "./fake-engine.js";

const all = new WeakMap<FakeContainer, FakeFiles>();

/** Files of a fake container, as far as copies put them there. */
export class FakeFiles {
  readonly #files = new Map<string, Uint8Array>();
  readonly #folders = new Set(["/", "/tmp"]);

  static of(container: FakeContainer): FakeFiles {
    const files = all.get(container) ?? new FakeFiles();
    all.set(container, files);
    return files;
  }

  /** A tar of one file, or of a folder with all that is in it. @throws IkadaError NotFound */
  read(path: string): Uint8Array {
    const base = path.slice(0, path.lastIndexOf("/") + 1);
    const parts: Uint8Array[] = [];
    const common = { mtime: 0, mode: 0o644 };
    for (const [at, bytes] of this.#files) {
      if (at !== path && !at.startsWith(`${path}/`)) continue;
      const header = tarHeader({ type: "file", path: at.slice(base.length), sizeBytes: bytes.length, ...common });
      parts.push(header, bytes, tarPadding(bytes.length));
    }
    if (this.#folders.has(path)) {
      parts.unshift(tarHeader({ type: "folder", path: path.slice(base.length), sizeBytes: 0, ...common }));
    }
    if (parts.length === 0) throw new IkadaError("NotFound", `there is no ${path} in the container`);
    return joined([...parts, tarEnd()]);
  }

  /** Into a folder, or as what the path names. @throws IkadaError BadRequest when it is no tar, NotFound when there is no folder for it */
  writer(path: string): { push(bytes: Uint8Array): void; end(): void } {
    const reader = new TarReader();
    const isFolder = this.#folders.has(path);
    const parent = path.slice(0, path.lastIndexOf("/")) || "/";
    if (!isFolder && !this.#folders.has(parent))
      throw new IkadaError("NotFound", `there is no folder for ${path} in the container`);
    let [at, body]: [string, Uint8Array[]] = ["", []];
    return {
      push: (bytes) => {
        for (const event of reader.push(bytes)) {
          if (event.kind === "data") body.push(event.bytes.slice());
          else if (event.kind === "entry") {
            const { type, path: own } = event.entry;
            if (own.startsWith("/") || own.split("/").includes("..")) {
              throw new IkadaError("BadRequest", `the archive's path ${own} is not below its folder`);
            }
            const below = own.replace(/\/$/, "");
            at = isFolder ? `${path === "/" ? "" : path}/${below}` : [path, ...below.split("/").slice(1)].join("/");
            body = [];
            if (type === "folder") this.#folders.add(at);
          } else if (!this.#folders.has(at)) this.#files.set(at, joined(body));
        }
      },
      end() {
        if (!reader.ended || !reader.betweenEntries) throw new IkadaError("BadRequest", "the archive was broken off");
      },
    };
  }
}

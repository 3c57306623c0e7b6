import { IkadaError } from "../../src/base/errors.js";
import type { ContainerStream, StreamSink } from "./access.js";
import { fakeImageId, type FakeEngine } from "./fake-engine.js";
import { taggedReference } from "./image-reference.js";
import { obligingImage, type FakeImage } from "./fake-program.js";
import type { StoredImage } from "./runtime.js";

export const fakeImageBytes = 10_000_000;
/** The fake keeps an archive in memory. */
const archiveBytesMax = 64 * 1024 * 1024;

/** The images of a fake engine. One whose tag has moved is kept under its id. */
export class FakeImages {
  readonly #engine: FakeEngine;

  constructor(engine: FakeEngine) {
    this.#engine = engine;
  }

  put(key: string, image: FakeImage): void {
    const { images } = this.#engine;
    const before = images.get(key);
    images.set(key, image);
    if (before === undefined) return;
    const id = fakeImageId(key, before);
    const isNamed = [...images].some(([name, other]) => fakeImageId(name, other) === id);
    if (!isNamed) images.set(id, before);
  }

  list(): readonly StoredImage[] {
    const found = new Map<string, StoredImage>();
    for (const [key, image] of this.#engine.images) {
      const id = fakeImageId(key, image);
      const before = found.get(id);
      const tags = key === id ? [] : [key];
      found.set(id, {
        id,
        tags: [...(before?.tags ?? []), ...tags],
        digests: [],
        sizeBytes: fakeImageBytes,
        inUse: this.#isUsed(id),
      });
    }
    return [...found.values()];
  }

  /** @throws IkadaError Conflict */
  remove(reference: string): void {
    const { images } = this.#engine;
    const key = images.has(reference) ? reference : taggedReference(reference);
    const image = images.get(key);
    if (image === undefined) return;
    const id = fakeImageId(key, image);
    const names = [...images].filter(([name, other]) => fakeImageId(name, other) === id);
    if (names.length === 1 && this.#isUsed(id)) {
      throw new IkadaError("Conflict", `fake engine: remove image ${reference}: a container has it`);
    }
    images.delete(key);
  }

  load(sink: StreamSink, isHeard: () => boolean): ContainerStream {
    const { timers } = this.#engine;
    const pieces: Uint8Array[] = [];
    let [open, bytes] = [true, 0];
    const end = (error: Error | null): void => {
      if (!open || !isHeard()) return;
      open = false;
      sink.onEnd(error);
    };
    timers.after(0, () => {
      if (open && isHeard()) sink.onOpen();
    });
    return {
      write: (piece) => {
        bytes += piece.length;
        if (bytes <= archiveBytesMax) pieces.push(piece);
        return true;
      },
      end: () =>
        void timers.after(0, () => {
          if (!open) return;
          const names = bytes > archiveBytesMax ? [] : namesIn(joined(pieces, bytes));
          if (names.length === 0) {
            const hint = "give a file that `docker save` has written";
            end(new IkadaError("BadRequest", "fake engine: load images: there is no image in the archive", { hint }));
            return;
          }
          for (const name of names) {
            this.put(name, { ...obligingImage, id: `fake-loaded:${name}:${bytes}` });
            if (isHeard()) sink.onData("stdout", new TextEncoder().encode(`${name}\n`));
          }
          end(null);
        }),
      resize: () => undefined,
      close() {
        open = false;
      },
    };
  }

  #isUsed(id: string): boolean {
    return [...this.#engine.containers.values()].some(({ info }) => info.imageId === id);
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** RepoTags of the manifest.json in a tar; none when it is no archive of images. */
function namesIn(tar: Uint8Array): string[] {
  const decoder = new TextDecoder();
  for (let at = 0; at + 512 <= tar.length;) {
    const header = tar.subarray(at, at + 512);
    const name = decoder.decode(header.subarray(0, 100)).replace(/\0.*$/s, "");
    const size = Number.parseInt(decoder.decode(header.subarray(124, 136)), 8);
    if (name === "" || !Number.isSafeInteger(size)) return [];
    if (name === "manifest.json") {
      try {
        const manifest = JSON.parse(decoder.decode(tar.subarray(at + 512, at + 512 + size))) as {
          RepoTags?: string[] | null;
        }[];
        return manifest.flatMap(({ RepoTags }) => RepoTags ?? []);
      } catch {
        return [];
      }
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return [];
}

import { IkadaError } from "../../src/base/errors.js";
import type { ContainerStream, StreamSink } from "./access.js";
import { fakeDigest, fakeImageId, type FakeEngine } from "./fake-engine.js";
import { taggedReference } from "../../src/api/image-reference.js";
import { obligingImage, type FakeImage } from "./fake-program.js";
import type { ImageInfo, StoredImage } from "./runtime.js";

export const fakeImageBytes = 10_000_000;
/** The fake keeps an archive in memory. */
const archiveBytesMax = 64 * 1024 * 1024;

/** The images of a fake engine. One whose tag has moved is kept under its id. */
export class FakeImages {
  readonly #engine: FakeEngine;

  constructor(engine: FakeEngine) {
    this.#engine = engine;
  }

  find(reference: string): ImageInfo | undefined {
    const found = this.#engine.findImage(reference);
    return found && { id: found.id, digests: this.#digestsOf(found.id), user: found.image.user ?? "" };
  }

  /** What a registry gave for `key`, with a tag or digest. */
  pulled(key: string, image: FakeImage): ImageInfo {
    const id = fakeImageId(key, image);
    const [repository = "", digest] = key.split("@");
    const name = digest === undefined ? repository.replace(/:[^:/]*$/, "") : repository;
    this.#engine.digests.set(`${name}@${digest ?? fakeDigest(id)}`, id);
    if (digest === undefined) this.put(key, image);
    else if (this.#engine.findImage(id) === undefined) this.#engine.images.set(id, { ...image, id });
    return { id, digests: this.#digestsOf(id), user: image.user ?? "" };
  }

  put(key: string, image: FakeImage): void {
    const { images } = this.#engine;
    const before = images.get(key);
    images.set(key, image);
    const named = fakeImageId(key, image);
    if (named !== key) images.delete(named);
    if (before === undefined) return;
    const id = fakeImageId(key, before);
    if (this.#engine.findImage(id) === undefined) images.set(id, { ...before, id });
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
        digests: this.#digestsOf(id),
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
    if (names.length === 1) for (const digest of this.#digestsOf(id)) this.#engine.digests.delete(digest);
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
            this.put(name, { ...obligingImage, id: fakeDigest(`loaded ${name} ${bytes}`) });
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

  #digestsOf(id: string): readonly string[] {
    return [...this.#engine.digests].filter(([, of]) => of === id).map(([digest]) => digest);
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

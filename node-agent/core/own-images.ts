import type { Env, Finished, Timer } from "../../src/base/env.js";
import type { ImageOwnership } from "./images.js";
import type { ContainerRuntime, DiskSpace, ImageInfo, StoredImage } from "./runtime.js";
import { StateFile } from "./state-file.js";

/** In the data folder. */
const imageFileName = "images.state";

/** An image that this agent brought to the engine. */
interface OwnImage {
  /** By which it was pulled or loaded; those alone are taken away from it. */
  readonly references: readonly string[];
  /** Wall milliseconds: when it was brought, and when a container last had or wanted it. */
  readonly broughtAt: number;
  readonly usedAt: number;
}

/** By image id. */
export type OwnImageBook = Readonly<Record<string, OwnImage>>;

export interface ImageCollection {
  /** Percent of the disk in use at which images are removed, and down to which. */
  readonly highPercent: number;
  readonly lowPercent: number;
  /** An image stays at least as long after it was brought. */
  readonly ageMsMin: number;
}

/** Kubernetes' numbers. */
export const imageCollectionDefault: ImageCollection = { highPercent: 85, lowPercent: 80, ageMsMin: 120_000 };

/** How many bytes are to be freed; 0 below the threshold. */
export function bytesToFree({ capacityBytes, availableBytes }: DiskSpace, settings: ImageCollection): number {
  if (capacityBytes <= 0 || ((capacityBytes - availableBytes) / capacityBytes) * 100 < settings.highPercent) return 0;
  return Math.max(0, capacityBytes * (1 - settings.lowPercent / 100) - availableBytes);
}

/**
 * Images that may go, the least recently used first. Never one that a container has, whoever's, that an assigned Pod names, or that somebody else
 * brought to the engine.
 */
export function removableImages(
  images: readonly StoredImage[],
  own: OwnImageBook,
  wanted: ReadonlySet<string>,
  settings: Pick<ImageCollection, "ageMsMin">,
  now: number,
): readonly StoredImage[] {
  return images
    .filter((image) => {
      const record = own[image.id];
      if (record === undefined || image.inUse || isWanted(image, record, wanted)) return false;
      return now - record.broughtAt >= settings.ageMsMin;
    })
    .sort((left, right) => {
      const [first, second] = [own[left.id] as OwnImage, own[right.id] as OwnImage];
      return first.usedAt - second.usedAt || first.broughtAt - second.broughtAt || (left.id < right.id ? -1 : 1);
    });
}

function isWanted(image: StoredImage, record: OwnImage, wanted: ReadonlySet<string>): boolean {
  return [image.id, ...image.tags, ...image.digests, ...record.references].some((name) => wanted.has(name));
}

/** Which images are this agent's, on disk, and their end when the disk gets full. */
export class OwnImages implements ImageOwnership {
  readonly #env: Env;
  readonly #runtime: ContainerRuntime;
  readonly #settings: ImageCollection;
  readonly #wanted: () => ReadonlySet<string>;
  readonly #file: StateFile<OwnImageBook>;
  #book: OwnImageBook = {};
  #collecting = false;
  #timer: Timer | undefined;
  #closed = false;

  /** `wanted`: what assigned Pods name or are pinned to, with a tag or digest, or by id. */
  constructor(
    env: Env,
    runtime: ContainerRuntime,
    wanted: () => ReadonlySet<string>,
    settings: ImageCollection = imageCollectionDefault,
  ) {
    this.#env = env;
    this.#runtime = runtime;
    this.#wanted = wanted;
    this.#settings = settings;
    this.#file = new StateFile(env.disk, imageFileName);
  }

  get book(): OwnImageBook {
    return this.#book;
  }

  /** A damaged file is put aside: its images are nobody's from then on, and stay. */
  start(done: Finished): void {
    this.#file.load((error, book) => {
      if (error === null) {
        this.#book = book ?? {};
        this.#later();
        return done(null);
      }
      this.#env.log.error("stored state is damaged and put aside", { what: "images", error: error.message });
      return this.#file.setAside((asideError) => {
        if (asideError === null) this.#later();
        done(asideError);
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  brought({ id }: ImageInfo, reference: string, wasThere: ReadonlySet<string>): void {
    const before = this.#book[id];
    // Somebody else brought it: a pull that found it changes nothing of that.
    if (before === undefined && wasThere.has(id)) return;
    const now = this.#env.clock.now();
    const references = [...new Set([...(before?.references ?? []), reference])];
    this.#save({ ...this.#book, [id]: { references, broughtAt: before?.broughtAt ?? now, usedAt: now } });
  }

  /** Looks at the disk, and removes what is needed. */
  collect(done: Finished): void {
    this.#collect(done, (images, finish) =>
      this.#runtime.imageDisk((diskError, disk) => {
        if (diskError !== null) return finish(diskError);
        const bytes = bytesToFree(disk, this.#settings);
        return bytes === 0 ? finish(null) : this.#free(images, bytes, finish);
      }),
    );
  }

  /** Removes all that may go: the node is short of room. */
  collectAll(done: Finished): void {
    this.#collect(done, (images, finish) => this.#free(images, Infinity, finish));
  }

  #collect(done: Finished, free: (images: readonly StoredImage[], finish: Finished) => void): void {
    if (this.#collecting) return done(null);
    this.#collecting = true;
    const finish: Finished = (error) => {
      this.#collecting = false;
      done(error);
    };
    return this.#runtime.images((error, images) => {
      if (error !== null) return finish(error);
      this.#note(images);
      return free(images, finish);
    });
  }

  #free(images: readonly StoredImage[], bytes: number, done: Finished): void {
    const now = this.#env.clock.now();
    const removable = removableImages(images, this.#book, this.#wanted(), this.#settings, now);
    this.#env.log.info("disk of images is full", {
      ...(Number.isFinite(bytes) && { bytesToFree: bytes }),
      removable: removable.length,
    });
    this.#removeNext(removable, 0, bytes, done);
  }

  /** What is in use now was used now; what is gone is forgotten. */
  #note(images: readonly StoredImage[]): void {
    const now = this.#env.clock.now();
    const wanted = this.#wanted();
    const next: Record<string, OwnImage> = {};
    for (const image of images) {
      const record = this.#book[image.id];
      if (record === undefined) continue;
      const isUsed = image.inUse || isWanted(image, record, wanted);
      next[image.id] = isUsed ? { ...record, usedAt: now } : record;
    }
    this.#save(next);
  }

  #removeNext(images: readonly StoredImage[], index: number, bytes: number, done: Finished): void {
    const image = images[index];
    if (image === undefined || this.#closed) {
      if (bytes > 0 && Number.isFinite(bytes))
        this.#env.log.warn("disk of images stays full: no more images may go", { bytesToFree: bytes });
      return done(null);
    }
    return this.#remove(image, (error) => {
      const left = error === null ? bytes - image.sizeBytes : bytes;
      if (error === null)
        this.#env.log.info("image removed", { image: image.id, tags: image.tags.join(" "), bytes: image.sizeBytes });
      else this.#env.log.warn("image not removed", { image: image.id, error: error.message });
      if (left <= 0) return done(null);
      return this.#removeNext(images, index + 1, left, done);
    });
  }

  /** Its own names, and the image itself when it has no other ones. */
  #remove(image: StoredImage, done: Finished): void {
    const record = this.#book[image.id];
    const foreign = image.tags.filter((tag) => record?.references.includes(tag) !== true);
    if (record === undefined || foreign.length > 0) {
      return done(new Error(`it has names that others gave it: ${foreign.join(", ")}`));
    }
    const names = image.tags.length === 0 ? [image.id] : image.tags;
    const next = (index: number): void => {
      const name = names[index];
      if (name === undefined) {
        const { [image.id]: removed, ...others } = this.#book;
        if (removed !== undefined) this.#save(others);
        return done(null);
      }
      return this.#runtime.removeImage(name, (error) => (error === null ? next(index + 1) : done(error)));
    };
    return next(0);
  }

  #later(): void {
    this.#timer = this.#env.timers.after(collectEveryMs, () => {
      if (this.#closed) return;
      this.collect((error) => {
        if (error !== null) this.#env.log.warn("images not collected", { error: error.message });
        if (!this.#closed) this.#later();
      });
    });
  }

  /** Losing it costs no more than images that stay. */
  #save(book: OwnImageBook): void {
    if (JSON.stringify(book) === JSON.stringify(this.#book)) return;
    this.#book = book;
    this.#file.save(book, (error) => {
      if (error !== null) this.#env.log.warn("images.state not written", { error: error.message });
    });
  }
}

/** Kubernetes' period. */
const collectEveryMs = 5 * 60_000;

import type { Disk, Finished } from "../../src/base/env.js";
import type { Index } from "../core/types.js";
import { failpoints } from "../failpoints.js";
import { segmentPath } from "./format.js";
import type { LogEnv } from "./segment-writer.js";

/** A segment that nothing is appended to any more. */
export interface ClosedSegment {
  readonly sequence: number;
  /** The highest index of an entry in it, also of one that was replaced later. */
  readonly highestIndex: Index;
}

/**
 * The segments before the one that is written, oldest first. They are removed from the oldest on, each durably before
 * the next one, so that at no time there is a gap.
 */
export class OldSegments {
  readonly #env: LogEnv;
  #segments: ClosedSegment[];

  constructor(env: LogEnv, segments: readonly ClosedSegment[]) {
    this.#env = env;
    this.#segments = [...segments];
  }

  add(segment: ClosedSegment): void {
    this.#segments.push(segment);
  }

  /** A snapshot has replaced what all of them hold. */
  void(): void {
    this.#segments = this.#segments.map(({ sequence }) => ({ sequence, highestIndex: 0 }));
  }

  hasRemovable(upTo: Index): boolean {
    const oldest = this.#segments[0];
    return oldest !== undefined && oldest.highestIndex <= upTo;
  }

  /** Removes those that hold entries up to this index only, as far as no older one has to stay. */
  remove(upTo: Index, done: Finished): void {
    const kept = this.#segments.findIndex(({ highestIndex }) => highestIndex > upTo);
    const removed = this.#segments.splice(0, kept === -1 ? this.#segments.length : kept);
    return this.#remove(removed, done);
  }

  #remove([oldest, ...others]: readonly ClosedSegment[], done: Finished): void {
    if (!oldest) return done(null);
    this.#env.failpoint(failpoints.logBeforeRemove);
    return removeDurably(this.#env.disk, segmentPath(oldest.sequence), (error) =>
      error ? done(error) : this.#remove(others, done),
    );
  }
}

export function removeDurably(disk: Disk, path: string, done: Finished): void {
  disk.remove(path, (error) => (error ? done(error) : disk.syncFolder("log", done)));
}

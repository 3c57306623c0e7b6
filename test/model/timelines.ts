import type { Version } from "./object-calls.js";

/** All versions of all objects of a run, by the order of their revisions. */
export class Timelines {
  /** Nothing was there then. */
  readonly start: number;
  readonly #byName = new Map<string, { readonly revision: number; readonly version: Version | undefined }[]>();

  constructor(start: number) {
    this.start = start;
  }

  names(): readonly string[] {
    return [...this.#byName.keys()].sort();
  }

  /** Undefined: it was deleted. */
  add(name: string, revision: number, version: Version | undefined): void {
    const changes = this.#byName.get(name);
    if (changes) changes.push({ revision, version });
    else this.#byName.set(name, [{ revision, version }]);
  }

  last(name: string): Version | undefined {
    return this.changes(name).at(-1)?.version;
  }

  at(name: string, revision: number): Version | undefined {
    return this.changes(name)[this.#countUntil(name, revision) - 1]?.version;
  }

  /** Ascending. */
  changes(name: string): readonly { readonly revision: number; readonly version: Version | undefined }[] {
    return this.#byName.get(name) ?? [];
  }

  /** All that the object was from one revision to another, both included. */
  between(name: string, from: number, to: number): (Version | undefined)[] {
    const changes = this.changes(name);
    const first = this.#countUntil(name, from);
    const states = [changes[first - 1]?.version];
    for (let at = first; at < changes.length && changes[at]!.revision <= to; at += 1) states.push(changes[at]!.version);
    return states;
  }

  #countUntil(name: string, revision: number): number {
    const changes = this.changes(name);
    let [low, high] = [0, changes.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (changes[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

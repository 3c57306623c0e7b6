import type { Random } from "../../src/base/env.js";

/** So few that clients meet on them. */
const liveKeys = 8;
/** Calls to a key until another takes its place: the search of an order must end. */
const callsPerKey = 120;

export const halves = ["a", "b"] as const;

/** The keys that clients work on; each for a while. */
export class Keys {
  readonly #live: { readonly name: string; calls: number }[] = [];
  readonly #random: Random;
  #made = 0;

  constructor(random: Random) {
    this.#random = random;
    while (this.#live.length < liveKeys) this.#live.push(this.#make());
  }

  /** The key of the next call. */
  next(): string {
    const at = this.#random.int(liveKeys);
    const key = this.#live[at]!;
    key.calls += 1;
    if (key.calls >= callsPerKey) this.#live[at] = this.#make();
    return key.name;
  }

  #make(): { name: string; calls: number } {
    this.#made += 1;
    return { name: `k${this.#made}-${halves[this.#made % halves.length]}`, calls: 0 };
  }
}

import { invariant } from "./invariant.js";
import type { Index } from "./types.js";

/**
 * The window of append messages on their way to one follower: a ring of (last index, bytes), bounded by
 * count and by bytes. One message larger than the bytes bound is let through when the window is empty.
 */
export class Inflights {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #lastIndexes: Index[];
  #sizes: number[];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
    const capacity = Math.min(messagesMax, 8);
    this.#lastIndexes = Array.from({ length: capacity }, () => 0);
    this.#sizes = Array.from({ length: capacity }, () => 0);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get full(): boolean {
    return this.#count === this.#messagesMax || this.#bytes >= this.#bytesMax;
  }

  /** Notes a message that ends at `lastIndex`; indexes rise. Refused when full: the sender must ask first. */
  add(lastIndex: Index, bytes: number): void {
    invariant(!this.full, "an append was sent into a full window");
    if (this.#count === this.#lastIndexes.length) this.#grow();
    const place = (this.#start + this.#count) % this.#lastIndexes.length;
    this.#lastIndexes[place] = lastIndex;
    this.#sizes[place] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Frees every message that ends at or before `index`. */
  freeThrough(index: Index): void {
    while (this.#count > 0 && this.#lastIndexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#start = (this.#start + 1) % this.#lastIndexes.length;
      this.#count--;
    }
  }

  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const before = this.#lastIndexes.length;
    const capacity = Math.min(before * 2, this.#messagesMax);
    const at = (place: number): number => (this.#start + place) % before;
    const indexes = Array.from({ length: capacity }, (_, place) => this.#lastIndexes[at(place)]!);
    const sizes = Array.from({ length: capacity }, (_, place) => this.#sizes[at(place)]!);
    this.#lastIndexes = indexes;
    this.#sizes = sizes;
    this.#start = 0;
  }
}

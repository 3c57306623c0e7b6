import type { Room } from "./room.js";

/** Pods counted by the values of one label of their nodes, with the least of the counts always at hand. */
export class DomainCounts {
  readonly topologyKey: string;
  readonly #counts = new Map<string, number>();
  /** How many values have so many. */
  readonly #domainsWith = new Map<number, number>();
  #total = 0;

  constructor(topologyKey: string) {
    this.topologyKey = topologyKey;
  }

  /** Of all values. */
  get total(): number {
    return this.#total;
  }

  get domains(): number {
    return this.#counts.size;
  }

  /** The least that any value has; Infinity when there is none. */
  get least(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const count of this.#domainsWith.keys()) if (count < least) least = count;
    return least;
  }

  /** There is a node with this value, though perhaps none with a Pod. */
  know(value: string): void {
    if (!this.#counts.has(value)) this.#set(value, 0);
  }

  of(value: string | undefined): number {
    return value === undefined ? 0 : (this.#counts.get(value) ?? 0);
  }

  valueOf(room: Room): string | undefined {
    return room.labels[this.topologyKey];
  }

  add(value: string, amount: number): void {
    this.#total += amount;
    this.#set(value, this.of(value) + amount);
  }

  #set(value: string, count: number): void {
    const before = this.#counts.get(value);
    if (before !== undefined) {
      const left = (this.#domainsWith.get(before) ?? 0) - 1;
      if (left > 0) this.#domainsWith.set(before, left);
      else this.#domainsWith.delete(before);
    }
    this.#counts.set(value, count);
    this.#domainsWith.set(count, (this.#domainsWith.get(count) ?? 0) + 1);
  }
}

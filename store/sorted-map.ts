import sortedBtree from "sorted-btree";

const BTree = sortedBtree.default;

/** Strings in code-unit order, which is also the order of the rows on disk (layout.ts). */
export class SortedMap<V> {
  readonly #tree = new BTree<string, V>(undefined, (a, b) => (a < b ? -1 : a > b ? 1 : 0));

  get size(): number {
    return this.#tree.size;
  }

  get(key: string): V | undefined {
    return this.#tree.get(key);
  }

  set(key: string, value: V): void {
    this.#tree.set(key, value);
  }

  delete(key: string): void {
    this.#tree.delete(key);
  }

  /** Values of keys that start with `prefix` and come behind `after`, ascending. */
  *startingWith(prefix: string, after?: string): Generator<V, void, undefined> {
    const from = after !== undefined && after > prefix ? after : prefix;
    for (const [key, value] of this.#tree.entries(from)) {
      if (!key.startsWith(prefix)) return;
      if (key !== after) yield value;
    }
  }

  /** Up to `limit` values with from <= key < to, ascending, or descending from the end. */
  between(from: string, to: string, limit: number, reverse: boolean): V[] {
    const found: V[] = [];
    const entries = reverse ? this.#tree.entriesReversed(to, undefined, true) : this.#tree.entries(from);
    for (const [key, value] of entries) {
      if (found.length >= limit || (reverse ? key < from : key >= to)) break;
      found.push(value);
    }
    return found;
  }
}

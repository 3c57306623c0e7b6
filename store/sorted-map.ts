import sortedBtree from "sorted-btree";

const BTree = sortedBtree.default;

interface Cell<V> {
  value: V;
}

/**
 * Strings in code-unit order, which is also the order of the rows on disk (layout.ts). A tree for the order and a hash
 * table beside it: most calls are for a key that is there, which then costs no walk down the tree.
 */
export class SortedMap<V> {
  readonly #tree = new BTree<string, Cell<V>>(undefined, (a, b) => (a < b ? -1 : a > b ? 1 : 0));
  readonly #cells = new Map<string, Cell<V>>();

  get size(): number {
    return this.#cells.size;
  }

  get(key: string): V | undefined {
    return this.#cells.get(key)?.value;
  }

  set(key: string, value: V): void {
    const cell = this.#cells.get(key);
    if (cell) {
      cell.value = value;
      return;
    }
    const added = { value };
    this.#cells.set(key, added);
    this.#tree.set(key, added);
  }

  delete(key: string): void {
    if (this.#cells.delete(key)) this.#tree.delete(key);
  }

  copy(): SortedMap<V> {
    const copy = new SortedMap<V>();
    for (const [key, cell] of this.#tree.entries()) copy.set(key, cell.value);
    return copy;
  }

  /** Values of keys that start with `prefix` and come behind `after`, ascending. */
  *startingWith(prefix: string, after?: string): Generator<V, void, undefined> {
    const from = after !== undefined && after > prefix ? after : prefix;
    for (const [key, cell] of this.#tree.entries(from)) {
      if (!key.startsWith(prefix)) return;
      if (key !== after) yield cell.value;
    }
  }

  /** How many keys there are with from <= key < to, without looking at each. */
  count(from: string, to: string): number {
    return from < to ? this.#tree.forRange(from, to, false) : 0;
  }

  /** Up to `limit` values with from <= key < to, ascending, or descending from the end. */
  between(from: string, to: string, limit: number, reverse: boolean): V[] {
    const found: V[] = [];
    const entries = reverse ? this.#tree.entriesReversed(to, undefined, true) : this.#tree.entries(from);
    for (const [key, cell] of entries) {
      if (found.length >= limit || (reverse ? key < from : key >= to)) break;
      found.push(cell.value);
    }
    return found;
  }
}

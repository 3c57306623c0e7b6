import type { AnyObject } from "../api/object.js";

/**
 * Objects in the order of their keys (code units). A change costs a binary search; the list is rebuilt only when it is
 * asked for after a change, and lists handed out earlier stay as they were.
 */
export class SortedBucket {
  readonly #keys: string[] = [];
  readonly #objects = new Map<string, AnyObject>();
  #list: readonly AnyObject[] | undefined;

  get size(): number {
    return this.#keys.length;
  }

  put(key: string, object: AnyObject): void {
    if (!this.#objects.has(key)) this.#keys.splice(this.#place(key), 0, key);
    this.#objects.set(key, object);
    this.#list = undefined;
  }

  remove(key: string): void {
    if (!this.#objects.delete(key)) return;
    this.#keys.splice(this.#place(key), 1);
    this.#list = undefined;
  }

  list(): readonly AnyObject[] {
    this.#list ??= Object.freeze(this.#keys.flatMap((key) => this.#objects.get(key) ?? []));
    return this.#list;
  }

  /** Index of the first key that is not below this one. */
  #place(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Buckets by name; empty ones are dropped, so that memory follows what is there. */
export class BucketMap {
  readonly #buckets = new Map<string, SortedBucket>();

  get(name: string): SortedBucket | undefined {
    return this.#buckets.get(name);
  }

  put(name: string, key: string, object: AnyObject): void {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = new SortedBucket();
      this.#buckets.set(name, bucket);
    }
    bucket.put(key, object);
  }

  remove(name: string, key: string): void {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return;
    bucket.remove(key);
    if (bucket.size === 0) this.#buckets.delete(name);
  }
}

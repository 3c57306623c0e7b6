import type { AnyObject } from "../src/api/object.js";

/** By what objects are found: a label's value, or what a function gives for an object, several values or none. */
export type IndexBy<T = AnyObject> =
  | { readonly label: string }
  | ((object: T) => string | readonly string[] | undefined);

/** Objects by one kind of value. Owner: an informer, which tells of every object that comes and goes. */
export class ObjectIndex<T extends AnyObject> {
  readonly #valuesOf: (object: T) => readonly string[];
  readonly #objects = new Map<string, Map<string, T>>();

  constructor(by: IndexBy<T>) {
    const find =
      typeof by === "function"
        ? by
        : ({ metadata: { labels = {} } }: T) => (Object.hasOwn(labels, by.label) ? labels[by.label] : undefined);
    this.#valuesOf = (object) => {
      const found = find(object);
      return found === undefined ? [] : typeof found === "string" ? [found] : found;
    };
  }

  get(value: string): T[] {
    return [...(this.#objects.get(value)?.values() ?? [])];
  }

  add(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      let bucket = this.#objects.get(value);
      if (!bucket) this.#objects.set(value, (bucket = new Map()));
      bucket.set(key, object);
    }
  }

  remove(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const bucket = this.#objects.get(value);
      bucket?.delete(key);
      if (bucket?.size === 0) this.#objects.delete(value);
    }
  }
}

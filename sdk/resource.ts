import type { Change } from "./history.js";
import { apiVersionOf } from "../src/api/kind.js";
import { kindNamed } from "../src/api/registry.js";
import type { AnyObject, ObjectMeta } from "../src/api/object.js";
import type {
  ApplyOptions,
  Client,
  DeleteCollectionOptions,
  Deleted,
  DeleteOptions,
  DeleteOutcome,
  GetOptions,
  HistoryOptions,
  ListOptions,
  Page,
  PageOptions,
  PatchOptions,
  Scoped,
  WatchOptions,
  WriteOptions,
  Written,
} from "./client.js";
import type { WatchEvent } from "./watch.js";

/** An object to write: apiVersion and kind are known; with `generateName` the name is made by the server. */
export type Draft<T> = Omit<T, "apiVersion" | "kind" | "metadata" | "status"> & {
  readonly metadata: Omit<ObjectMeta, "name"> & { readonly name?: string };
};

/** The verbs of one kind, with its type. See the methods of the same names of `Client` for errors. */
export class Resource<T> {
  readonly #client: Client;
  readonly #kind: string;

  /** @internal */
  constructor(client: Client, kind: string) {
    this.#client = client;
    this.#kind = kind;
  }

  async get(name: string, options?: GetOptions): Promise<T> {
    return (await this.#client.get(this.#kind, name, options)) as T;
  }

  list(options?: ListOptions): AsyncGenerator<T, void, undefined> {
    return this.#client.list(this.#kind, options) as AsyncGenerator<T, void, undefined>;
  }

  async listPage(options?: PageOptions): Promise<Page<T>> {
    return (await this.#client.listPage(this.#kind, options)) as Page<T>;
  }

  watch(options?: WatchOptions): AsyncGenerator<WatchEvent<T>, void, undefined> {
    return this.#client.watch(this.#kind, options) as AsyncGenerator<WatchEvent<T>, void, undefined>;
  }

  async create(object: Draft<T>, options?: WriteOptions): Promise<Written<T>> {
    return (await this.#client.create(this.#named(object), options)) as Written<T>;
  }

  async update(object: Draft<T>, options?: WriteOptions & { readonly subresource?: "status" }): Promise<Written<T>> {
    return (await this.#client.update(this.#named(object), options)) as Written<T>;
  }

  async apply(object: Draft<T>, options?: ApplyOptions): Promise<Written<T>> {
    return (await this.#client.apply(this.#named(object), options)) as Written<T>;
  }

  async patch(name: string, patch: object, options?: PatchOptions): Promise<Written<T>> {
    return (await this.#client.patch(this.#kind, name, patch, options)) as Written<T>;
  }

  async delete(name: string, options?: DeleteOptions): Promise<Deleted<T>> {
    return (await this.#client.delete(this.#kind, name, options)) as Deleted<T>;
  }

  deleteCollection(options: DeleteCollectionOptions): Promise<readonly DeleteOutcome[]> {
    return this.#client.deleteCollection(this.#kind, options);
  }

  history(name: string, options?: HistoryOptions): AsyncGenerator<Change, void, undefined> {
    return this.#client.history(this.#kind, name, options);
  }

  async undo(name: string, revision: number, options?: WriteOptions & Scoped): Promise<Written<T>> {
    return (await this.#client.undo(this.#kind, name, revision, options)) as Written<T>;
  }

  #named(object: Draft<T>): AnyObject {
    const kind = kindNamed(this.#kind);
    return { apiVersion: apiVersionOf(kind), kind: kind.kind, ...object } as unknown as AnyObject;
  }
}

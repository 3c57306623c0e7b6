import type { AnyObject } from "../src/api/object.js";
import { IkadaError } from "../src/base/errors.js";
import { pauseMsAfter } from "./backoff.js";
import { isRetriable } from "./calls.js";
import type { Client } from "./client.js";
import { Deadline } from "./deadline.js";
import { ObjectIndex, type IndexBy } from "./object-index.js";
import type { Selection } from "./options.js";
import type { KindName } from "./wire.js";

/** Which objects an informer keeps, and how they are found. */
export interface InformerOptions<T = AnyObject, Index extends string = never> extends Selection {
  /** By name: a label (`{ label: "app" }`), or a function of an object that gives a value, several, or none. */
  readonly indexes?: Readonly<Record<Index, IndexBy<T>>>;
  /** More objects than that end the informer with TooLarge: it keeps all of them in memory. @default 100000 */
  readonly objectsMax?: number;
}

/** What is called when an object comes, changes and goes. Each gets frozen objects. */
export interface InformerHandlers<T = AnyObject> {
  /** It is there, or has come to match the selectors. */
  readonly added?: (object: T) => void;
  /** It has changed; `old` is what was told of it before. */
  readonly updated?: (object: T, old: T) => void;
  /** It has gone, or ceased to match; the last that is known of it. */
  readonly deleted?: (object: T) => void;
}

const objectsMaxDefault = 100_000;
const backoff = { msMin: 50, msMax: 10_000 } as const;

/**
 * A copy of the objects of a kind that is kept up to date: one list, then a watch from its revision. Reads of it cost no call.
 *
 * 1. It only goes forward. A lost connection is taken up at another server where it was lost, a slower server is waited for until it is as new
 *    as this copy, and a list that becomes necessary (Compacted) asks for a state not older than it. Only when the cluster itself has gone back,
 *    restored from a backup, does the copy too.
 * 2. Nothing is missed. What came, changed and went while nobody could watch is found by comparing lists, and told like any other event: an object that
 *    was deleted and made anew is deleted, then added.
 * 3. Events come one after the other, in the order of revisions, after the copy and its indexes have changed. Handlers are called at once
 *    and not waited for, so there is no queue here that could grow; what they put off they have to bound themselves.
 * 4. Memory: each selected object once, frozen, and its place in every index. While it lists anew it holds the changed objects twice.
 *    `objectsMax` bounds it.
 * 5. It goes on through everything that passes: servers that are away, elections, slow networks. What does not pass (Forbidden, a selector that makes
 *    no sense, `objectsMax`, an error that a handler throws) ends it: `ended` rejects, and `synced` if it was not yet. The copy stays as it was.
 *
 * @example
 * const web = client.configMaps.informer({ namespace: "default", indexes: { app: { label: "app" } } });
 * web.on({ added: ({ metadata }) => console.log("added", metadata.name) });
 * await web.synced;
 * console.log(web.list().length, web.by("app", "web").length, web.get("greeting")?.data);
 * await web.close();
 */
export class Informer<T extends AnyObject = AnyObject, Index extends string = never> {
  /**
   * Resolves when the informer was closed, by `close`, its signal or its client's end. Rejects with what ended it otherwise: see to that,
   * since nobody else will say that the copy is not kept up any more.
   */
  readonly ended: Promise<void>;
  readonly #client: Client;
  readonly #kind: KindName;
  readonly #selection: Selection;
  readonly #objectsMax: number;
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, ObjectIndex<T>>;
  readonly #handlers = new Set<InformerHandlers<T>>();
  readonly #over = new AbortController();
  readonly #deadline: Deadline;
  readonly #unlink: () => void;
  readonly #synced: Promise<void>;
  #isSynced = false;
  /** Somebody waits for `synced`, and so hears of a failure before. */
  #isSyncedAsked = false;
  #revision = 0;
  /** What a handler threw. */
  #thrown: { readonly error: unknown } | undefined;

  /** @internal `over` is called when it has ended. */
  constructor(client: Client, kind: KindName, options: InformerOptions<T, Index>, over: () => void) {
    const { indexes, objectsMax = objectsMaxDefault, deadlineMs, signal, ...selection } = options;
    this.#client = client;
    this.#kind = kind;
    this.#selection = selection;
    this.#objectsMax = objectsMax;
    const definitions = Object.entries<IndexBy<T>>(indexes ?? {});
    this.#indexes = new Map(definitions.map(([name, by]) => [name, new ObjectIndex(by)]));
    const abort = (): void => this.#over.abort();
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    this.#unlink = () => {
      signal?.removeEventListener("abort", abort);
      over();
    };
    this.#deadline = new Deadline({ ...(deadlineMs !== undefined && { deadlineMs }), signal: this.#over.signal });
    let resolve: () => void = () => undefined;
    let reject: (error: unknown) => void = () => undefined;
    this.#synced = new Promise((done, failed) => ([resolve, reject] = [done, failed]));
    // Who did not ask for it hears of the same by `ended`.
    this.#synced.catch(() => undefined);
    this.ended = this.#run(resolve, reject);
  }

  /** Resolves when the first list is complete. Rejects with what ended the informer before that, Cancelled when it was closed. */
  get synced(): Promise<void> {
    this.#isSyncedAsked = true;
    return this.#synced;
  }

  /** All changes up to it are in the copy; 0 before the first list. */
  get revision(): number {
    return this.#revision;
  }

  /** How many objects there are. */
  get size(): number {
    return this.#objects.size;
  }

  /** The object of this name, frozen; undefined when there is none. `namespace` is the informer's own unless it is given. */
  get(name: string, namespace = this.#selection.namespace ?? ""): T | undefined {
    return this.#objects.get(keyOf({ name, namespace }));
  }

  /** All objects, or those of one namespace, frozen and in no particular order. */
  list(namespace?: string): T[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  /** The objects with this value in an index, frozen and in no particular order. @throws IkadaError BadRequest for an index that there is not */
  by(index: Index, value: string): T[] {
    const found = this.#indexes.get(index);
    if (found) return found.get(value);
    throw new IkadaError("BadRequest", `the informer has no index "${index}"`, {
      hint: `it has ${[...this.#indexes.keys()].join(", ") || "none"}; name it in the option indexes`,
    });
  }

  /** Calls these from now on, at once with `added` for every object there is. @returns what takes them away again */
  on(handlers: InformerHandlers<T>): () => void {
    for (const object of this.#objects.values()) handlers.added?.(object);
    this.#handlers.add(handlers);
    return () => void this.#handlers.delete(handlers);
  }

  /** Ends it; no handler is called any more. Resolves when it has ended, and does not reject. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.ended.catch(() => undefined);
  }

  async #run(synced: () => void, failed: (error: unknown) => void): Promise<void> {
    try {
      await this.#follow(synced);
    } catch (caught) {
      if (!this.#isSynced) failed(caught);
      if (this.#thrown === undefined && IkadaError.from(caught).reason === "Cancelled") return;
      if (!this.#isSynced && this.#isSyncedAsked) this.ended.catch(() => undefined);
      throw caught;
    } finally {
      this.#unlink();
    }
  }

  /** Lists and watches, again and again. @throws what does not pass */
  async #follow(synced: () => void): Promise<never> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#listAnew();
        this.#isSynced = true;
        synced();
        tries = 1;
        const options = { ...this.#selection, ...this.#deadline.rest(), revision: this.#revision };
        for await (const event of this.#client.watch(this.#kind, options)) {
          if (event.type === "DELETED") this.#remove(keyOf(event.object.metadata), event.object as T);
          else if (event.type !== "BOOKMARK") this.#put(keyOf(event.object.metadata), event.object as T);
          this.#revision = event.revision;
        }
      } catch (caught) {
        await this.#recover(caught, tries);
      }
    }
  }

  /** Pauses before the next list. @throws the error itself when listing anew does not help */
  async #recover(caught: unknown, tries: number): Promise<void> {
    if (this.#thrown !== undefined || !(caught instanceof IkadaError)) throw caught;
    if (this.#over.signal.aborted) throw new IkadaError("Cancelled", "the informer was closed", {}, caught);
    // The present of the cluster is older than what it gave before.
    const wentBack = caught.reason === "BadRequest" && (caught.details.revision ?? Infinity) < this.#revision;
    if (wentBack) this.#revision = 0;
    const passes = wentBack || caught.reason === "Compacted" || caught.reason === "Deadline" || isRetriable(caught);
    if (!passes || caught.reason === "Cancelled" || this.#deadline.leftMs <= 0) throw caught;
    await this.#deadline.pause(pauseMsAfter(tries, backoff), caught);
  }

  /** Makes the copy what a list says, and tells what that changes. */
  async #listAnew(): Promise<void> {
    const listed = new Map<string, T>();
    const at = this.#revision > 0 ? { notOlderThan: this.#revision } : {};
    let revision = 0;
    let next = "";
    do {
      const place = next === "" ? at : { continue: next };
      const options = { ...this.#selection, ...this.#deadline.rest(), ...place };
      const page = await this.#client.listPage(this.#kind, options);
      for (const object of page.objects as readonly T[]) {
        const key = keyOf(object.metadata);
        const known = this.#objects.get(key);
        listed.set(key, known && isSame(known, object) ? known : object);
      }
      this.#checkSize(listed.size);
      ({ revision, next } = page);
    } while (next !== "");
    for (const [key, old] of this.#objects) if (!listed.has(key)) this.#remove(key, old);
    for (const [key, object] of listed) this.#put(key, object);
    this.#revision = revision;
  }

  #put(key: string, object: T): void {
    const old = this.#objects.get(key);
    if (old && isSame(old, object)) return;
    if (old && old.metadata.uid !== object.metadata.uid) {
      this.#remove(key, old);
      this.#put(key, object);
      return;
    }
    freeze(object);
    if (old) for (const index of this.#indexes.values()) index.remove(key, old);
    this.#objects.set(key, object);
    this.#checkSize(this.#objects.size);
    for (const index of this.#indexes.values()) index.add(key, object);
    this.#tell(({ added, updated }) => (old ? updated?.(object, old) : added?.(object)));
  }

  #remove(key: string, last: T): void {
    const old = this.#objects.get(key);
    if (!old) return;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) index.remove(key, old);
    freeze(last);
    this.#tell(({ deleted }) => deleted?.(last));
  }

  /** Nobody is told anything once it was closed, also in the middle of a list. @throws what a handler throws, which ends the informer */
  #tell(call: (handlers: InformerHandlers<T>) => void): void {
    for (const handlers of this.#handlers) {
      if (this.#over.signal.aborted) return;
      try {
        call(handlers);
      } catch (error) {
        this.#thrown = { error };
        throw error;
      }
    }
  }

  #checkSize(size: number): void {
    if (size <= this.#objectsMax) return;
    throw new IkadaError("TooLarge", `there are more than ${this.#objectsMax} objects for the informer to keep`, {
      hint: "narrow it down by namespace or selectors, or raise objectsMax",
    });
  }
}

function keyOf({ namespace = "", name }: { readonly namespace?: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function isSame(one: AnyObject, other: AnyObject): boolean {
  return one.metadata.uid === other.metadata.uid && one.metadata.resourceVersion === other.metadata.resourceVersion;
}

/** A change of it would be seen by all who read the copy. */
function freeze(value: object): void {
  if (Object.isFrozen(value)) return;
  for (const part of Object.values(value) as unknown[]) if (typeof part === "object" && part !== null) freeze(part);
  Object.freeze(value);
}

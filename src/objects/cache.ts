import type { AnyObject } from "../api/object.js";
import type { Log } from "../base/env.js";
import type { Store, WatchBatch } from "../../store/store.js";
import { decodeRecord } from "./encode.js";
import { objectsPrefix } from "./keys.js";
import { ObjectIndex, type ObjectChange } from "./object-index.js";
import type { Snapshot } from "./snapshot.js";

/** Gets all changes of one revision at once, after the cache has taken them in. */
export type ChangeListener = (changes: readonly ObjectChange[], revision: number) => void;

/**
 * All objects of this replica, parsed once and deep-frozen, kept current by a watch on the store. Synchronous: a snapshot
 * taken in one turn shows the state after the last applied entry. Owner: the process; closed with it.
 */
export class ObjectCache {
  readonly #store: Store;
  readonly #log: Log;
  readonly #index = new ObjectIndex();
  readonly #listeners = new Set<ChangeListener>();
  #watch: { close(): void } | undefined;
  #closed = false;

  /** Reads all objects from the store and follows it from there on. */
  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#synchronize();
  }

  get revision(): number {
    return this.#index.revision;
  }

  snapshot(): Snapshot {
    return this.#index.snapshot();
  }

  /** Calls `listener` after each revision that changed objects. It must not throw; returns how to stop. */
  onChanges(listener: ChangeListener): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
    this.#listeners.clear();
  }

  /** Takes over the store's present state, telling the difference to what was known, and watches from there. */
  #synchronize(): void {
    const revision = this.#store.revision();
    const present = new Map<string, AnyObject | undefined>();
    for (const key of this.#index.keys()) present.set(key, undefined);
    for (const record of this.#store.peekPrefix(objectsPrefix)) {
      const known = this.#index.get(record.key);
      if (known?.metadata.resourceVersion === String(record.modRevision)) present.delete(record.key);
      else present.set(record.key, decodeRecord(record));
    }
    this.#tell(this.#index.apply(revision, present));
    this.#watch = this.#store.watch(objectsPrefix, revision, {
      onBatch: (batch) => this.#take(batch),
      onError: (error) => this.#recover(error),
      onReplaced: () => this.#recover(new Error("the store has taken over a snapshot")),
    });
  }

  #take(batch: WatchBatch): void {
    if (this.#closed) return;
    const changed = new Map<string, AnyObject | undefined>();
    for (const event of batch.events)
      changed.set(event.key, event.type === "put" ? decodeRecord(event.record) : undefined);
    this.#tell(this.#index.apply(batch.revision, changed));
  }

  /** The watch broke off (compacted, a snapshot was installed): the store itself is still right, so read it anew. */
  #recover(error: Error): void {
    if (this.#closed) return;
    this.#log.warn("object cache lost its watch and reads all objects again", { error: error.message });
    this.#watch?.close();
    this.#synchronize();
  }

  #tell(changes: readonly ObjectChange[]): void {
    if (changes.length === 0) return;
    for (const listener of this.#listeners) listener(changes, this.#index.revision);
  }
}

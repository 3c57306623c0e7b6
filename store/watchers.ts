import type { Log } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import type { Revision, WatchBatch, WatchEvent, WatchObserver } from "./store.js";

/** One watch. Gets each batch once: those with a revision greater than `position`. */
export class Watcher {
  readonly prefix: string;
  readonly #observer: WatchObserver;
  readonly #log: Log;
  #position: Revision;
  /** The last revision that the observer was told of. */
  #told: Revision;
  #open = true;
  onEnd: (() => void) | undefined;

  constructor(prefix: string, from: Revision, observer: WatchObserver, log: Log) {
    this.prefix = prefix;
    this.#position = from;
    this.#told = from;
    this.#observer = observer;
    this.#log = log;
  }

  /** All changes up to it were given. */
  get position(): Revision {
    return this.#position;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Gives a batch (already reduced to the prefix) and moves on to its revision. */
  give(batch: WatchBatch): void {
    if (!this.#open || batch.revision <= this.#position) return;
    this.#position = batch.revision;
    this.#told = batch.revision;
    this.#call(() => this.#observer.onBatch(batch));
  }

  /** Calls back when the observer takes more of the past. */
  whenRoom(run: () => void): void {
    if (!this.#open) return;
    if (this.#observer.whenRoom) this.#call(() => this.#observer.whenRoom?.(run));
    else run();
  }

  /** Tells that all up to `revision` was given, with an empty batch unless the observer knows already. */
  tell(revision: Revision): void {
    this.pass(revision);
    if (!this.#open || this.#told >= this.#position) return;
    this.#told = this.#position;
    this.#call(() => this.#observer.onBatch({ revision: this.#told, events: [] }));
  }

  /** Moves on without events; the observer is not called. */
  pass(revision: Revision): void {
    this.#position = Math.max(this.#position, revision);
  }

  /** True when the observer would rather read the new state, which it is told to: the watch is closed then. */
  replace(): boolean {
    if (!this.#open || !this.#observer.onReplaced) return false;
    this.end();
    this.#call(() => this.#observer.onReplaced?.());
    return true;
  }

  end(error?: Error): void {
    if (!this.#open) return;
    this.#open = false;
    this.onEnd?.();
    if (error) this.#call(() => this.#observer.onError(error));
  }

  /** An observer's fault must stop neither apply nor other watches. */
  #call(run: () => void): void {
    try {
      run();
    } catch (caught) {
      const error = IkadaError.from(caught);
      this.#log.error("a watch's observer failed; its watch is closed", { prefix: this.prefix, error: error.message });
      this.end(error);
    }
  }
}

/**
 * Watches that are up to date, found by prefix: an event costs one look-up per distinct length of a watched prefix, not
 * one comparison per watch.
 */
export class LiveWatchers {
  readonly #byPrefix = new Map<string, Set<Watcher>>();
  /** Distinct prefix lengths and how many prefixes have each. */
  readonly #lengths = new Map<number, number>();

  has(watcher: Watcher): boolean {
    return this.#byPrefix.get(watcher.prefix)?.has(watcher) ?? false;
  }

  add(watcher: Watcher): void {
    const { prefix } = watcher;
    let same = this.#byPrefix.get(prefix);
    if (!same) {
      same = new Set();
      this.#byPrefix.set(prefix, same);
      this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1);
    }
    same.add(watcher);
  }

  remove(watcher: Watcher): void {
    const { prefix } = watcher;
    const same = this.#byPrefix.get(prefix);
    if (!same?.delete(watcher) || same.size > 0) return;
    this.#byPrefix.delete(prefix);
    const left = (this.#lengths.get(prefix.length) ?? 0) - 1;
    if (left > 0) this.#lengths.set(prefix.length, left);
    else this.#lengths.delete(prefix.length);
  }

  publish(batch: WatchBatch): void {
    const events = new Map<Watcher, WatchEvent[]>();
    for (const event of batch.events)
      for (const length of this.#lengths.keys()) {
        if (length > event.key.length) continue;
        for (const watcher of this.#byPrefix.get(event.key.slice(0, length)) ?? []) {
          const own = events.get(watcher);
          if (own) own.push(event);
          else events.set(watcher, [event]);
        }
      }
    for (const [watcher, own] of events)
      watcher.give(own.length === batch.events.length ? batch : { revision: batch.revision, events: own });
  }
}

/** The part of `batch` that is under `prefix`; undefined when nothing is. */
export function reduceBatch(batch: WatchBatch, prefix: string): WatchBatch | undefined {
  if (prefix === "") return batch;
  const events = batch.events.filter((event) => event.key.startsWith(prefix));
  return events.length === 0 ? undefined : { revision: batch.revision, events };
}

import type { Env } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { historyPage } from "./history.js";
import type { KeyValue } from "./key-value.js";
import type { RecentBatches } from "./recent.js";
import type { Revision, WatchBatch, WatchObserver } from "./store.js";
import { LiveWatchers, reduceBatch, Watcher } from "./watchers.js";

/** A replay must come nearer to the present at least once in so many pages, or its watch is closed. */
const pagesPerGain = 64;

/** A part of what is in memory that a replay is given at once; what is left after the last full part is given as it becomes live. */
const partEventsMax = 256;
const partBytesMax = 1024 * 1024;

/** What watches need to know of the state machine. */
export interface WatchedState {
  /** The keyspace's number. */
  readonly number: number;
  readonly revision: Revision;
  readonly compactRevision: Revision;
}

/**
 * All watches of one replica. A watch from the present is live at once. One from the past is given pages from disk up to
 * what is in memory, then parts of that, as its observer has room for them; then, in one synchronous step, the rest from memory and its
 * place among the live ones, so that nothing falls between or comes twice. Live ones are called inside apply, so they have no queue here.
 */
export class Watches {
  readonly #env: Env;
  readonly #keyValue: KeyValue;
  #state: WatchedState;
  #recent: RecentBatches;
  readonly #live = new LiveWatchers();
  readonly #all = new Set<Watcher>();
  /** Rows on disk are being replaced: nothing is read there. */
  #isReplacing = false;
  /** Changes when what was read or planned before counts no more. */
  #epoch = 0;

  constructor(env: Env, keyValue: KeyValue, state: WatchedState, recent: RecentBatches) {
    this.#env = env;
    this.#keyValue = keyValue;
    this.#state = state;
    this.#recent = recent;
  }

  get size(): number {
    return this.#all.size;
  }

  open(prefix: string, from: Revision, observer: WatchObserver): { close(): void } {
    const compacted = compactedError(from, this.#state.compactRevision);
    if (compacted) throw compacted;
    if (this.#all.size >= limits.watchesPerReplicaMax)
      throw new IkadaError("Overloaded", `this replica has ${this.#all.size} watches, which is its limit`, {
        hint: "close watches that are not needed, or connect to another server",
      });
    const watcher = new Watcher(prefix, from, observer, this.#env.log);
    this.#all.add(watcher);
    watcher.onEnd = () => {
      this.#all.delete(watcher);
      this.#live.remove(watcher);
    };
    if (from >= this.#state.revision) this.#live.add(watcher);
    else this.#soon(watcher, () => this.#advance(watcher, { pages: 0, lag: this.#lag(watcher) }));
    return { close: () => watcher.end() };
  }

  /** To be called after the batch was put into `recent`. */
  publish(batch: WatchBatch): void {
    this.#live.publish(batch);
  }

  /** From now until `replaced` the history on disk can't be read. */
  replacing(): void {
    this.#isReplacing = true;
    this.#epoch += 1;
    for (const watcher of this.#all) if (this.#live.has(watcher)) watcher.pass(this.#state.revision);
  }

  /**
   * The state is another one, which may have gone on by many revisions at once. Their history came with it, so watches are led through it
   * like any that begin in the past, unless it does not reach back so far.
   */
  replaced(state: WatchedState, recent: RecentBatches): void {
    this.#isReplacing = false;
    this.#state = state;
    this.#recent = recent;
    for (const watcher of this.#all) {
      if (watcher.position >= state.revision && this.#live.has(watcher)) continue;
      if (watcher.replace()) continue;
      const compacted = compactedError(watcher.position, state.compactRevision);
      if (compacted) watcher.end(compacted);
      if (!watcher.open) continue;
      this.#live.remove(watcher);
      this.#soon(watcher, () => this.#advance(watcher, { pages: 0, lag: this.#lag(watcher) }));
    }
  }

  closeAll(error: Error): void {
    for (const watcher of this.#all) watcher.end(error);
  }

  /** One step from the past towards the present. */
  #advance(watcher: Watcher, progress: Progress): void {
    if (this.#isReplacing) return;
    const compacted = compactedError(watcher.position, this.#state.compactRevision);
    if (compacted) return watcher.end(compacted);
    if (watcher.position >= this.#recent.start) return this.#join(watcher, progress);
    const behind = progress.pages > 0 && progress.pages % pagesPerGain === 0;
    const lag = behind ? this.#lag(watcher) : progress.lag;
    if (behind && lag >= progress.lag) return watcher.end(slow(watcher));
    const epoch = this.#epoch;
    historyPage(
      this.#keyValue,
      this.#state.number,
      watcher.prefix,
      watcher.position,
      this.#recent.start,
      (error, page) => {
        if (!watcher.open || epoch !== this.#epoch) return;
        // Compacted while it was read: rows may have been missing.
        const compacted = compactedError(watcher.position, this.#state.compactRevision);
        if (compacted ?? error) return watcher.end((compacted ?? error) as Error);
        for (const batch of page.batches) watcher.give(batch);
        watcher.pass(page.position);
        this.#soon(watcher, () => this.#advance(watcher, { pages: progress.pages + 1, lag }));
      },
    );
  }

  /** Synchronous from the first line to the last: no entry is applied in between. */
  #join(watcher: Watcher, progress: Progress): void {
    const { revision } = this.#state;
    let [events, bytes] = [0, 0];
    for (const batch of this.#recent.after(watcher.position)) {
      if (events >= partEventsMax || bytes >= partBytesMax)
        return this.#soon(watcher, () => this.#advance(watcher, progress));
      const own = reduceBatch(batch, watcher.prefix);
      if (!own) {
        watcher.pass(batch.revision);
        continue;
      }
      watcher.give(own);
      events += own.events.length;
      for (const { record } of own.events) bytes += record.value.length;
    }
    if (!watcher.open) return;
    // Tells how far the replay went even when its end held nothing for this prefix.
    watcher.tell(revision);
    if (watcher.open) this.#live.add(watcher);
  }

  #lag(watcher: Watcher): number {
    return this.#recent.start - watcher.position;
  }

  /** When there is room, and in a turn of its own, so that a long replay does not keep others waiting. */
  #soon(watcher: Watcher, run: () => void): void {
    const epoch = this.#epoch;
    const isStale = (): boolean => !watcher.open || epoch !== this.#epoch;
    watcher.whenRoom(() => {
      if (isStale()) return;
      this.#env.timers.after(0, () => {
        if (!isStale()) run();
      });
    });
  }
}

/** Of a replay: pages read from disk, and how far the last of them was known to be behind what is in memory. */
interface Progress {
  readonly pages: number;
  readonly lag: number;
}

/** The refusal of a revision that cannot be read any more. */
export function compactedError(revision: Revision, compactRevision: Revision): IkadaError | undefined {
  if (revision >= compactRevision) return undefined;
  return new IkadaError("Compacted", `revision ${revision} is compacted; history starts at ${compactRevision}`, {
    revision: compactRevision,
    hint: "list again and watch from the list's revision",
  });
}

function slow(watcher: Watcher): IkadaError {
  return new IkadaError("SlowWatcher", `the watch of ${JSON.stringify(watcher.prefix)} falls further behind`, {
    revision: watcher.position,
    hint: "watch again from this revision, or list and watch from the list's revision",
  });
}

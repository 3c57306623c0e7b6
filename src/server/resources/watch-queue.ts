import { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { Revision, WatchBatch, WatchEvent, WatchObserver } from "../../../store/store.js";
import { parsed } from "./selection.js";
import type { Selection } from "./selection.js";
import { recordOf, toWire } from "./wire.js";

const { Type } = ikada.api.v1.WatchEvent;

/**
 * What one watcher has yet to be sent, bounded by events and bytes. Owner: one watch call.
 *
 * 1. Events leave in the order of their revisions, each revision's together.
 * 2. Past a bound the watch ends at once with SlowWatcher and the last revision that was taken whole. Otherwise what was
 *    queued before the end is still given.
 * 3. A bookmark is sent only when nothing waits, and promises that all changes up to it were sent.
 */
export class WatchQueue implements WatchObserver {
  readonly #selection: Selection;
  readonly #present: () => Revision;
  readonly #events: { readonly event: ikada.api.v1.IWatchEvent; readonly bytes: number }[] = [];
  #head = 0;
  #bytes = 0;
  /** All changes up to it are queued or sent. */
  #progress: Revision;
  /** Reached the present once; from then on the store calls within each apply. */
  #live: boolean;
  #bookmarked: Revision;
  /** All events of all revisions up to it were taken. */
  #taken: Revision;
  #overflowed = false;
  #end: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(selection: Selection, from: Revision, present: () => Revision) {
    this.#selection = selection;
    this.#present = present;
    this.#progress = from;
    this.#bookmarked = from;
    this.#taken = from;
    this.#live = from >= present();
  }

  onBatch(batch: WatchBatch): void {
    if (this.#end) return;
    for (const event of batch.events) {
      const sent = this.#toSend(event);
      if (!sent) continue;
      const bytes = (sent.object?.json?.length ?? 0) + envelopeBytes;
      this.#events.push({ event: sent, bytes });
      this.#bytes += bytes;
    }
    const waiting = this.#events.length - this.#head;
    if (waiting > limits.watchQueueEventsMax || this.#bytes > limits.watchQueueBytesMax) {
      this.#overflowed = true;
      this.end(
        new IkadaError("SlowWatcher", `the watcher is ${waiting} events (${this.#bytes} bytes) behind`, {
          revision: this.#taken,
          hint: "watch again from the revision of the last event received",
        }),
      );
      return;
    }
    this.#progress = Math.max(this.#progress, batch.revision);
    this.#live ||= batch.revision >= this.#present();
    this.#notify();
  }

  onError(error: Error): void {
    this.end(error);
  }

  /** The next event; undefined when none waits. @throws why the watch has ended */
  take(): ikada.api.v1.IWatchEvent | undefined {
    const ended = this.#end;
    if (ended && this.#overflowed) throw ended;
    const next = this.#events[this.#head];
    if (!next) {
      if (ended) throw ended;
      return undefined;
    }
    this.#head += 1;
    this.#bytes -= next.bytes;
    const following = this.#events[this.#head];
    if (following?.event.revision !== next.event.revision) this.#taken = next.event.revision ?? this.#taken;
    if (this.#head > 1024 || this.#head === this.#events.length) {
      this.#events.splice(0, this.#head);
      this.#head = 0;
    }
    return next.event;
  }

  /** Resolves when `take` has something to give or to throw. */
  filled(): Promise<void> {
    if (this.#events.length > this.#head || this.#end) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Queues a bookmark when it says something new. To be called outside of apply. */
  bookmark(): void {
    if (this.#end || this.#events.length > this.#head) return;
    const revision = this.#live ? Math.max(this.#present(), this.#progress) : this.#progress;
    if (revision <= this.#bookmarked) return;
    this.#progress = revision;
    this.#bookmarked = revision;
    this.#events.push({ event: { type: Type.BOOKMARK, revision }, bytes: envelopeBytes });
    this.#bytes += envelopeBytes;
    this.#notify();
  }

  end(error: Error): void {
    this.#end ??= error;
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #toSend(event: WatchEvent): ikada.api.v1.IWatchEvent | undefined {
    const { record, previous } = event;
    const revision = record.modRevision;
    const did = previous !== undefined && this.#selection.matches(previous);
    const does = event.type === "put" && this.#selection.matches(record);
    if (does) return { type: did ? Type.MODIFIED : Type.ADDED, object: toWire(record), revision };
    if (!did) return undefined;
    // As Kubernetes: the last state that was selected, with the revision of the change.
    return { type: Type.DELETED, object: toWire(recordOf(parsed(previous), revision)), revision };
  }
}

/** What an event weighs beside its object. */
const envelopeBytes = 256;

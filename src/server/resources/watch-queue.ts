import { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { Encoded } from "../../host/grpc.js";
import type { Revision, WatchBatch, WatchEvent, WatchObserver } from "../../../store/store.js";
import { parsed } from "./selection.js";
import type { SharedEncoding } from "../shared-encoding.js";
import type { Selection } from "./selection.js";
import { recordOf, toWire } from "./wire.js";

type WatchEventType = ikada.api.v1.WatchEvent.Type;
const { Type } = ikada.api.v1.WatchEvent;

/** An event as watchers to whom it is of this type are sent it. */
export function encodeEvent({ record, previous }: WatchEvent, type: WatchEventType): Uint8Array {
  const revision = record.modRevision;
  // As Kubernetes: the last state that was selected, with the revision of the change.
  const shown = type === Type.DELETED && previous ? recordOf(parsed(previous), revision) : record;
  return ikada.api.v1.WatchEvent.encode({ type, object: toWire(shown), revision }).finish();
}

/**
 * What one watcher has yet to be sent, bounded by events and bytes. Owner: one watch call.
 *
 * 1. Events leave in the order of their revisions, each revision's together.
 * 2. Past a bound the watch ends at once with SlowWatcher and the last revision that was taken whole, and lets go of what was queued.
 *    Otherwise what was queued before the end is still given.
 * 3. A bookmark is sent only when nothing waits, and promises that all changes up to it were sent.
 */
export class WatchQueue implements WatchObserver {
  readonly #selection: Selection;
  readonly #encoding: SharedEncoding<WatchEventType>;
  readonly #present: () => Revision;
  #events: { readonly message: Encoded; readonly revision: Revision; readonly bytes: number }[] = [];
  #head = 0;
  #bytes = 0;
  /** All changes up to it are queued or sent. */
  #progress: Revision;
  /** Reached the present once; from then on the store calls within each apply. */
  #live: boolean;
  #bookmarked: Revision;
  /** All events of all revisions up to it were taken. */
  #taken: Revision;
  readonly #cut = new AbortController();
  #end: Error | undefined;
  #wake: (() => void) | undefined;
  #room: (() => void) | undefined;

  constructor(selection: Selection, encoding: SharedEncoding<WatchEventType>, from: Revision, present: () => Revision) {
    this.#selection = selection;
    this.#encoding = encoding;
    this.#present = present;
    this.#progress = from;
    this.#bookmarked = from;
    this.#taken = from;
    this.#live = from >= present();
  }

  /** Aborted, with the reason, when nothing more shall be sent, not even what was queued. */
  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  onBatch(batch: WatchBatch): void {
    if (this.#end) return;
    for (const event of batch.events) {
      const type = this.#typeOf(event);
      if (type !== undefined) this.#push(this.#encoding.bytesOf(event, type), event.record.modRevision);
    }
    const waiting = this.#events.length - this.#head;
    if (waiting > limits.watchQueueEventsMax || this.#bytes > limits.watchQueueBytesMax) {
      this.cutOff(
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

  whenRoom(run: () => void): void {
    this.#room = run;
    this.#offerRoom();
  }

  /** The next event; undefined when none waits. @throws why the watch has ended */
  take(): Encoded | undefined {
    const next = this.#events[this.#head];
    if (!next) {
      if (this.#end) throw this.#end;
      return undefined;
    }
    this.#head += 1;
    this.#bytes -= next.bytes;
    const following = this.#events[this.#head];
    if (following?.revision !== next.revision) this.#taken = next.revision;
    if (this.#head > 1024 || this.#head === this.#events.length) {
      this.#events.splice(0, this.#head);
      this.#head = 0;
    }
    this.#offerRoom();
    return next.message;
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
    this.#push(ikada.api.v1.WatchEvent.encode({ type: Type.BOOKMARK, revision }).finish(), revision);
    this.#notify();
  }

  /** Ends it at once: what was queued is not given. */
  cutOff(error: Error): void {
    this.#events = [];
    this.#head = 0;
    this.end(error);
    this.#cut.abort(this.#end);
  }

  end(error: Error): void {
    this.#end ??= error;
    this.#notify();
  }

  #offerRoom(): void {
    const waiting = this.#events.length - this.#head;
    if (!this.#room || waiting > limits.watchQueueEventsMax / 4 || this.#bytes > limits.watchQueueBytesMax / 4) return;
    const run = this.#room;
    this.#room = undefined;
    run();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #push(message: Uint8Array, revision: Revision): void {
    const bytes = message.length + queuedBytes;
    this.#events.push({ message: new Encoded(message), revision, bytes });
    this.#bytes += bytes;
  }

  /** As what the selection sees it; undefined: not at all. */
  #typeOf({ type, record, previous }: WatchEvent): WatchEventType | undefined {
    const did = previous !== undefined && this.#selection.matches(previous);
    const does = type === "put" && this.#selection.matches(record);
    if (does) return did ? Type.MODIFIED : Type.ADDED;
    return did ? Type.DELETED : undefined;
  }
}

/** What a queued event weighs beside its bytes. */
const queuedBytes = 64;

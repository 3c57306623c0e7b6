import type { Timer, Timers } from "../src/base/env.js";
import { invariant } from "../src/base/errors.js";
import type { Index } from "../raft/core/types.js";
import type { KeyValue, KeyValueBatch } from "./key-value.js";
import type { Revision } from "./store.js";

/** How far the state is that a batch brings to the disk. */
export interface StatePosition {
  readonly appliedIndex: Index;
  readonly objects: KeyspacePosition;
  readonly etcd: KeyspacePosition;
}

export interface KeyspacePosition {
  readonly revision: Revision;
  readonly compactRevision: Revision;
}

export interface PersisterOptions {
  /** From the first batch that is not durable to the flush. Longer means fewer small files, and more log to replay after a power cut. */
  readonly flushIntervalMs: number;
}

export interface PersisterHandlers {
  /** The disk answers reads with everything up to here. */
  onWritten(position: StatePosition): void;
  /** Nothing is being written, so that `write` may be called. */
  onIdle(): void;
  /** Survives a power cut: the log up to here is not needed any more by this replica. */
  onDurable(index: Index): void;
  /** The disk failed; what it holds is unknown. */
  onError(error: Error): void;
}

interface Removal {
  readonly deletes: readonly Uint8Array[];
  readonly done: () => void;
}

/**
 * Brings applied state to disk behind the state machine. Losing what is not flushed yet is harmless: a batch holds its
 * applied index, and the log, kept at least from the durable index on, is replayed from there.
 *
 * One write at a time: if one fails, the next must not take effect, since its applied index would stand for what was lost.
 */
export class Persister {
  readonly #keyValue: KeyValue;
  readonly #timers: Timers;
  readonly #options: PersisterOptions;
  readonly #handlers: PersisterHandlers;
  #isWriting = false;
  #removals: Removal[] = [];
  #writtenIndex: Index;
  #durableIndex: Index;
  #timer: Timer | undefined;
  #flushing = false;
  #stopped = false;
  #idle: (() => void)[] = [];
  #waiting: (() => void) | undefined;

  constructor(
    keyValue: KeyValue,
    timers: Timers,
    index: Index,
    options: PersisterOptions,
    handlers: PersisterHandlers,
  ) {
    this.#keyValue = keyValue;
    this.#timers = timers;
    this.#options = options;
    this.#handlers = handlers;
    this.#writtenIndex = index;
    // What was read at start may sit in the engine's unsynced log; only a flush of our own proves it durable.
    this.#durableIndex = 0;
    if (index > 0) this.#scheduleFlush();
  }

  /** A write is under way: what is applied meanwhile gathers for the next one. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** The disk answers reads with everything up to here. */
  get writtenIndex(): Index {
    return this.#writtenIndex;
  }

  get durableIndex(): Index {
    return this.#durableIndex;
  }

  /** Not while `isWriting`. `position` may be the state machine itself, which goes on meanwhile. */
  write(batch: KeyValueBatch, position: StatePosition): void {
    const { appliedIndex } = position;
    const [objects, etcd] = [copyOf(position.objects), copyOf(position.etcd)];
    this.#begin(batch, () => {
      this.#writtenIndex = appliedIndex;
      if (!this.#waiting) this.#scheduleFlush();
      this.#handlers.onWritten({ appliedIndex, objects, etcd });
    });
  }

  /** Deletes rows behind all that was written before. */
  remove(deletes: readonly Uint8Array[], done: () => void): void {
    if (this.#stopped || this.#waiting) return;
    this.#removals.push({ deletes, done });
    this.#next();
  }

  #begin(batch: KeyValueBatch, written: () => void): void {
    invariant(!this.#isWriting, "one batch is written at a time");
    this.#isWriting = true;
    this.#keyValue.write(batch, (error) => {
      this.#isWriting = false;
      if (this.#stopped) return this.#settle();
      if (error) return this.#fail(error);
      written();
      this.#next();
      this.#settle();
    });
  }

  #next(): void {
    if (this.#isWriting || this.#stopped || this.#waiting) return;
    const removal = this.#removals.shift();
    if (removal) this.#begin({ puts: [], deletes: removal.deletes }, removal.done);
    else this.#handlers.onIdle();
  }

  /** Runs once no write and no flush is under way. Nothing may be written until it has run; removals that wait are dropped. */
  whenIdle(run: () => void): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#removals = [];
    if (!this.#isWriting && !this.#flushing) return run();
    this.#waiting = run;
  }

  /** The disk holds a newer state by other means, durably. */
  replaced(index: Index): void {
    this.#writtenIndex = index;
    this.#durableIndex = index;
  }

  /** No more handlers; `done` runs when no write or flush is under way. */
  stop(done: () => void): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#idle.push(done);
    this.#settle();
  }

  #scheduleFlush(): void {
    if (this.#timer || this.#flushing || this.#stopped) return;
    this.#timer = this.#timers.after(this.#options.flushIntervalMs, () => this.#flush());
  }

  #flush(): void {
    this.#timer = undefined;
    this.#flushing = true;
    const index = this.#writtenIndex;
    this.#keyValue.flush((error) => {
      this.#flushing = false;
      if (this.#stopped) return this.#settle();
      if (error) return this.#fail(error);
      this.#durableIndex = index;
      if (this.#writtenIndex > index && !this.#waiting) this.#scheduleFlush();
      this.#handlers.onDurable(index);
      this.#settle();
    });
  }

  #fail(error: Error): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#handlers.onError(error);
    this.#settle();
  }

  #settle(): void {
    if (this.#isWriting || this.#flushing) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!this.#stopped) return waiting?.();
    for (const done of this.#idle.splice(0)) done();
  }
}

function copyOf({ revision, compactRevision }: KeyspacePosition): KeyspacePosition {
  return { revision, compactRevision };
}

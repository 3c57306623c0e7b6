import type { Disk, Env, Log, Timer } from "../../src/base/env.js";

/** An `Env` whose time stands still until the test moves it, and whose chance comes from a seed. */
export class ManualEnv implements Env {
  readonly clock = { now: () => 1_700_000_000_000 + this.#jumped + this.#now, monotonic: () => this.#now };
  readonly timers = { after: (delayMs: number, run: () => void) => this.#after(delayMs, run) };
  readonly random = {
    next: () => this.#next(),
    int: (bound: number) => Math.floor(this.#next() * bound),
    bytes: (length: number) => Uint8Array.from({ length }, () => Math.floor(this.#next() * 256)),
  };
  readonly log: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, with: () => this.log };
  /** Replaced by tests that fail or count at one. */
  failpoint: (name: string) => void = ignore;
  readonly #waiting = new Set<{ readonly at: number; readonly run: () => void }>();
  #now = 0;
  #jumped = 0;
  #disk: Disk | undefined;
  #state: number;

  constructor(seed = 1) {
    this.#state = seed;
  }

  get disk(): Disk {
    if (!this.#disk) throw new Error("the store uses no files but for snapshots");
    return this.#disk;
  }

  set disk(disk: Disk) {
    this.#disk = disk;
  }

  /** Number of timers that have not run. */
  get timersWaiting(): number {
    return this.#waiting.size;
  }

  /** Wall time alone. */
  jump(ms: number): void {
    this.#jumped += ms;
  }

  /** Runs all timers due within `ms`, in order, with all microtasks between them. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await drain();
    for (let due = this.#due(end); due; due = this.#due(end)) {
      this.#waiting.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.run();
      await drain();
    }
    this.#now = end;
  }

  /** Runs the one timer that is due, if any. */
  async step(): Promise<void> {
    const due = this.#due(this.#now);
    if (!due) return;
    this.#waiting.delete(due);
    due.run();
    await drain();
  }

  #due(end: number): { at: number; run: () => void } | undefined {
    let first: { at: number; run: () => void } | undefined;
    for (const timer of this.#waiting) if (timer.at <= end && (!first || timer.at < first.at)) first = timer;
    return first;
  }

  #after(delayMs: number, run: () => void): Timer {
    const timer = { at: this.#now + delayMs, run };
    this.#waiting.add(timer);
    return { cancel: () => this.#waiting.delete(timer) };
  }

  /** mulberry32. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** Lets everything run that waits for no timer. */
export function drain(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function ignore(): void {
  // Tests look at results, not at log lines.
}

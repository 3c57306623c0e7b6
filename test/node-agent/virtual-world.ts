import type { Clock, Timer, Timers } from "../../src/base/env.js";

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** Virtual time: timers run in order of time, then of creation, and only when the test says so. */
export class VirtualWorld {
  #now = 0;
  #order = 0;
  #entries: Entry[] = [];
  /** Wall time of monotonic 0. */
  wallOffset = 1_700_000_000_000;

  readonly clock: Clock = { now: () => this.wallOffset + this.#now, monotonic: () => this.#now };

  readonly timers: Timers = {
    after: (delayMs, run): Timer => {
      const entry: Entry = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run, cancelled: false };
      this.#entries.push(entry);
      return {
        cancel: () => {
          entry.cancelled = true;
        },
      };
    },
  };

  get now(): number {
    return this.#now;
  }

  /** Runs the next timer; false when there is none at or before `untilMs`. */
  step(untilMs = Infinity): boolean {
    this.#entries = this.#entries.filter((entry) => !entry.cancelled);
    let next: Entry | undefined;
    for (const entry of this.#entries) {
      if (next === undefined || entry.at < next.at || (entry.at === next.at && entry.order < next.order)) next = entry;
    }
    if (next === undefined || next.at > untilMs) return false;
    this.#entries.splice(this.#entries.indexOf(next), 1);
    this.#now = next.at;
    next.run();
    return true;
  }

  /** Lets `durationMs` pass. */
  pass(durationMs: number): void {
    const end = this.#now + durationMs;
    while (this.step(end));
    this.#now = end;
  }

  /** Runs until `condition` holds; throws when it does not within `limitMs` of virtual time. */
  until(what: string, condition: () => boolean, limitMs = 60_000): void {
    const end = this.#now + limitMs;
    while (!condition()) {
      if (!this.step(end)) throw new Error(`not within ${limitMs} ms of virtual time: ${what}`);
    }
  }
}

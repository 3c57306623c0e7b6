import type { Clock, Env, Log, Timer, Timers } from "../../src/base/env.js";
import { SeededRandom } from "../sim/random.js";

/** Time that passes only when it is told to. Callbacks of one instant run in the order in which they were asked for. */
export class VirtualTime implements Clock, Timers {
  #now = 0;
  #asked = 0;
  #waiting: { readonly at: number; readonly order: number; run: (() => void) | undefined }[] = [];

  now(): number {
    return wallStart + Math.floor(this.#now);
  }

  monotonic(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): Timer {
    const entry: { at: number; order: number; run: (() => void) | undefined } = {
      at: this.#now + Math.max(0, delayMs),
      order: this.#asked++,
      run,
    };
    let [low, high] = [0, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#waiting[middle]!.at <= entry.at) low = middle + 1;
      else high = middle;
    }
    this.#waiting.splice(low, 0, entry);
    return { cancel: () => void (entry.run = undefined) };
  }

  /** Lets `durationMs` pass, or less when `until` holds before. Gives whether it held. */
  pass(durationMs: number, until: () => boolean = () => false): boolean {
    const end = this.#now + durationMs;
    while (!until()) {
      const next = this.#waiting[0];
      if (next === undefined || next.at > end) {
        this.#now = end;
        return until();
      }
      this.#waiting.shift();
      this.#now = Math.max(this.#now, next.at);
      next.run?.();
    }
    return true;
  }
}

/** 2026-01-01T00:00:00Z. */
const wallStart = 1_767_225_600_000;

export const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => quietLog,
};

/** An Env in virtual time, for code that uses no disk. */
export function virtualEnv(time: VirtualTime, seed: number): Env {
  const disk = new Proxy({} as Env["disk"], {
    get: () => {
      throw new Error("there is no disk in this test");
    },
  });
  return { clock: time, timers: time, random: new SeededRandom(seed), disk, log: quietLog, failpoint: () => undefined };
}

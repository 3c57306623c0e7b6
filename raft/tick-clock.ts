import type { Env, Timer } from "../src/base/env.js";

/**
 * Calls `onTick` about every `tickMs`, with how late the tick is. A late tick does not make up for the
 * missed ones: to a node that was paused itself, the others' silence proves nothing.
 */
export class TickClock {
  readonly #env: Pick<Env, "clock" | "timers">;
  readonly #tickMs: number;
  readonly #onTick: (lateMs: number) => void;
  #dueMs = 0;
  #timer: Timer | undefined;

  constructor(env: Pick<Env, "clock" | "timers">, tickMs: number, onTick: (lateMs: number) => void) {
    this.#env = env;
    this.#tickMs = tickMs;
    this.#onTick = onTick;
  }

  start(): void {
    this.#dueMs = this.#env.clock.monotonic() + this.#tickMs;
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    const delayMs = Math.max(0, this.#dueMs - this.#env.clock.monotonic());
    this.#timer = this.#env.timers.after(delayMs, () => {
      const now = this.#env.clock.monotonic();
      const lateMs = Math.max(0, now - this.#dueMs);
      // Small delays are made up for, so that the rate is right; large ones are not.
      this.#dueMs = lateMs < this.#tickMs ? this.#dueMs + this.#tickMs : now + this.#tickMs;
      this.#arm();
      this.#onTick(lateMs);
    });
  }
}

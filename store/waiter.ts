import type { Done, Timer, Timers } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import type { WaitOptions } from "./store.js";

/**
 * One caller that waits. `done` runs exactly once: by an answer, a refusal, the deadline or the caller's signal.
 * `onEnd`, when set, runs just before, so that the table holding the waiter can let go of it.
 */
export class Waiter<T> {
  onEnd: (() => void) | undefined;
  readonly #done: Done<T>;
  readonly #timer: Timer;
  readonly #unlink: () => void;
  #finished = false;

  /** `what` completes the sentence "no answer within 15000 ms: …". */
  constructor(timers: Timers, options: WaitOptions | undefined, what: string, done: Done<T>) {
    this.#done = done;
    const deadlineMs = options?.deadlineMs ?? limits.requestMsDefault;
    this.#timer = timers.after(Math.max(0, deadlineMs), () => {
      this.refuse(new IkadaError("Deadline", `no answer within ${deadlineMs} ms: ${what}`));
    });
    const signal = options?.signal;
    const abort = (): void => this.refuse(new IkadaError("Cancelled", `cancelled by the caller: ${what}`));
    this.#unlink = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
  }

  get finished(): boolean {
    return this.#finished;
  }

  answer(result: T): void {
    if (this.#end()) this.#done(null, result);
  }

  refuse(error: Error): void {
    // `result` of a failed Done is never looked at.
    if (this.#end()) this.#done(error, undefined as T);
  }

  #end(): boolean {
    if (this.#finished) return false;
    this.#finished = true;
    this.#timer.cancel();
    this.#unlink();
    this.onEnd?.();
    return true;
  }
}

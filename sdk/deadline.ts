import { IkadaError } from "../src/base/errors.js";

/** What every call may be given. */
export interface CallOptions {
  /**
   * Milliseconds for the whole call with all its tries, pages and pauses; above 0.
   * @default 15000 for each question and its answer; none for streams, and none for all pages of a list together
   */
  readonly deadlineMs?: number;
  /** Ends the call with reason Cancelled. A write may have happened all the same. */
  readonly signal?: AbortSignal;
}

/** The longest wait of a timer, 24 days; Node fires longer ones at once. Later deadlines are none. */
const timerMsMax = 2_147_483_647;

/** When a call of several steps has to be over, by time and by the caller's signal. */
export class Deadline {
  readonly signal: AbortSignal | undefined;
  readonly #at: number;

  /** `defaultMs`: for callers that name no time. @throws IkadaError BadRequest for a time that is none */
  constructor({ deadlineMs, signal }: CallOptions, defaultMs = Infinity) {
    if (deadlineMs !== undefined && !(deadlineMs > 0))
      throw new IkadaError("BadRequest", `deadlineMs is ${deadlineMs}: milliseconds above 0 are expected`);
    this.signal = signal;
    const wholeMs = deadlineMs ?? defaultMs;
    this.#at = wholeMs > timerMsMax ? Infinity : performance.now() + wholeMs;
  }

  /** Milliseconds; Infinity without a deadline, 0 or less when it is over. */
  get leftMs(): number {
    return this.#at - performance.now();
  }

  /** The options of the next step: what is left. @throws IkadaError Deadline, Cancelled when nothing is */
  rest(): CallOptions {
    this.#check();
    return {
      ...(this.#at < Infinity && { deadlineMs: this.leftMs }),
      ...(this.signal !== undefined && { signal: this.signal }),
    };
  }

  /** @throws IkadaError Cancelled, or Deadline at once when so much time is not left; with `cause`, why there is a pause */
  async pause(ms: number, cause?: unknown): Promise<void> {
    if (this.leftMs <= ms) throw over(cause);
    let timer: NodeJS.Timeout | undefined;
    try {
      await this.wait(new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))), cause);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What `promise` gives, if that is in time. @throws IkadaError Deadline, Cancelled */
  wait<T>(promise: Promise<T>, cause?: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const { signal } = this;
      const timer =
        this.#at < Infinity ? setTimeout(() => settle(() => reject(over(cause))), Math.max(0, this.leftMs)) : undefined;
      const abort = (): void => settle(() => reject(cancelled(cause)));
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        how();
      };
      signal?.addEventListener("abort", abort, { once: true });
      promise.then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error as Error)),
      );
      if (signal?.aborted) abort();
    });
  }

  #check(): void {
    if (this.signal?.aborted) throw cancelled();
    if (this.leftMs <= 0) throw over();
  }
}

/** The caller's signal has ended the call. */
export function cancelled(cause?: unknown): IkadaError {
  return new IkadaError("Cancelled", "the call was cancelled", {}, cause);
}

function over(cause?: unknown): IkadaError {
  const said = cause instanceof Error ? `; before that: ${cause.message}` : "";
  const details = cause instanceof IkadaError ? cause.details : {};
  return new IkadaError("Deadline", `the call's time was over${said}`, details, cause);
}

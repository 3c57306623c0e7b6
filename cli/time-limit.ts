/** The longest wait of a timer; Node fires longer ones at once. */
const timerMsMax = 2_147_483_647;

/**
 * Ends with `outer` or after `timeoutMs`. An own timer, since Node 20 may collect an `AbortSignal.timeout` that only an
 * `AbortSignal.any` refers to, and then it never fires.
 */
export class TimeLimit implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #end = (): void => this.#controller.abort();

  constructor(timeoutMs: number, outer: AbortSignal) {
    this.#outer = outer;
    this.#timer = setTimeout(this.#end, Math.min(timeoutMs, timerMsMax));
    outer.addEventListener("abort", this.#end);
    if (outer.aborted) this.#end();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The time is over, as against: `outer` ended it. */
  get expired(): boolean {
    return this.signal.aborted && !this.#outer.aborted;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#end);
  }
}

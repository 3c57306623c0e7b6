const pingMs = 500;

/** Measures the way to a peer and back by numbers that it repeats: one on its way at a time, carried by what is sent anyway. */
export class RoundTrip {
  #number = 0;
  #sentMs = -pingMs;
  #isOut = false;

  /** The number to send along now; 0 for none. */
  ping(nowMs: number): number {
    if (this.#isOut || nowMs - this.#sentMs < pingMs) return 0;
    this.#isOut = true;
    this.#sentMs = nowMs;
    // Wraps far behind any that can still be on its way.
    this.#number = (this.#number % 2 ** 31) + 1;
    return this.#number;
  }

  /** How long the round took; undefined for an answer to an earlier stream's ping. */
  pong(number: number, nowMs: number): number | undefined {
    if (!this.#isOut || number !== this.#number) return undefined;
    this.#isOut = false;
    return nowMs - this.#sentMs;
  }

  /** What is on its way is lost with its stream. */
  reset(): void {
    this.#isOut = false;
  }
}

/** Spreads bytes over time: each piece says how long to wait before it, all of them together keep to the rate. */
export class Pace {
  readonly #bytesPerSecond: number;
  #freeAtMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Milliseconds from now. Time that went by unused is not made up for. */
  take(bytes: number, nowMs: number): number {
    const startMs = Math.max(nowMs, this.#freeAtMs);
    this.#freeAtMs = startMs + (bytes * 1000) / this.#bytesPerSecond;
    return startMs - nowMs;
  }
}

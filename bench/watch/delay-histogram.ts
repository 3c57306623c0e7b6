const bucketUs = 20;
const buckets = 500_000;

/** Delays to 20 microseconds, up to 10 seconds; longer ones count as that. */
export class DelayHistogram {
  readonly #counts = new Uint32Array(buckets);
  #events = 0;
  #maxUs = 0;

  add(us: number): void {
    const at = Math.min(buckets - 1, Math.max(0, Math.floor(us / bucketUs)));
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#events += 1;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#events = 0;
    this.#maxUs = 0;
  }

  summary(): { readonly events: number; readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number } {
    return { events: this.#events, p50Ms: this.#quantile(0.5), p99Ms: this.#quantile(0.99), maxMs: this.#maxUs / 1000 };
  }

  #quantile(fraction: number): number {
    let left = this.#events * fraction;
    for (const [at, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return ((at + 1) * bucketUs) / 1000;
    }
    return NaN;
  }
}

/** How often decisions in a row were refused, and so how long to wait before the next look. */
export class Attempts {
  readonly #failures = new Map<string, number>();

  /** Counts a failure; gives the delay in milliseconds: at once for the first, then 5 ms doubling to 1 s. */
  failed(name: string): number {
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    return failures === 1 ? 0 : Math.min(delayMsMax, 5 * 2 ** (failures - 2));
  }

  clear(name: string): void {
    this.#failures.delete(name);
  }
}

const delayMsMax = 1000;

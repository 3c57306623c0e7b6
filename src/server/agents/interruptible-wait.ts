/**
 * Waits, one after the other, that `interrupt` cuts short: the one under way and all later ones. Unlike Promise.race
 * with a promise that lives long, which holds on to every result until that one settles, this keeps none.
 */
export class InterruptibleWait {
  #reason: Error | undefined;
  #reject: ((reason: Error) => void) | undefined;

  /** The first reason counts. */
  interrupt(reason: Error): void {
    this.#reason ??= reason;
    this.#reject?.(this.#reason);
  }

  /** Settles as `awaited` does, unless it is interrupted before. Called again only after the last one has settled. */
  for<T>(awaited: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#reject = reject;
      awaited.then(resolve, reject);
      if (this.#reason) reject(this.#reason);
    });
  }
}

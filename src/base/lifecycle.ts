/** What a `Scope` can close. */
export type Closable = { close(): void | Promise<void> };

/**
 * Owns resources and closes them in reverse order of `use`, once, past failures; before `close` returns, as far as none takes time.
 * Leadership is a scope too: opened on election, closed on step-down.
 */
export class Scope {
  readonly #closables: Closable[] = [];
  #closing: Promise<void> | undefined;

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Hands `resource` to the scope and returns it. On a closed scope it is closed at once. */
  use<T extends Closable>(resource: T): T {
    if (this.#closing) void Promise.resolve(resource.close());
    else this.#closables.push(resource);
    return resource;
  }

  /** Registers a function to run on close. */
  defer(close: () => void | Promise<void>): void {
    this.use({ close });
  }

  /** Closes everything; rejects with the first failure after all were tried. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let last = this.#closables.pop(); last; last = this.#closables.pop()) {
      try {
        const closing = last.close();
        if (closing) await closing;
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

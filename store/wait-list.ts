import type { Waiter } from "./waiter.js";

/** Callers that wait until a number that only grows (applied index, revision) reaches theirs. */
export class WaitList<T> {
  /** Ascending by target; equal targets in order of arrival. */
  readonly #waiting: { readonly target: number; readonly waiter: Waiter<T> }[] = [];

  add(target: number, waiter: Waiter<T>): void {
    const entry = { target, waiter };
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1]?.target ?? 0) > target) at -= 1;
    this.#waiting.splice(at, 0, entry);
    waiter.onEnd = () => {
      const position = this.#waiting.indexOf(entry);
      if (position >= 0) this.#waiting.splice(position, 1);
    };
  }

  /** Answers all whose target is reached. */
  advance(to: number, result: T): void {
    for (let first = this.#waiting[0]; first && first.target <= to; first = this.#waiting[0]) {
      this.#waiting.shift();
      first.waiter.answer(result);
    }
  }

  refuseAll(error: Error): void {
    for (const { waiter } of this.#waiting.splice(0)) waiter.refuse(error);
  }
}

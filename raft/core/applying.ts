import { invariant } from "./invariant.js";
import type { Index } from "./types.js";

/**
 * How far the state machine is: what was handed to it, and what it has reported as applied. The payload in between is
 * bounded, so that a slow state machine does not pull the whole log into memory.
 *
 * Invariants: applied ≤ handedOut; both only rise.
 */
export class Applying {
  #handedOut: Index;
  #applied: Index;
  readonly #chunks: { readonly lastIndex: Index; readonly bytes: number }[] = [];
  #bytes = 0;

  constructor(applied: Index) {
    this.#handedOut = applied;
    this.#applied = applied;
  }

  get handedOut(): Index {
    return this.#handedOut;
  }

  get applied(): Index {
    return this.#applied;
  }

  /** Payload that was handed out and not reported as applied. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Everything up to `lastIndex` is in the state machine's hands: entries of `bytes` in all, or a snapshot. */
  handOut(lastIndex: Index, bytes: number): void {
    invariant(lastIndex > this.#handedOut, () => `${lastIndex} handed out after ${this.#handedOut}`);
    this.#handedOut = lastIndex;
    this.#bytes += bytes;
    this.#chunks.push({ lastIndex, bytes });
  }

  /** The state machine has applied up to `index`. Returns the payload bytes that this completes. */
  complete(index: Index): number {
    invariant(
      index >= this.#applied && index <= this.#handedOut,
      () => `${index} reported as applied, but ${this.#applied} was before and ${this.#handedOut} handed out`,
    );
    this.#applied = index;
    let completed = 0;
    while (this.#chunks.length > 0 && this.#chunks[0]!.lastIndex <= index) completed += this.#chunks.shift()!.bytes;
    this.#bytes -= completed;
    return completed;
  }
}

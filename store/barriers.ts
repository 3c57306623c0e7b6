import type { Timer, Timers } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import type { Consensus } from "../raft/consensus.js";
import type { Index } from "../raft/core/types.js";
import type { Waiter } from "./waiter.js";

/** Asked again after this long: a question may get lost with the leader it went to. */
const askAgainMs = 500;

/**
 * Linearizable reads by ReadIndex (thesis 6.4), many callers by one question. An answer is only good for callers that
 * came before its question left, so callers that come while one is out share the next one.
 */
export class Barriers<T> {
  readonly #timers: Timers;
  readonly #reached: (index: Index, waiter: Waiter<T>) => void;
  #consensus: Consensus | undefined;
  #asked: Set<Waiter<T>> = new Set();
  #next: Set<Waiter<T>> = new Set();
  #tag: number;
  #timer: Timer | undefined;

  /** `reached` gets each waiter with the index that must be applied before it is answered. Tags count up from `firstTag`, so that an earlier life's answers match none. */
  constructor(timers: Timers, firstTag: number, reached: (index: Index, waiter: Waiter<T>) => void) {
    this.#timers = timers;
    this.#tag = firstTag;
    this.#reached = reached;
  }

  connect(consensus: Consensus): void {
    this.#consensus = consensus;
    if (this.#next.size > 0) this.#ask();
  }

  add(waiter: Waiter<T>): void {
    if (waiter.finished) return;
    this.#next.add(waiter);
    waiter.onEnd = () => {
      this.#asked.delete(waiter);
      this.#next.delete(waiter);
    };
    if (this.#asked.size === 0) this.#ask();
  }

  /** False when the answer is not to a question of ours that is still open. */
  onReadIndex(tag: number, index: Index): boolean {
    if (tag !== this.#tag || this.#asked.size === 0) return false;
    const answered = [...this.#asked];
    this.#finish();
    for (const waiter of answered) this.#reached(index, waiter);
    return true;
  }

  /** False as above. */
  onRefused(tag: number, error: IkadaError): boolean {
    if (tag !== this.#tag || this.#asked.size === 0) return false;
    const refused = [...this.#asked];
    this.#finish();
    for (const waiter of refused) waiter.refuse(error);
    return true;
  }

  /** There is a new leader, and a question to the one before is lost. */
  askAgain(): void {
    if (this.#asked.size > 0) this.#ask();
  }

  refuseAll(error: Error): void {
    this.#timer?.cancel();
    for (const waiter of [...this.#asked, ...this.#next]) waiter.refuse(error);
  }

  #finish(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#asked = new Set();
    if (this.#next.size > 0) this.#ask();
  }

  /** One question for all who wait, also for those whose last question got lost. */
  #ask(): void {
    if (!this.#consensus) return;
    this.#timer?.cancel();
    for (const waiter of this.#next) this.#asked.add(waiter);
    this.#next = new Set();
    this.#tag += 1;
    this.#timer = this.#timers.after(askAgainMs, () => {
      this.#timer = undefined;
      if (this.#asked.size + this.#next.size > 0) this.#ask();
    });
    this.#consensus.readIndex(this.#tag);
  }
}

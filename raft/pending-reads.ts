import type { Random } from "../src/base/env.js";
import { limits } from "../src/base/limits.js";

interface Read {
  readonly tag: number;
  readonly sinceMs: number;
}

interface Round {
  readonly reads: readonly Read[];
  readonly askedMs: number;
}

/**
 * Reads that wait for an index. All that came in by one turn ask together, under a context of their own.
 * Question and answer may get lost, and asking is harmless: a round without an answer is asked again.
 */
export class PendingReads {
  #waiting: Read[] = [];
  readonly #rounds = new Map<number, Round>();
  /** Begins at random, so that an answer to an earlier process is none to this one. */
  #nextContext: number;

  constructor(random: Random) {
    this.#nextContext = random.int(2 ** 20) * 2 ** 32;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(tag: number, nowMs: number): void {
    this.#waiting.push({ tag, sinceMs: nowMs });
  }

  /** Asks for all that wait; they go on waiting when `ask` says that it can't be done now. */
  ask(nowMs: number, ask: (context: number) => boolean): void {
    const context = this.#nextContext++;
    if (!ask(context)) return;
    this.#rounds.set(context, { reads: this.#waiting, askedMs: nowMs });
    this.#waiting = [];
  }

  /** Tags that an answer to this context is for; empty when it was given up. */
  answered(context: number): number[] {
    const round = this.#rounds.get(context);
    this.#rounds.delete(context);
    return round ? round.reads.map(({ tag }) => tag) : [];
  }

  /** Asks again what was asked before `beforeMs`. */
  retry(beforeMs: number): void {
    for (const [context, round] of this.#rounds) {
      if (round.askedMs > beforeMs) continue;
      this.#rounds.delete(context);
      this.#waiting = [...round.reads, ...this.#waiting];
    }
  }

  /** Takes out what can't wait any longer, and returns the tags. */
  expired(nowMs: number): number[] {
    const isLate = ({ sinceMs }: Read): boolean => nowMs - sinceMs >= limits.heldProposalMsMax;
    const late = this.#waiting.filter(isLate);
    this.#waiting = this.#waiting.filter((read) => !isLate(read));
    const tooMany = this.#waiting.splice(limits.heldProposalsMax);
    return [...late, ...tooMany].map(({ tag }) => tag);
  }

  clear(): number[] {
    this.retry(Number.POSITIVE_INFINITY);
    return this.#waiting.splice(0).map(({ tag }) => tag);
  }
}

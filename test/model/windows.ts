import type { Call } from "./recorded.js";

/** Revisions of which an answer may be. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** What an answer tells about the order of all calls. */
export interface Placed {
  readonly call: Pick<Call, "calledAt" | "returnedAt">;
  readonly revision: number;
  /** It made the revision; else it has seen it. */
  readonly isMaker: boolean;
  /** The state that it was made on had this revision exactly, and not this one at least. */
  readonly isExact: boolean;
}

/** Real time: what was answered before a call began lies before it, and what began after its answer lies behind it. */
export class Windows {
  readonly #returned: { readonly at: number; readonly revision: number }[] = [];
  readonly #called: { readonly at: number; readonly revision: number }[] = [];
  readonly #last: number;

  constructor(placed: readonly Placed[], last: number) {
    this.#last = last;
    const byReturn = placed.toSorted((left, right) => left.call.returnedAt - right.call.returnedAt);
    let highest = 0;
    for (const { call, revision } of byReturn) {
      highest = Math.max(highest, revision);
      this.#returned.push({ at: call.returnedAt, revision: highest });
    }
    const byCall = placed
      .filter(({ isExact }) => isExact)
      .sort((left, right) => right.call.calledAt - left.call.calledAt);
    let lowest = last;
    for (const { call, revision, isMaker } of byCall) {
      lowest = Math.min(lowest, isMaker ? revision - 1 : revision);
      this.#called.push({ at: call.calledAt, revision: lowest });
    }
    this.#called.reverse();
  }

  of({ calledAt, returnedAt }: Pick<Call, "calledAt" | "returnedAt">): Window {
    const before = countUntil(this.#returned, ({ at }) => at < calledAt);
    const until = countUntil(this.#called, ({ at }) => at <= returnedAt);
    return { from: this.#returned[before - 1]?.revision ?? 0, to: this.#called[until]?.revision ?? this.#last };
  }
}

/** How many stand in front of the first one that does not hold. */
function countUntil<T>(sorted: readonly T[], holds: (one: T) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(sorted[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

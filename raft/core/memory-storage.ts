import { invariant } from "./invariant.js";
import { sliceWithinBytes } from "./log.js";
import type { Entry, Index, RaftStorage, Term } from "./types.js";

/**
 * The log as an array: the readable copy that the driver keeps of what is on disk, and all the storage that a test
 * needs. `firstIndex` is 1 unless it is made to begin behind an entry of which only (index, term) is known.
 */
export class MemoryStorage implements RaftStorage {
  readonly #beforeIndex: Index;
  readonly #beforeTerm: Term;
  readonly #entries: Entry[] = [];

  /** `before` is the entry in front of the first one: (0, 0) for a log from its beginning. */
  constructor(before: { readonly index: Index; readonly term: Term } = { index: 0, term: 0 }) {
    this.#beforeIndex = before.index;
    this.#beforeTerm = before.term;
  }

  firstIndex(): Index {
    return this.#beforeIndex + 1;
  }

  lastIndex(): Index {
    return this.#beforeIndex + this.#entries.length;
  }

  term(index: Index): Term | undefined {
    if (index === this.#beforeIndex) return this.#beforeTerm;
    return this.#entries[index - this.#beforeIndex - 1]?.term;
  }

  entries(from: Index, to: Index, bytesMax: number): readonly Entry[] {
    invariant(
      from >= this.firstIndex() && to <= this.lastIndex() + 1,
      () => `[${from}, ${to}) is not in storage, which spans ${this.firstIndex()} to ${this.lastIndex()}`,
    );
    return sliceWithinBytes(this.#entries, from - this.firstIndex(), to - this.firstIndex(), bytesMax);
  }

  /** Appends; an index that is there already is replaced and everything behind it cut. A gap is refused. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(
      first.index >= this.firstIndex() && first.index <= this.lastIndex() + 1,
      () => `entries from ${first.index} do not join the log, which spans ${this.firstIndex()} to ${this.lastIndex()}`,
    );
    this.#entries.length = first.index - this.firstIndex();
    for (const entry of entries) this.#entries.push(entry);
  }
}

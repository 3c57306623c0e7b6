import { invariant } from "./invariant.js";
import { sliceWithinBytes } from "./entries.js";
import type { Entry, Index, RaftStorage, SnapshotMeta, Term } from "./types.js";

/**
 * The log as an array: the readable copy that the driver keeps of what is on disk, and all the storage that a test
 * needs. `firstIndex` is 1 unless the log was cut, reset, or made to begin behind an entry of which only (index, term) is known.
 */
export class MemoryStorage implements RaftStorage {
  #beforeIndex: Index;
  #beforeTerm: Term;
  #entries: Entry[] = [];
  #offered: SnapshotMeta | undefined;
  #snapshotWanted = false;

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

  snapshot(): SnapshotMeta | undefined {
    if (this.#offered !== undefined && this.#offered.index >= this.#beforeIndex) return this.#offered;
    this.#snapshotWanted = true;
    return undefined;
  }

  /** Whether a snapshot was asked for, and there was none, since this was last asked. */
  takeSnapshotWanted(): boolean {
    const wanted = this.#snapshotWanted;
    this.#snapshotWanted = false;
    return wanted;
  }

  /** From now on `snapshot()` gives this one; undefined: none any more. */
  offerSnapshot(snapshot: SnapshotMeta | undefined): void {
    this.#offered = snapshot;
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

  /** Forgets the entries up to `index`, of which only the term stays. Without effect on what is cut already. Only what is applied may be cut. */
  compact(index: Index): void {
    if (index <= this.#beforeIndex) return;
    const term = this.term(index);
    invariant(term !== undefined, () => `the log can't be cut at ${index}: it ends at ${this.lastIndex()}`);
    this.#entries.splice(0, index - this.#beforeIndex);
    this.#beforeIndex = index;
    this.#beforeTerm = term;
  }

  /** Nothing but the snapshot is left: the log begins behind it. */
  reset(snapshot: { readonly index: Index; readonly term: Term }): void {
    this.#entries = [];
    this.#beforeIndex = snapshot.index;
    this.#beforeTerm = snapshot.term;
  }
}

import { invariant } from "./invariant.js";
import type { Entry, Index, RaftStorage, Term } from "./types.js";

/**
 * The log: what storage holds, and behind it the unstable tail which only the core has.
 *
 *     1 ………………… offset-1 | offset ……… handedOut-1 | handedOut … lastIndex
 *     in RaftStorage      | given to the driver,   | not given to the
 *     and durable         | not reported yet       | driver yet
 *
 * What `RaftStorage` contains, and when (the contract with the driver):
 *
 * 1. Entries of Ready n are in storage, with everything behind them cut, at the latest when `persisted(n)` is called
 *    and at the earliest when `ready()` returned n. In between the core does not look: it reads storage only below
 *    `offset`, where both choices give the same entries. Readies go in by rising number.
 * 2. `persisted(n)` says that Ready 1 … n are durable. An answer that waits for n therefore waits for all before it.
 * 3. The core never reads an index in storage that a later Ready has replaced: taking over a conflicting suffix at k
 *    shortens what every outstanding Ready still stands for to k-1. A late `persisted` of the old suffix so
 *    stabilises nothing of it, even if the same (index, term) has come back meanwhile (the ABA race).
 * 4. After a restart storage holds what was durable; the core starts with no unstable entry.
 *
 * Invariants: applied ≤ applying ≤ committed ≤ lastIndex; applying < offset (only durable entries are applied); no
 * entry at or below committed is ever replaced.
 */
export class RaftLog {
  readonly #storage: RaftStorage;
  readonly #unstable: Entry[] = [];
  #offset: Index;
  #handedOut: Index;
  readonly #outstanding: OutstandingEntries[] = [];
  #committed: Index;
  /** Handed to the state machine up to here. */
  #applying: Index;
  #applied: Index;
  readonly #applyingChunks: AppliedChunk[] = [];
  #applyingBytes = 0;

  constructor(storage: RaftStorage, committed: Index, applied: Index) {
    const lastIndex = storage.lastIndex();
    invariant(
      committed <= lastIndex && applied <= lastIndex,
      `the log ends at ${lastIndex}, but ${committed} was committed and ${applied} applied: entries were lost`,
    );
    invariant(
      applied >= storage.firstIndex() - 1,
      `the state machine is at ${applied}, but the log begins at ${storage.firstIndex()}`,
    );
    this.#storage = storage;
    this.#offset = lastIndex + 1;
    this.#handedOut = this.#offset;
    // The commit index is written without waiting, so the state machine may have got further than it tells.
    this.#committed = Math.max(committed, applied);
    this.#applying = applied;
    this.#applied = applied;
  }

  get lastIndex(): Index {
    return this.#offset + this.#unstable.length - 1;
  }

  get lastTerm(): Term {
    return this.termOf(this.lastIndex);
  }

  get firstIndex(): Index {
    return this.#storage.firstIndex();
  }

  /** Highest index that a crash can't take away. */
  get durableIndex(): Index {
    return this.#offset - 1;
  }

  get committed(): Index {
    return this.#committed;
  }

  get applied(): Index {
    return this.#applied;
  }

  /** Undefined for an index that the log doesn't hold (and isn't the one just before the first). */
  term(index: Index): Term | undefined {
    if (index >= this.#offset) return this.#unstable[index - this.#offset]?.term;
    return this.#storage.term(index);
  }

  /** Term of an index that must be there. */
  termOf(index: Index): Term {
    const term = this.term(index);
    invariant(
      term !== undefined,
      () => `the log has no entry ${index}: it spans ${this.firstIndex} to ${this.lastIndex}`,
    );
    return term;
  }

  matches(index: Index, term: Term): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends at (index, term) is at least as up to date as this one (paper 5.4.1). */
  isUpToDate(index: Index, term: Term): boolean {
    const lastTerm = this.lastTerm;
    return term > lastTerm || (term === lastTerm && index >= this.lastIndex);
  }

  /** Entries in [from, to), as many as fit `bytesMax` but at least one. */
  entries(from: Index, to: Index, bytesMax: number): readonly Entry[] {
    invariant(from >= this.firstIndex && to <= this.lastIndex + 1, () => `[${from}, ${to}) is not in the log`);
    if (from >= to) return [];
    if (from >= this.#offset) {
      return sliceWithinBytes(this.#unstable, from - this.#offset, to - this.#offset, bytesMax);
    }
    const stableTo = Math.min(to, this.#offset);
    const stable = this.#storage.entries(from, stableTo, bytesMax);
    if (to <= this.#offset || stable.length < stableTo - from) return stable;
    const behind = this.#unstable.slice(0, to - this.#offset);
    return sliceWithinBytes([...stable, ...behind], 0, to - from, bytesMax);
  }

  /** Appends a leader's own entries at the end. */
  append(entry: Entry): void {
    invariant(entry.index === this.lastIndex + 1, () => `entry ${entry.index} does not follow ${this.lastIndex}`);
    this.#unstable.push(entry);
  }

  /**
   * Takes over what a leader sent behind an entry that matches: entries which are here already stay, so that an old,
   * shorter append cuts nothing; from the first one with another term on, the leader's replace ours (paper 5.3).
   */
  merge(entries: readonly Entry[]): void {
    for (let place = 0; place < entries.length; place++) {
      const entry = entries[place]!;
      if (this.matches(entry.index, entry.term) || entry.index < this.firstIndex) continue;
      if (entry.index <= this.lastIndex) this.#truncateFrom(entry.index);
      for (let rest = place; rest < entries.length; rest++) this.append(entries[rest]!);
      return;
    }
  }

  /** The highest index up to `index` whose term is not above `term`: where a log with that term can first agree. */
  agreementBefore(index: Index, term: Term): Index {
    let place = Math.min(index, this.lastIndex);
    for (; place >= this.firstIndex; place--) {
      if (this.termOf(place) <= term) return place;
    }
    return place;
  }

  /** True when the commit index moved. It never moves back. */
  commitTo(index: Index): boolean {
    if (index <= this.#committed) return false;
    invariant(
      index <= this.lastIndex,
      () => `${index} is committed, but the log ends at ${this.lastIndex}: entries were lost`,
    );
    this.#committed = index;
    return true;
  }

  /** The entries that no Ready has carried yet. */
  get hasNewEntries(): boolean {
    return this.#handedOut <= this.lastIndex;
  }

  takeNewEntries(readyNumber: number): readonly Entry[] {
    if (!this.hasNewEntries) return [];
    const entries = this.#unstable.slice(this.#handedOut - this.#offset);
    this.#handedOut = this.lastIndex + 1;
    this.#outstanding.push({ readyNumber, lastIndex: this.lastIndex });
    return entries;
  }

  /** Everything up to Ready `readyNumber` is durable and in storage. */
  persisted(readyNumber: number): void {
    let stable = 0;
    while (this.#outstanding.length > 0 && this.#outstanding[0]!.readyNumber <= readyNumber) {
      stable = Math.max(stable, this.#outstanding.shift()!.lastIndex);
    }
    if (stable < this.#offset) return;
    const last = this.#unstable[stable - this.#offset];
    invariant(
      last !== undefined && this.#storage.term(stable) === last.term,
      () => `Ready ${readyNumber} was reported as persisted, but storage lacks its entry ${stable}`,
    );
    this.#unstable.splice(0, stable - this.#offset + 1);
    this.#offset = stable + 1;
  }

  /** Whether `takeCommitted` would give anything: entries both committed and durable here, unless too much is being applied. */
  canTakeCommitted(bytesMax: number): boolean {
    return this.#applying < Math.min(this.#committed, this.durableIndex) && this.#applyingBytes < bytesMax;
  }

  takeCommitted(bytesMax: number): readonly Entry[] {
    if (!this.canTakeCommitted(bytesMax)) return [];
    const to = Math.min(this.#committed, this.durableIndex) + 1;
    const entries = this.entries(this.#applying + 1, to, bytesMax - this.#applyingBytes);
    this.#applying += entries.length;
    const bytes = payloadBytes(entries);
    this.#applyingBytes += bytes;
    this.#applyingChunks.push({ lastIndex: this.#applying, bytes });
    return entries;
  }

  /** The state machine has applied up to `index`. Returns the payload bytes that this completes. */
  appliedTo(index: Index): number {
    invariant(
      index >= this.#applied && index <= this.#applying,
      () => `${index} reported as applied, but ${this.#applied} was before and ${this.#applying} handed out`,
    );
    this.#applied = index;
    let completed = 0;
    while (this.#applyingChunks.length > 0 && this.#applyingChunks[0]!.lastIndex <= index) {
      completed += this.#applyingChunks.shift()!.bytes;
    }
    this.#applyingBytes -= completed;
    return completed;
  }

  /** Whether an entry committed and not applied yet changes the configuration. */
  hasUnappliedConfChange(): boolean {
    for (let index = this.#applied + 1; index <= this.#committed;) {
      const page = this.entries(index, this.#committed + 1, scanBytesMax);
      if (page.some((entry) => entry.type === "ConfChange")) return true;
      index += page.length;
    }
    return false;
  }

  #truncateFrom(index: Index): void {
    invariant(index > this.#committed, () => `entry ${index} would be replaced, but ${this.#committed} is committed`);
    if (index <= this.#offset) {
      this.#unstable.length = 0;
      this.#offset = index;
    } else {
      this.#unstable.length = index - this.#offset;
    }
    this.#handedOut = Math.min(this.#handedOut, index);
    // Rule 3 of the contract above.
    for (const ready of this.#outstanding) ready.lastIndex = Math.min(ready.lastIndex, index - 1);
  }
}

/** Entries of a Ready that was not reported as persisted; `lastIndex` shrinks when a suffix is replaced. */
interface OutstandingEntries {
  readonly readyNumber: number;
  lastIndex: Index;
}

interface AppliedChunk {
  readonly lastIndex: Index;
  readonly bytes: number;
}

const scanBytesMax = 1024 * 1024;

export function payloadBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}

/** `entries[from, to)`, as far as its payload stays within `bytesMax`, but at least one entry. */
export function sliceWithinBytes(entries: readonly Entry[], from: number, to: number, bytesMax: number): Entry[] {
  let bytes = 0;
  for (let place = from; place < to; place++) {
    bytes += entries[place]!.data.length;
    if (bytes > bytesMax && place > from) return entries.slice(from, place);
  }
  return entries.slice(from, to);
}

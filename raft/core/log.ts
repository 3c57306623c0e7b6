import { Applying } from "./applying.js";
import { payloadBytes, sliceWithinBytes } from "./entries.js";
import { invariant } from "./invariant.js";
import type { Entry, Index, RaftStorage, SnapshotMeta, Term } from "./types.js";

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
 * 5. A snapshot that replaces the log comes in a Ready too. From then until it is persisted the core does not look into
 *    storage at all; afterwards storage begins behind it. Cutting the front (`firstIndex` rises) is the driver's business,
 *    up to what is applied.
 *
 * Invariants: applied ≤ applying ≤ committed ≤ lastIndex; applying < offset (only durable entries are applied); no
 * entry at or below committed is ever replaced.
 */
export class RaftLog {
  readonly #storage: RaftStorage;
  readonly #unstable: Entry[] = [];
  #offset: Index;
  #handedOut: Index;
  /** Replaces everything before `offset`; until it is durable. */
  #snapshot: PendingSnapshot | undefined;
  readonly #outstanding: OutstandingEntries[] = [];
  #committed: Index;
  readonly #applying: Applying;

  /** `isDamaged`: the end of the log is known to be lost, the commit index may be behind it. */
  constructor(storage: RaftStorage, hardCommit: Index, applied: Index, isDamaged = false) {
    const lastIndex = storage.lastIndex();
    const committed = isDamaged ? Math.min(hardCommit, lastIndex) : hardCommit;
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
    this.#applying = new Applying(applied);
  }

  get lastIndex(): Index {
    return this.#offset + this.#unstable.length - 1;
  }

  get lastTerm(): Term {
    return this.termOf(this.lastIndex);
  }

  get firstIndex(): Index {
    return this.#snapshot === undefined ? this.#storage.firstIndex() : this.#snapshot.meta.index + 1;
  }

  /** Highest index that a crash can't take away. */
  get durableIndex(): Index {
    return this.#snapshot === undefined ? this.#offset - 1 : this.#snapshot.durableBefore;
  }

  /** A snapshot has replaced the log and is not durable yet. */
  get isRestoring(): boolean {
    return this.#snapshot !== undefined;
  }

  get committed(): Index {
    return this.#committed;
  }

  get applied(): Index {
    return this.#applying.applied;
  }

  /** Undefined for an index that the log doesn't hold (and isn't the one just before the first). */
  term(index: Index): Term | undefined {
    if (index >= this.#offset) return this.#unstable[index - this.#offset]?.term;
    if (this.#snapshot === undefined) return this.#storage.term(index);
    return index === this.#snapshot.meta.index ? this.#snapshot.meta.term : undefined;
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

  /** Replaces all of the log by what a snapshot stands for, which is committed (Figure 13 of the paper). */
  restore(meta: SnapshotMeta): void {
    invariant(
      meta.index > this.#committed,
      () => `a snapshot of ${meta.index} would take back ${this.#committed}, which is committed`,
    );
    this.#snapshot = { meta, readyNumber: 0, durableBefore: Math.min(this.durableIndex, meta.index) };
    this.#unstable.length = 0;
    this.#offset = meta.index + 1;
    this.#handedOut = this.#offset;
    // Rule 3 of the contract above: the entries of earlier Readies are in the log no more.
    for (const ready of this.#outstanding) ready.lastIndex = 0;
    this.#committed = meta.index;
    this.#applying.handOut(meta.index, 0);
  }

  /** The newest snapshot that can be sent to a member. */
  sendableSnapshot(): SnapshotMeta | undefined {
    const snapshot = this.#storage.snapshot();
    return snapshot !== undefined && snapshot.index >= this.firstIndex - 1 ? snapshot : undefined;
  }

  get hasNewSnapshot(): boolean {
    return this.#snapshot?.readyNumber === 0;
  }

  takeNewSnapshot(readyNumber: number): SnapshotMeta | undefined {
    if (this.#snapshot?.readyNumber !== 0) return undefined;
    this.#snapshot.readyNumber = readyNumber;
    return this.#snapshot.meta;
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
    this.#snapshotPersisted(readyNumber);
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

  #snapshotPersisted(readyNumber: number): void {
    if (this.#snapshot === undefined || this.#snapshot.readyNumber === 0) return;
    if (this.#snapshot.readyNumber > readyNumber) return;
    const { index, term } = this.#snapshot.meta;
    invariant(
      this.#storage.firstIndex() === index + 1 && this.#storage.term(index) === term,
      () => `Ready ${readyNumber} was reported as persisted, but storage was not reset to its snapshot of ${index}`,
    );
    this.#snapshot = undefined;
  }

  /** Whether `takeCommitted` would give anything: entries both committed and durable here, unless too much is being applied. */
  canTakeCommitted(bytesMax: number): boolean {
    return this.#applying.handedOut < Math.min(this.#committed, this.durableIndex) && this.#applying.bytes < bytesMax;
  }

  takeCommitted(bytesMax: number): readonly Entry[] {
    if (!this.canTakeCommitted(bytesMax)) return [];
    const from = this.#applying.handedOut + 1;
    const to = Math.min(this.#committed, this.durableIndex) + 1;
    const entries = this.entries(from, to, bytesMax - this.#applying.bytes);
    this.#applying.handOut(from + entries.length - 1, payloadBytes(entries));
    return entries;
  }

  /** The state machine has applied up to `index`. Returns the payload bytes that this completes. */
  appliedTo(index: Index): number {
    invariant(
      index <= this.durableIndex,
      () => `${index} reported as applied, but the log is durable to ${this.durableIndex}`,
    );
    return this.#applying.complete(index);
  }

  /** Whether an entry committed and not applied yet changes the configuration. */
  hasUnappliedConfChange(): boolean {
    // What a snapshot stands for is in the configuration already, whether or not the state machine has installed it.
    for (let index = Math.max(this.applied + 1, this.firstIndex); index <= this.#committed;) {
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

interface PendingSnapshot {
  readonly meta: SnapshotMeta;
  /** The Ready that carries it; 0 before. */
  readyNumber: number;
  /** What a crash can't take away before the snapshot is durable. */
  readonly durableBefore: Index;
}

const scanBytesMax = 1024 * 1024;

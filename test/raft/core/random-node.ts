import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { leaveJointChange, type ConfChange } from "../../../raft/core/configuration.js";
import { MemoryStorage } from "../../../raft/core/memory-storage.js";
import type { InitialState } from "../../../raft/core/state.js";
import type { Raft } from "../../../raft/core/raft.js";
import type {
  ConfState,
  Entry,
  HardState,
  Index,
  NodeId,
  Ready,
  SnapshotMeta,
  Term,
} from "../../../raft/core/types.js";

/** The configuration as of a committed index. */
export type ConfigurationAt = (index: Index) => ConfState;

/**
 * One member of a random network: a disk that completes writes late and loses in a crash what it hasn't completed, and a state
 * machine of which nothing matters but how far it is.
 */
export class RandomNode {
  readonly id: NodeId;
  raft: Raft;
  storage = new MemoryStorage();
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  /** What the state machine has durably. */
  durableApplied: Index = 0;
  /** Above 0 until what was acknowledged before a damage is back. */
  recoverTo: Index = 0;
  writing: Ready[] = [];
  applying: (Entry | SnapshotMeta)[] = [];
  /** Reads by context: the highest commit index known anywhere when they were asked for. */
  reads = new Map<number, Index>();
  lastTerm: Term = 0;
  lastCommit: Index = 0;
  readonly #start: (node: RandomNode, initial: InitialState) => Raft;
  readonly #configurationAt: ConfigurationAt;

  constructor(id: NodeId, start: (node: RandomNode, initial: InitialState) => Raft, configurationAt: ConfigurationAt) {
    this.id = id;
    this.#start = start;
    this.#configurationAt = configurationAt;
    this.raft = this.#started();
  }

  /** A snapshot that the state machine has and the log does not reach is installed first. */
  #started(): Raft {
    this.durableApplied = Math.max(this.durableApplied, this.storage.firstIndex() - 1);
    // What a damage has cut off is given to the state machine again.
    const applied = Math.min(this.durableApplied, this.storage.lastIndex());
    const configuration = this.#configurationAt(applied);
    return this.#start(this, { hardState: this.hardState, configuration, applied, recoverTo: this.recoverTo });
  }

  write(ready: Ready): void {
    if (ready.snapshot !== undefined) this.storage.reset(ready.snapshot);
    this.storage.append(ready.entries);
    if (ready.hardState === undefined) return;
    assert(ready.hardState.term >= this.hardState.term, "a lower term was written");
    if (ready.hardState.term === this.hardState.term && this.hardState.vote !== 0) {
      assert.equal(ready.hardState.vote, this.hardState.vote, "the vote changed within a term");
    }
    this.hardState = ready.hardState;
  }

  /** The disk completes the oldest `count` writes with one report. */
  complete(count: number): readonly Ready[] {
    const done = this.writing.splice(0, count);
    for (const ready of done) this.write(ready);
    const last = done.at(-1);
    if (last !== undefined) this.raft.persisted(last.number);
    for (const { snapshot } of done) if (snapshot !== undefined) this.applying.push(snapshot);
    if (this.recoverTo > 0 && !this.raft.status().isRecovering) this.recoverTo = 0;
    return done;
  }

  /** The state machine takes the next `count` entries or snapshots. */
  apply(count: number, isDurable: boolean): void {
    for (const each of this.applying.splice(0, count)) {
      const isEntry = "type" in each;
      if (isEntry && each.type === "ConfChange") {
        const made = this.raft.applyConfChange(changeOf(each));
        assert(this.#holdsAt(made, each.index), `node ${this.id}: another configuration after entry ${each.index}`);
      }
      this.raft.applied(each.index);
      if (!isEntry || isDurable) this.durableApplied = Math.max(this.durableApplied, each.index);
    }
  }

  /** True for the configuration as of `index`, or of a snapshot that has overtaken the state machine. */
  #holdsAt(configuration: ConfState, index: Index): boolean {
    const { commit } = this.raft.status();
    for (let at = index; at <= commit; at++) {
      if (isDeepStrictEqual(configuration, this.#configurationAt(at))) return true;
    }
    return false;
  }

  /** Cuts the log up to `index`, which is applied durably. */
  compact(index: Index): void {
    this.storage.compact(Math.min(index, this.durableApplied, this.raft.status().applied));
  }

  offerSnapshot(): void {
    const index = Math.min(this.durableApplied, this.raft.status().applied);
    const term = this.storage.term(index);
    if (index === 0 || term === undefined) return;
    this.storage.offerSnapshot({ index, term, configuration: this.#configurationAt(index) });
  }

  /** The process ends; of the writes under way the first `written` have reached the disk. */
  crash(written: number): void {
    for (const ready of this.writing.splice(0, written)) this.write(ready);
    this.writing = [];
    this.applying = [];
    this.reads.clear();
    this.lastCommit = 0;
    this.lastTerm = this.hardState.term;
    this.storage.offerSnapshot(undefined);
    this.raft = this.#started();
  }

  /** A crash that takes the log's end from `lastIndex` on along, as the log tells when it opens. */
  damage(lost: number): void {
    const before = this.storage;
    const end = Math.max(before.firstIndex() - 1, before.lastIndex() - lost);
    this.recoverTo = before.lastIndex();
    const beforeIndex = before.firstIndex() - 1;
    this.storage = new MemoryStorage({ index: beforeIndex, term: before.term(beforeIndex)! });
    if (end > beforeIndex) this.storage.append(before.entries(beforeIndex + 1, end + 1, Infinity));
    this.crash(0);
  }

  /** Comes back with an empty disk, as a member that was removed may. */
  wipe(): void {
    this.storage = new MemoryStorage();
    this.hardState = { term: 0, vote: 0, commit: 0 };
    this.durableApplied = 0;
    this.recoverTo = 0;
    this.crash(0);
    this.lastTerm = 0;
  }
}

export function changeOf(entry: Entry): ConfChange {
  if (entry.data.length === 0) return leaveJointChange;
  return JSON.parse(new TextDecoder().decode(entry.data)) as ConfChange;
}

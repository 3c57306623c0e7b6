import type { Consensus, ConsensusHandlers } from "../../raft/consensus.js";
import type { ConfChange } from "../../raft/core/configuration.js";
import type { Entry } from "../../raft/core/types.js";
import type { WrittenSnapshot } from "../../raft/snapshot/file-writer.js";
import type { Done, Finished } from "../../src/base/env.js";
import type { KeyRange, KeyValue, KeyValueBatch, KeyValuePair, KeyValueView } from "../../store/key-value.js";
import { loadState } from "../../store/load.js";
import { MemoryKeyValue } from "../../store/memory-key-value.js";
import type { RecentBounds } from "../../store/recent.js";
import { Replica, type ReplicaOptions } from "../../store/replica.js";
import type { StateMachine } from "../../store/state-machine.js";
import type { Store, WatchBatch } from "../../store/store.js";
import { ManualEnv } from "./manual-env.js";

/** Consensus played by the test: what is asked for stays here until the test answers. */
export class ScriptedConsensus implements Consensus {
  readonly proposed: { readonly tag: number; readonly data: Uint8Array }[] = [];
  readonly reads: number[] = [];
  readonly changes: { readonly tag: number; readonly change: ConfChange }[] = [];
  readonly told: (readonly [applied: number, durable: number])[] = [];
  readonly snapshots: (WrittenSnapshot | undefined)[] = [];
  /** Everything committed so far, as the log would hold it. */
  readonly log: Entry[] = [];
  #handlers: ConsensusHandlers | undefined;

  connect(handlers: ConsensusHandlers): void {
    this.#handlers = handlers;
  }

  propose(tag: number, data: Uint8Array): void {
    this.proposed.push({ tag, data });
  }

  readIndex(tag: number): void {
    this.reads.push(tag);
  }

  applied(index: number, durable: number): void {
    this.told.push([index, durable]);
  }

  snapshotTaken(written: WrittenSnapshot | undefined): void {
    this.snapshots.push(written);
  }

  transferLeadership(): void {
    throw new Error("nobody asks for it here");
  }

  changeMembers(tag: number, change: ConfChange): void {
    this.changes.push({ tag, change });
  }

  /** Commits the next `count` proposals (all when absent), as one hand-over. */
  commit(count = this.proposed.length): void {
    const entries = this.proposed.splice(0, count).map(({ data }, at): Entry => {
      return { term: 1, index: this.log.length + at + 1, type: "Normal", data };
    });
    this.log.push(...entries);
    this.#handlers?.onCommitted(entries);
  }
}

/** A store in memory whose writes and flushes the test can hold back, and that can fail. Reads see what was not held. */
export class HeldKeyValue implements KeyValue {
  readonly inner = new MemoryKeyValue();
  /** Every batch ever written, in order. */
  readonly batches: KeyValueBatch[] = [];
  holding = false;
  failure: Error | undefined;
  #held: (() => void)[] = [];

  write(batch: KeyValueBatch, done: Finished): void {
    this.batches.push(batch);
    this.#run(() => (this.failure ? done(this.failure) : this.inner.write(batch, done)));
  }

  get(key: Uint8Array, done: Done<Uint8Array | undefined>): void {
    this.inner.get(key, done);
  }

  scan(range: KeyRange, done: Done<readonly KeyValuePair[]>): void {
    this.inner.scan(range, done);
  }

  flush(done: Finished): void {
    this.#run(() => (this.failure ? done(this.failure) : this.inner.flush(done)));
  }

  view(): KeyValueView {
    return this.inner.view();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  release(): void {
    this.holding = false;
    for (const run of this.#held.splice(0)) run();
  }

  #run(run: () => void): void {
    if (this.holding) this.#held.push(run);
    else run();
  }
}

export interface Rig {
  readonly env: ManualEnv;
  readonly keyValue: HeldKeyValue;
  readonly consensus: ScriptedConsensus;
  readonly replica: Replica;
  readonly fatal: Error[];
}

/** A replica over scripted consensus and a store in memory. */
export async function openRig(options: Partial<ReplicaOptions> = {}): Promise<Rig> {
  const env = new ManualEnv();
  const keyValue = new HeldKeyValue();
  const consensus = new ScriptedConsensus();
  const fatal: Error[] = [];
  const state = await load(keyValue);
  const onFatal = (error: Error): void => void fatal.push(error);
  const replica = new Replica({ env, keyValue, state, onFatal, ...options });
  consensus.connect(replica);
  replica.connect(consensus);
  return { env, keyValue, consensus, replica, fatal };
}

export function load(keyValue: KeyValue): Promise<StateMachine> {
  return new Promise((resolve, reject) =>
    loadState(keyValue, (error, state) => (error ? reject(error) : resolve(state))),
  );
}

/** So little that nearly all history has to come from disk. */
export const tinyRecent: RecentBounds = { eventsMax: 2, bytesMax: 1_000_000 };

/** Collects what a watch is given; without the empty batches that only tell progress. */
export function collect(store: Store, prefix: string, from: number): Collected {
  const collected: Collected = { batches: [], errors: [], progress: from, close: () => watch.close() };
  const watch = store.watch(prefix, from, {
    onBatch: (batch) => {
      collected.progress = batch.revision;
      if (batch.events.length > 0) collected.batches.push(batch);
    },
    onError: (error) => collected.errors.push(error),
  });
  return collected;
}

export interface Collected {
  readonly batches: WatchBatch[];
  readonly errors: Error[];
  progress: number;
  close(): void;
}

import type { Env } from "../src/base/env.js";
import { InvariantError } from "../src/base/errors.js";
import { decodeVersion } from "./codec.js";
import { failpoints } from "./failpoints.js";
import type { KeyValue, KeyValuePair } from "./key-value.js";
import { parseChangeBytes, parseRevisionKey, revisionKey, versionKey } from "./layout.js";
import { following } from "./scan.js";
import { versionBytes } from "./keyspace.js";
import type { Revision } from "./store.js";

/** Changes looked at in one turn; each costs two reads. */
const changesPerTurn = 128;
/** Between two turns: others use the disk too. */
const restMs = 5;
/** After a read that failed. */
const retryMs = 1_000;

export interface CompactorHandlers {
  /** Puts the deletion behind all that was written before. */
  remove(rows: readonly Uint8Array[], done: () => void): void;
  onRemoved(bytes: number): void;
  /** A row is not what it should be. */
  onDamage(error: Error): void;
}

/**
 * Removes the rows that nobody may read any more, in the background. A change at or below the compact revision makes the version before it
 * unreadable, and a deletion itself too; so a walk over the changes from the oldest on finds everything, and what it has removed is
 * how far it got: after a crash it begins where rows are left. Its pace is each replica's own.
 *
 * The changes of the compact revision itself stay, since they tell when it was made.
 */
export class Compactor {
  readonly #env: Pick<Env, "timers" | "failpoint" | "log">;
  readonly #keyValue: KeyValue;
  readonly #keyspace: number;
  readonly #handlers: CompactorHandlers;
  #target: Revision = 0;
  /** Everything before it is gone. */
  #from: Uint8Array;
  #isWorking = false;
  #isStopped = false;
  /** Changes when what was read before counts no more. */
  #epoch = 0;

  constructor(
    env: Pick<Env, "timers" | "failpoint" | "log">,
    keyValue: KeyValue,
    keyspace: number,
    handlers: CompactorHandlers,
  ) {
    this.#env = env;
    this.#keyValue = keyValue;
    this.#keyspace = keyspace;
    this.#from = revisionKey(keyspace, 0, 0);
    this.#handlers = handlers;
  }

  /** To be called when the disk has this compact revision, so that no reader after a crash believes in more history than there is. */
  compactTo(revision: Revision): void {
    if (revision <= this.#target || this.#isStopped) return;
    this.#target = revision;
    if (!this.#isWorking) this.#begin();
  }

  /** Rows are replaced by others: nothing is removed until the next `compactTo`, which begins anew. */
  reset(): void {
    this.#epoch += 1;
    this.#isWorking = false;
    this.#target = 0;
    this.#from = revisionKey(this.#keyspace, 0, 0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#epoch += 1;
  }

  #begin(): void {
    this.#isWorking = true;
    this.#turn(this.#target, this.#epoch);
  }

  #turn(target: Revision, epoch: number): void {
    const to = revisionKey(this.#keyspace, target + 1, 0);
    this.#keyValue.scan({ from: this.#from, to, limit: changesPerTurn }, (error, changes) => {
      if (epoch !== this.#epoch) return;
      if (error) return this.#retry(error, target, epoch);
      return this.#find(changes, target, (findError, found) => {
        if (epoch !== this.#epoch) return;
        if (findError) return this.#retry(findError, target, epoch);
        return this.#handlers.remove(found.rows, () => {
          this.#handlers.onRemoved(found.bytes);
          if (epoch !== this.#epoch) return;
          this.#env.failpoint(failpoints.storeAfterRemoval);
          this.#next(changes, target, epoch);
        });
      });
    });
  }

  #next(changes: readonly KeyValuePair[], target: Revision, epoch: number): void {
    const last = changes.at(-1);
    if (last && changes.length === changesPerTurn) {
      this.#from = following(last.key);
      return this.#later(restMs, target, epoch);
    }
    this.#from = revisionKey(this.#keyspace, target, 0);
    this.#isWorking = false;
    if (this.#target > target) this.#begin();
  }

  #later(ms: number, target: Revision, epoch: number): void {
    this.#env.timers.after(ms, () => {
      if (epoch === this.#epoch) this.#turn(target, epoch);
    });
  }

  /** What is not removed yet is only space. */
  #retry(error: Error, target: Revision, epoch: number): void {
    if (error instanceof InvariantError) return this.#handlers.onDamage(error);
    this.#env.log.warn("compacted history could not be read to remove it; trying again", { error: error.message });
    return this.#later(retryMs, target, epoch);
  }

  #find(
    changes: readonly KeyValuePair[],
    target: Revision,
    done: (error: Error | null, found: { readonly rows: Uint8Array[]; readonly bytes: number }) => void,
  ): void {
    const found = { rows: [] as Uint8Array[], bytes: 0 };
    let waiting = changes.length;
    let failure: Error | null = null;
    if (waiting === 0) return done(null, found);
    const add = (row: Uint8Array, bytes: number): void => {
      found.rows.push(row);
      found.bytes += bytes;
    };
    for (const change of changes)
      this.#unreadable(change, target, add, (error) => {
        failure ??= error;
        waiting -= 1;
        if (waiting === 0) done(failure, found);
      });
  }

  /** The rows that one change makes unreadable. They may be gone already, when they are looked at a second time. */
  #unreadable(
    change: KeyValuePair,
    target: Revision,
    add: (row: Uint8Array, bytes: number) => void,
    done: (error: Error | null) => void,
  ): void {
    const { revision } = parseRevisionKey(change.key);
    const { key } = parseChangeBytes(change.value);
    if (revision < target) add(change.key, 0);
    const version = versionKey(this.#keyspace, key, revision);
    this.#keyValue.get(version, (error, row) => {
      if (error || !row) return done(error);
      let [previous, count] = [0, 0];
      try {
        ({ previous, version: count } = decodeVersion(row));
      } catch (caught) {
        return done(caught as Error);
      }
      if (count === 0) add(version, versionBytes(key, version, row));
      if (previous === 0) return done(null);
      const before = versionKey(this.#keyspace, key, previous);
      return this.#keyValue.get(before, (beforeError, beforeRow) => {
        if (beforeRow) add(before, versionBytes(key, before, beforeRow));
        done(beforeError);
      });
    });
  }
}

import type { Done } from "../base/env.js";
import { IkadaError } from "../base/errors.js";
import type { TxnResult, WriteRequest } from "../../store/store.js";
import type { ChangeListener, ObjectCache } from "./cache.js";
import type { Changes } from "./changes.js";
import type { Snapshot } from "./snapshot.js";
import { changesToTxn } from "./transaction.js";

/** What controllers and the scheduler see of the store: objects, not bytes. */
export interface ObjectStore {
  /** The present state; good until the next change. */
  snapshot(): Snapshot;
  /** Calls `listener` after each revision that changed objects. */
  onChanges(listener: ChangeListener): { close(): void };
  /**
   * Proposes all of `batch` as one log entry, each of its parts for itself a transaction. Calls `done` when it is
   * applied here and `snapshot` shows it, with whether each part took place; or with the error that kept the entry from
   * being committed (NoLeader, Overloaded, TooLarge) or left it unknown whether it was (Deadline).
   */
  commit(batch: readonly Changes[], origin: string, done: CommitDone): void;
}

export type CommitDone = (error: IkadaError | null, tookPlace: readonly boolean[]) => void;

/** The one door for writes, by callback: a replica's `writeThen`. */
export type WriteThen = (request: WriteRequest, done: Done<readonly TxnResult[]>) => void;

/** Reads from this replica's cache, writes through `write`. */
export function objectStoreOf(cache: ObjectCache, write: WriteThen): ObjectStore {
  return {
    snapshot: () => cache.snapshot(),
    onChanges: (listener) => cache.onChanges(listener),
    commit(batch, origin, done): void {
      write({ txns: batch.map(changesToTxn), origin }, (error, results) => {
        if (error) done(IkadaError.from(error), []);
        else
          done(
            null,
            results.map((result) => result.succeeded),
          );
      });
    },
  };
}

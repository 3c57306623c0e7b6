import type { Done } from "../../base/env.js";
import { IkadaError } from "../../base/errors.js";
import type { Revision, Store, TxnResult, WaitOptions, WriteRequest } from "../../../store/store.js";

/** What sessions ask of the store, by callback: they run in the simulator too, where there are no promises. A replica is one. */
export interface StoreCalls extends Pick<Store, "peek"> {
  barrierThen(done: Done<Revision>, wait?: WaitOptions): void;
  reachedThen(revision: Revision, done: Done<void>, wait?: WaitOptions): void;
  writeThen(request: WriteRequest, done: Done<readonly TxnResult[]>, wait?: WaitOptions): void;
}

/** The same calls on a store of promises. */
export function storeCalls(store: Store): StoreCalls {
  return {
    peek: (key) => store.peek(key),
    barrierThen: (done, wait) => void settle(store.barrier(wait), done),
    reachedThen: (revision, done, wait) => void settle(store.reached(revision, wait), done),
    writeThen: (request, done, wait) => void settle(store.write(request, wait), done),
  };
}

async function settle<T>(promise: Promise<T>, done: Done<T>): Promise<void> {
  let result: T;
  try {
    result = await promise;
  } catch (caught) {
    done(IkadaError.from(caught), undefined as T);
    return;
  }
  done(null, result);
}

import type { Done, Env } from "../src/base/env.js";
import type { KeyValue } from "./key-value.js";
import { loadState } from "./load.js";
import { LocalConsensus } from "./local-consensus.js";
import { type Defer, MemoryKeyValue, microtask } from "./memory-key-value.js";
import { Replica } from "./replica.js";

export interface LocalStoreOptions {
  /** In memory when absent. */
  readonly keyValue?: KeyValue;
  /** How completions are put off; microtasks when absent. */
  readonly defer?: Defer;
  /** See quota.ts. */
  readonly quotaBytes?: number;
  readonly etcdQuotaBytes?: number;
}

/** The whole store in one process without Raft, for tests and simulations of controllers, scheduler and API. Fatal errors are thrown. */
export function openLocalStore(env: Env, options: LocalStoreOptions = {}): Promise<Replica> {
  return new Promise((resolve, reject) => {
    openLocalStoreThen(env, options, (error, replica) => (error ? reject(error) : resolve(replica)));
  });
}

export function openLocalStoreThen(
  env: Env,
  { keyValue: given, defer = microtask, ...bounds }: LocalStoreOptions,
  done: Done<Replica>,
): void {
  const keyValue = given ?? new MemoryKeyValue(defer);
  loadState(keyValue, (error, state) => {
    if (error) return done(error, undefined as never);
    const onFatal = (fatal: Error): void => {
      throw fatal;
    };
    const replica = new Replica({ env, keyValue, state, onFatal, ...bounds });
    replica.connect(new LocalConsensus(replica, state.appliedIndex, defer));
    done(null, replica);
  });
}

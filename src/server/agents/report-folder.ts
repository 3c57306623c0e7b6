import type { AnyObject } from "../../api/object.js";
import type { Log, Timer, Timers } from "../../base/env.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { Changes } from "../../objects/changes.js";
import { decodeRecord } from "../../objects/encode.js";
import { storeKey } from "../../objects/keys.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import { changesToTxn } from "../../objects/transaction.js";
import type { Compare, Txn, TxnResult } from "../../../store/store.js";
import type { StoreCalls } from "./store-calls.js";

/** What a report makes of the object as it is now; undefined: nothing to write. */
export type ReportDecision = (live: AnyObject | undefined) => Changes | undefined;

/** What became of a report: this or a newer one of its object is committed or came to nothing; or its session is not the node's newest. */
export type ReportOutcome = "settled" | "fenced";

interface Pending {
  decide: ReportDecision;
  /** Holds as long as the session that the report came by is the newest of its node. */
  fence: Compare;
  readonly settle: ((outcome: ReportOutcome) => void)[];
  attempts: number;
}

/** A report on its way into the log. */
interface Taken {
  readonly key: string;
  readonly pending: Pending;
  readonly txn: Txn;
}

const windowMsDefault = 50;
/** After a write that failed as a whole (no leader, overloaded). */
const retryMs = 500;
/** Somebody else writes the object in every window; then the agent's next report will do. */
const attemptsMax = 20;
/** Half an entry: values grow by a revision's digits, keys and compares. */
const batchBytesMax = limits.entryBytesMax / 2;

/**
 * Folds the status reports of all sessions of this replica into one log entry per window. Of each object only the newest
 * report waits, so what waits is bounded by the objects that nodes run. Owner: the agent service.
 */
export class ReportFolder {
  readonly #store: Pick<StoreCalls, "peek" | "writeThen">;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #windowMs: number;
  readonly #pending = new Map<string, Pending>();
  #timer: Timer | undefined;
  #writing = false;
  #closed = false;

  constructor(
    store: Pick<StoreCalls, "peek" | "writeThen">,
    timers: Timers,
    log: Log,
    windowMs: number = windowMsDefault,
  ) {
    this.#store = store;
    this.#timers = timers;
    this.#log = log;
    this.#windowMs = windowMs;
  }

  /** Calls `done` with what became of the report. What a fenced one says may be older than what the node has said since, by another replica. */
  report(key: ObjectKey, decide: ReportDecision, fence: Compare, done: (outcome: ReportOutcome) => void): void {
    const at = storeKey(key);
    const waiting = this.#pending.get(at);
    if (waiting) {
      waiting.decide = decide;
      waiting.fence = fence;
      waiting.settle.push(done);
    } else this.#pending.set(at, { decide, fence, settle: [done], attempts: 0 });
    this.#schedule(this.#windowMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#pending.clear();
  }

  #schedule(delayMs: number): void {
    if (this.#timer || this.#writing || this.#closed) return;
    this.#timer = this.#timers.after(delayMs, () => {
      this.#timer = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    const batch = this.#take();
    if (batch.length === 0) {
      if (this.#pending.size > 0) this.#schedule(this.#windowMs);
      return;
    }
    this.#writing = true;
    this.#store.writeThen({ txns: batch.map(({ txn }) => txn), origin: "agents" }, (error, results) => {
      this.#writing = false;
      if (this.#closed) return;
      if (error) this.#failed(batch, error);
      else this.#written(batch, results);
      if (this.#pending.size > 0) this.#schedule(error ? retryMs : this.#windowMs);
    });
  }

  #written(batch: readonly Taken[], results: readonly TxnResult[]): void {
    batch.forEach(({ key, pending }, at) => {
      if (results[at]?.succeeded) settle(pending);
      else this.#again(key, pending);
    });
  }

  #failed(batch: readonly Taken[], error: Error): void {
    this.#log.warn("status reports were not written and wait", { reports: batch.length, error: error.message });
    for (const { key, pending } of batch) this.#again(key, pending, 0);
  }

  /** As many reports as fit one entry, decided from the present state. Those that come to nothing are settled. */
  #take(): readonly Taken[] {
    const batch: Taken[] = [];
    let bytes = 0;
    for (const [key, pending] of this.#pending) {
      if (this.#isFenced(pending)) {
        this.#pending.delete(key);
        settle(pending, "fenced");
        continue;
      }
      const txn = this.#decide(key, pending);
      const size = txn ? sizeOf(txn) : 0;
      if (batch.length > 0 && bytes + size > batchBytesMax) break;
      this.#pending.delete(key);
      if (!txn) {
        settle(pending);
        continue;
      }
      batch.push({ key, pending, txn });
      bytes += size;
      if (batch.length >= limits.txnBatchMax) break;
    }
    return batch;
  }

  #isFenced({ fence }: Pending): boolean {
    return this.#store.peek(fence.key)?.[fence.target] !== fence.operand;
  }

  #decide(key: string, pending: Pending): Txn | undefined {
    const record = this.#store.peek(key);
    try {
      const changes = pending.decide(record && decodeRecord(record));
      const txn = changes && changesToTxn(changes);
      return txn && { ...txn, compares: [...txn.compares, pending.fence] };
    } catch (caught) {
      const error = IkadaError.from(caught);
      this.#log.warn("a status report was refused", { key, reason: error.reason, error: error.message });
      return undefined;
    }
  }

  /** Somebody else changed the object, or the write failed: once more, unless a newer report waits already. */
  #again(key: string, pending: Pending, counts = 1): void {
    const newer = this.#pending.get(key);
    pending.attempts += counts;
    if (newer) newer.settle.push(...pending.settle);
    else if (pending.attempts < attemptsMax) this.#pending.set(key, pending);
    else {
      this.#log.warn("a status report was dropped: others change the object all the time", { key });
      settle(pending);
    }
  }
}

function settle(pending: Pending, outcome: ReportOutcome = "settled"): void {
  for (const done of pending.settle) done(outcome);
}

function sizeOf(txn: Txn): number {
  return txn.success.reduce((sum, operation) => sum + (operation.type === "put" ? operation.value.length : 0), 256);
}

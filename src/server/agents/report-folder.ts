import type { AnyObject } from "../../api/object.js";
import type { Log, Timer, Timers } from "../../base/env.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { Changes } from "../../objects/changes.js";
import { decodeRecord } from "../../objects/encode.js";
import { storeKey } from "../../objects/keys.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import { changesToTxn } from "../../objects/transaction.js";
import type { Store, Txn } from "../../../store/store.js";

/** What a report makes of the object as it is now; undefined: nothing to write. */
export type ReportDecision = (live: AnyObject | undefined) => Changes | undefined;

interface Pending {
  decide: ReportDecision;
  /** Called when this or a newer report of the same object is committed, or came to nothing. */
  readonly settle: (() => void)[];
  attempts: number;
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
  readonly #store: Store;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #windowMs: number;
  readonly #pending = new Map<string, Pending>();
  #timer: Timer | undefined;
  #writing = false;
  #closed = false;

  constructor(store: Store, timers: Timers, log: Log, windowMs = windowMsDefault) {
    this.#store = store;
    this.#timers = timers;
    this.#log = log;
    this.#windowMs = windowMs;
  }

  /** Resolves when the report, or a newer one of the same object, is committed or came to nothing. */
  report(key: ObjectKey, decide: ReportDecision): Promise<void> {
    return new Promise((resolve) => {
      const at = storeKey(key);
      const waiting = this.#pending.get(at);
      if (waiting) {
        waiting.decide = decide;
        waiting.settle.push(resolve);
      } else this.#pending.set(at, { decide, settle: [resolve], attempts: 0 });
      this.#schedule(this.#windowMs);
    });
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
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const batch = this.#take();
    let delayMs = this.#windowMs;
    if (batch.length > 0) {
      this.#writing = true;
      try {
        const results = await this.#store.write({ txns: batch.map(({ txn }) => txn), origin: "agents" });
        batch.forEach(({ key, pending }, at) => {
          if (results[at]?.succeeded) settle(pending);
          else this.#again(key, pending);
        });
      } catch (caught) {
        const error = IkadaError.from(caught);
        this.#log.warn("status reports were not written and wait", { reports: batch.length, error: error.message });
        for (const { key, pending } of batch) this.#again(key, pending, 0);
        delayMs = retryMs;
      } finally {
        this.#writing = false;
      }
    }
    if (this.#pending.size > 0) this.#schedule(delayMs);
  }

  /** As many reports as fit one entry, decided from the present state. Those that come to nothing are settled. */
  #take(): { key: string; pending: Pending; txn: Txn }[] {
    const batch: { key: string; pending: Pending; txn: Txn }[] = [];
    let bytes = 0;
    for (const [key, pending] of this.#pending) {
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

  #decide(key: string, pending: Pending): Txn | undefined {
    const record = this.#store.peek(key);
    try {
      const changes = pending.decide(record && decodeRecord(record));
      return changes && changesToTxn(changes);
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

function settle(pending: Pending): void {
  for (const resolve of pending.settle) resolve();
}

function sizeOf(txn: Txn): number {
  return txn.success.reduce((sum, operation) => sum + (operation.type === "put" ? operation.value.length : 0), 256);
}

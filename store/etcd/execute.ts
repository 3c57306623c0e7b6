import type { Term } from "../../raft/core/types.js";
import type { Keyspace } from "../keyspace.js";
import type { Stamp } from "../layout.js";
import type { KeyRecord, WatchBatch } from "../store.js";
import type { Leases } from "./leases.js";
import type {
  EtcdCommand,
  EtcdCompare,
  EtcdOperation,
  EtcdOutcome,
  EtcdRange,
  EtcdRecords,
  EtcdRefusal,
  EtcdResponse,
  EtcdTxn,
} from "../etcd.js";

/** Behind every key: their characters are bytes. */
const behindAll = "\u0100";

export interface EtcdExecution {
  readonly outcome: EtcdOutcome;
  readonly batch: WatchBatch | undefined;
}

/** Runs one command, of an entry of `term`, on the keyspace; the same everywhere. A command that is refused changes nothing. */
export function execute(
  keyspace: Keyspace,
  leases: Leases,
  command: EtcdCommand,
  { stamp, term }: { readonly stamp: Stamp; readonly term: Term },
): EtcdExecution {
  if (command.type === "revoke" && command.term !== undefined && command.term !== term)
    return refused(keyspace, "NotLeader");
  return new Execution(keyspace, leases).run(command, stamp);
}

/** What a range holds now. Only records that are asked for are looked at. */
export function rangeIn(keyspace: Keyspace, { limit, countOnly, ...range }: RangeAsked): EtcdRecords {
  const records = countOnly ? [] : recordsIn(keyspace, range, limit);
  const isAll = !countOnly && (limit === 0 || records.length < limit);
  return { records, count: isAll ? records.length : countIn(keyspace, range) };
}

type RangeAsked = EtcdRange & { readonly limit: number; readonly countOnly: boolean };

/** Records of a range that are there now, up to `limit`; 0 for all. */
function recordsIn(keyspace: Keyspace, { key, end }: EtcdRange, limit = 0): KeyRecord[] {
  if (end === "") {
    const record = keyspace.get(key);
    return record ? [record] : [];
  }
  return keyspace.between(key, end === "\0" ? behindAll : end, limit === 0 ? Infinity : limit);
}

function countIn(keyspace: Keyspace, { key, end }: EtcdRange): number {
  if (end === "") return keyspace.get(key) ? 1 : 0;
  return keyspace.count(key, end === "\0" ? behindAll : end);
}

class Execution {
  readonly #keyspace: Keyspace;
  readonly #leases: Leases;

  constructor(keyspace: Keyspace, leases: Leases) {
    this.#keyspace = keyspace;
    this.#leases = leases;
  }

  run(command: EtcdCommand, stamp: Stamp): EtcdExecution {
    if (command.type === "txn") return this.#runTxn(command.txn, stamp);
    if (command.type === "revoke") return this.#revoke(command.lease, stamp);
    if (this.#leases.has(command.lease)) return this.#refused("LeaseExists");
    this.#leases.grant(command.lease, command.ttlSeconds);
    return this.#done(undefined);
  }

  #revoke(lease: number, stamp: Stamp): EtcdExecution {
    if (!this.#leases.has(lease)) return this.#refused("LeaseNotFound");
    const batch = this.#keyspace.transact(stamp, () => {
      for (const key of this.#leases.keys(lease)) this.#delete(key);
    });
    this.#leases.remove(lease);
    return this.#done(batch);
  }

  /** Which branches run is known before anything changes; so is whether all in them can be done. */
  #runTxn(txn: EtcdTxn, stamp: Stamp): EtcdExecution {
    const taken = this.#choose(txn);
    const refusal = this.#refusal(taken, new Set());
    if (refusal) return this.#refused(refusal);
    let responses: readonly EtcdResponse[] = [];
    const batch = this.#keyspace.transact(stamp, () => {
      responses = this.#operate(taken);
    });
    const result: EtcdResponse = { type: "txn", succeeded: taken.succeeded, responses };
    return { outcome: { revision: this.#keyspace.revision, result }, batch };
  }

  /** As etcd does, all comparisons, also those of transactions inside, are made before the first operation. */
  #choose(txn: EtcdTxn): TakenBranch {
    const succeeded = txn.compares.every((compare) => this.#holds(compare));
    const operations = (succeeded ? txn.success : txn.failure).map((operation) =>
      operation.type === "txn" ? this.#choose(operation.txn) : operation,
    );
    return { type: "branch", succeeded, operations };
  }

  /** `put`: keys that operations before have written, which are there then. */
  #refusal({ operations }: TakenBranch, put: Set<string>): EtcdRefusal | undefined {
    for (const operation of operations) {
      if (operation.type === "branch") {
        const inside = this.#refusal(operation, put);
        if (inside) return inside;
      }
      if (operation.type !== "put") continue;
      const { key, value, lease } = operation;
      const keeps = value === undefined || lease === undefined;
      if (keeps && !put.has(key) && !this.#keyspace.get(key)) return "KeyNotFound";
      if (lease !== undefined && lease !== 0 && !this.#leases.has(lease)) return "LeaseNotFound";
      put.add(key);
    }
    return undefined;
  }

  #operate({ operations }: TakenBranch): EtcdResponse[] {
    return operations.map((operation) => this.#operateOne(operation));
  }

  #operateOne(operation: TakenBranch["operations"][number]): EtcdResponse {
    switch (operation.type) {
      case "branch":
        return { type: "txn", succeeded: operation.succeeded, responses: this.#operate(operation) };
      case "put":
        return { type: "put", previous: this.#put(operation) };
      case "range": {
        const { range, limit, countOnly } = operation;
        return { type: "range", ...rangeIn(this.#keyspace, { ...range, limit, countOnly }) };
      }
      default: {
        const previous = recordsIn(this.#keyspace, operation.range);
        for (const { key } of previous) this.#delete(key);
        return { type: "delete", previous };
      }
    }
  }

  #put({ key, value, lease }: EtcdOperation & { type: "put" }): KeyRecord | undefined {
    const before = this.#keyspace.get(key);
    // A value is copied: it is a view into the log entry.
    const kept = value === undefined ? (before?.value ?? new Uint8Array(0)) : new Uint8Array(value);
    this.#keyspace.put(key, kept, lease ?? before?.lease ?? 0);
    this.#leases.moved(key, before, this.#keyspace.get(key));
    return before;
  }

  #delete(key: string): void {
    this.#leases.moved(key, this.#keyspace.delete(key), undefined);
  }

  #holds(compare: EtcdCompare): boolean {
    const { range, operator } = compare;
    const records = recordsIn(this.#keyspace, range);
    if (compare.target === "value")
      return (
        records.length > 0 && records.every(({ value }) => holds(operator, compareBytes(value, compare.operand), 0))
      );
    const { target, operand } = compare;
    if (records.length === 0) return holds(operator, 0, operand);
    return records.every((record) => holds(operator, record[target] ?? 0, operand));
  }

  #done(batch: WatchBatch | undefined): EtcdExecution {
    return { outcome: { revision: this.#keyspace.revision, result: { type: "done" } }, batch };
  }

  #refused(reason: EtcdRefusal): EtcdExecution {
    return refused(this.#keyspace, reason);
  }
}

function refused({ revision }: Keyspace, reason: EtcdRefusal): EtcdExecution {
  return { outcome: { revision, result: { type: "refused", reason } }, batch: undefined };
}

/** The operations of a transaction that run. */
interface TakenBranch {
  readonly type: "branch";
  readonly succeeded: boolean;
  readonly operations: readonly (Exclude<EtcdOperation, { type: "txn" }> | TakenBranch)[];
}

function holds(operator: EtcdCompare["operator"], actual: number, operand: number): boolean {
  if (operator === "=") return actual === operand;
  if (operator === "!=") return actual !== operand;
  return operator === "<" ? actual < operand : actual > operand;
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

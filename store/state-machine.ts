import type { Entry, Index, Term } from "../raft/core/types.js";
import { ByteWriter } from "../src/base/byte-writer.js";
import { invariant } from "../src/base/errors.js";
import { type Command, decodeCommand, encodeAnswers, encodeLease, encodeMeta } from "./codec.js";
import { type EtcdExecution, execute } from "./etcd/execute.js";
import { Leases } from "./etcd/leases.js";
import type { KeyValueBatch, KeyValuePair } from "./key-value.js";
import { Keyspace } from "./keyspace.js";
import { clientKey, etcdKeyspace, leaseKey, metaKey, noStamp, objectKeyspace, type Stamp } from "./layout.js";
import { type RequestBounds, RequestTable } from "./requests.js";
import type { Compare, KeyRecord, Operation, Revision, Txn, TxnResult, WatchBatch } from "./store.js";

/** What one entry did. */
export interface Applied {
  readonly index: Index;
  /** 0 for entries that are no command (a leader's no-op, a configuration change). */
  readonly proposal: number;
  /** "forgotten": a repeat of a request so old that its answer is gone; nothing was done. */
  readonly results: readonly TxnResult[] | "forgotten";
  /** It was applied before; nothing was done. */
  readonly isRepeat: boolean;
  /** One per transaction that changed something, in order. */
  readonly batches: readonly WatchBatch[];
  /** Of all of them. */
  readonly stamp: Stamp;
  /** Of a command for the keyspace of etcd's services. */
  readonly etcd: EtcdExecution | undefined;
}

/** Rows are written into chunks of this size; the disk's batches let go of them within milliseconds. */
const chunkBytes = 64 * 1024;
const nothing: readonly TxnResult[] = [];

/**
 * The replicated state machine: applied to the same entries in the same order it reaches the same state everywhere.
 * Pure and synchronous. What has to be on disk gathers until `takeBatch`, whose batch holds state, applied index and
 * request table together, so that disk shows some applied index exactly. Entries are applied in index order without gaps.
 */
export class StateMachine {
  readonly objects: Keyspace;
  readonly etcd: Keyspace;
  readonly leases = new Leases();
  readonly #requests: RequestTable;
  #appliedIndex: Index = 0;
  #appliedTerm: Term = 0;
  #puts: KeyValuePair[] = [];
  #batchBytes = 0;

  constructor(bounds?: RequestBounds) {
    this.#requests = new RequestTable(bounds);
    const sink = {
      rows: new ByteWriter(chunkBytes),
      put: (row: KeyValuePair, bytes: number): void => {
        this.#puts.push(row);
        this.#batchBytes += bytes;
      },
    };
    this.objects = new Keyspace(objectKeyspace, sink);
    this.etcd = new Keyspace(etcdKeyspace, sink);
  }

  get appliedIndex(): Index {
    return this.#appliedIndex;
  }

  get appliedTerm(): Term {
    return this.#appliedTerm;
  }

  get revision(): Revision {
    return this.objects.revision;
  }

  /** History below it is gone. */
  get compactRevision(): Revision {
    return this.objects.compactRevision;
  }

  /** Number of live keys. */
  get size(): number {
    return this.objects.size;
  }

  /** Bytes that wait for `takeBatch`. */
  get batchBytes(): number {
    return this.#batchBytes;
  }

  get(key: string): KeyRecord | undefined {
    return this.objects.get(key);
  }

  /** Live records under `prefix` behind `after`, in key order. */
  records(prefix: string, after?: string): Generator<KeyRecord, void, undefined> {
    return this.objects.records(prefix, after);
  }

  answered(client: { readonly id: string; readonly sequence: number }): readonly TxnResult[] | "forgotten" | undefined {
    return this.#requests.find(client.id, client.sequence);
  }

  /** Equal on two replicas with equal `appliedIndex`, or one of them is wrong. */
  digest(): string {
    const parts = [this.objects, this.etcd, this.leases, this.#requests];
    return parts.map((part) => part.digestText()).join("-");
  }

  /**
   * @throws InvariantError when the entry cannot be understood or does not follow the last one; the process must end,
   * because skipping what other replicas apply would make this one answer differently.
   */
  apply(entry: Entry): Applied {
    invariant(
      entry.index === this.#appliedIndex + 1,
      `entry ${entry.index} follows ${this.#appliedIndex} without a gap`,
    );
    const { index } = entry;
    const batches: WatchBatch[] = [];
    let proposal = 0;
    let results: Applied["results"] = nothing;
    let stamp = noStamp;
    let etcd: EtcdExecution | undefined;
    let isRepeat = false;
    if (entry.type === "Normal" && entry.data.length > 0) {
      const command = decodeCommand(index, entry.data);
      proposal = command.proposal;
      const { client } = command;
      const timeMs = Math.max(this.objects.timeMs, this.etcd.timeMs, command.timeMs);
      stamp = { timeMs, origin: command.origin };
      const earlier = client && this.answered(client);
      isRepeat = earlier !== undefined;
      if (earlier !== undefined) results = earlier;
      else {
        if (command.etcd) etcd = execute(this.etcd, this.leases, command.etcd, { stamp, term: entry.term });
        results = etcd ? [resultOf(etcd)] : this.#execute(command, stamp, batches);
        if (client) this.#requests.record(client.id, client.sequence, results, index);
      }
    }
    this.#appliedIndex = index;
    this.#appliedTerm = entry.term;
    return { index, proposal, results, isRepeat, batches, stamp, etcd };
  }

  /** Everything that changed since the last call, as one atomic step for the disk. */
  takeBatch(): KeyValueBatch {
    const puts = this.#puts;
    const deletes: Uint8Array[] = [];
    for (const { client, row } of this.#requests.takeChanges()) {
      if (row) puts.push({ key: clientKey(client), value: encodeAnswers(row) });
      else deletes.push(clientKey(client));
    }
    for (const keyspace of [this.objects, this.etcd]) {
      const position = keyspace.takePositionRow();
      if (position) puts.push(position);
    }
    for (const { id, ttlSeconds } of this.leases.takeChanges()) {
      const key = leaseKey(etcdKeyspace, id);
      if (ttlSeconds === undefined) deletes.push(key);
      else puts.push({ key, value: encodeLease({ ttlSeconds }) });
    }
    const meta = { appliedIndex: this.#appliedIndex, appliedTerm: this.#appliedTerm };
    puts.push({ key: metaKey(), value: encodeMeta(meta) });
    this.#puts = [];
    this.#batchBytes = 0;
    return { puts, deletes };
  }

  /** For load.ts: takes over what is on disk, before the first `apply`. */
  restore(position: { readonly appliedIndex: Index; readonly appliedTerm: Term }): void {
    this.#appliedIndex = position.appliedIndex;
    this.#appliedTerm = position.appliedTerm;
  }

  /** For load.ts. */
  restoreRequests(rows: Parameters<RequestTable["load"]>[0]): void {
    this.#requests.load(rows);
  }

  #execute({ txns, compact, keyspace }: Command, stamp: Stamp, batches: WatchBatch[]): readonly TxnResult[] {
    const results = txns.map((txn) => this.#transact(txn, stamp, batches));
    (keyspace === etcdKeyspace ? this.etcd : this.objects).compactTo(compact);
    return results;
  }

  #transact(txn: Txn, stamp: Stamp, batches: WatchBatch[]): TxnResult {
    const { objects } = this;
    const succeeded = txn.compares.every((compare) => this.#holds(compare));
    const batch = objects.transact(stamp, (revision) => {
      for (const operation of lastOfEachKey(succeeded ? txn.success : txn.failure))
        if (operation.type === "delete") objects.delete(operation.key);
        else objects.put(operation.key, splice(operation.value, operation.revisionAt, revision));
    });
    if (batch) batches.push(batch);
    return { succeeded, revision: objects.revision };
  }

  #holds(compare: Compare): boolean {
    const actual = this.get(compare.key)?.[compare.target] ?? 0;
    return holds[compare.operator](actual, compare.operand);
  }
}

/** What is remembered of it for a repeat. */
function resultOf({ outcome }: EtcdExecution): TxnResult {
  return { succeeded: outcome.result.type !== "refused", revision: outcome.revision };
}

const holds: Record<Compare["operator"], (actual: number, operand: number) => boolean> = {
  "=": (actual, operand) => actual === operand,
  "!=": (actual, operand) => actual !== operand,
  "<": (actual, operand) => actual < operand,
  ">": (actual, operand) => actual > operand,
};

/** A key changes at most once in one revision. `write` refuses two operations on one key; should an entry have them, the last counts. */
function lastOfEachKey(operations: readonly Operation[]): readonly Operation[] {
  if (operations.length < 2) return operations;
  const last = new Map(operations.map((operation) => [operation.key, operation]));
  return last.size === operations.length ? operations : [...last.values()];
}

/** A copy of `value` with the revision's digits at `at`; a plain copy when that is nowhere. */
function splice(value: Uint8Array, at: number, revision: Revision): Uint8Array {
  if (at < 0 || at > value.length) return new Uint8Array(value);
  const digits = new TextEncoder().encode(String(revision));
  const spliced = new Uint8Array(value.length + digits.length);
  spliced.set(value.subarray(0, at));
  spliced.set(digits, at);
  spliced.set(value.subarray(at), at + digits.length);
  return spliced;
}

import type { Entry, Index, Term } from "../raft/core/types.js";
import { invariant } from "../src/base/errors.js";
import { type Command, decodeCommand, encodeAnswers, encodeKeyspace, encodeMeta, encodeVersion } from "./codec.js";
import { ByteWriter } from "../src/base/byte-writer.js";
import { type Digest, DigestSum, Hasher } from "./digest.js";
import type { KeyValueBatch, KeyValuePair } from "./key-value.js";
import {
  changeBytes,
  clientKey,
  keyspaceKey,
  metaKey,
  noStamp,
  objectKeyspace,
  revisionKey,
  type Stamp,
  versionKey,
} from "./layout.js";
import { type RequestBounds, RequestTable } from "./requests.js";
import { SortedMap } from "./sorted-map.js";
import type { Compare, KeyRecord, Operation, Revision, Txn, TxnResult, WatchBatch, WatchEvent } from "./store.js";

/** What one entry did. */
export interface Applied {
  readonly index: Index;
  /** 0 for entries that are no command (a leader's no-op, a configuration change). */
  readonly proposal: number;
  /** "forgotten": a repeat of a request so old that its answer is gone; nothing was done. */
  readonly results: readonly TxnResult[] | "forgotten";
  /** One per transaction that changed something, in order. */
  readonly batches: readonly WatchBatch[];
  /** Of all of them. */
  readonly stamp: Stamp;
}

interface Live {
  readonly record: KeyRecord;
  readonly digest: Digest;
}

/** Rows are written into chunks of this size; the disk's batches let go of them within milliseconds. */
const chunkBytes = 64 * 1024;
const nothing: readonly TxnResult[] = [];
const emptyValue = new Uint8Array(0);

/**
 * The replicated state machine: applied to the same entries in the same order it reaches the same state everywhere.
 * Pure and synchronous; all present records are in memory. What has to be on disk gathers until `takeBatch`, whose
 * batch holds state, applied index and request table together, so that disk shows some applied index exactly.
 *
 * Invariants: entries are applied in index order without gaps; each transaction that changed something makes exactly
 * one revision, revisions count from 1 without gaps; a record's version counts its changes since it was created.
 */
export class StateMachine {
  readonly #records = new SortedMap<Live>();
  readonly #requests: RequestTable;
  readonly #digest = new DigestSum();
  #appliedIndex: Index = 0;
  #appliedTerm: Term = 0;
  #revision: Revision = 0;
  #compactRevision: Revision = 0;
  #timeMs = 0;
  #liveBytes = 0;
  #writtenBytes = 0;
  #puts: KeyValuePair[] = [];
  readonly #rows = new ByteWriter(chunkBytes);
  #batchBytes = 0;

  constructor(bounds?: RequestBounds) {
    this.#requests = new RequestTable(bounds);
  }

  get appliedIndex(): Index {
    return this.#appliedIndex;
  }

  get appliedTerm(): Term {
    return this.#appliedTerm;
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** History below it is gone. */
  get compactRevision(): Revision {
    return this.#compactRevision;
  }

  /** Of the last change, in milliseconds since 1970: the highest clock of a proposer up to then. 0 when no change has one. */
  get timeMs(): number {
    return this.#timeMs;
  }

  /** What the live records take in memory, about. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Rows of versions and revisions that were ever given to the disk by this machine, or were there when it was loaded. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Number of live keys. */
  get size(): number {
    return this.#records.size;
  }

  /** Bytes that wait for `takeBatch`. */
  get batchBytes(): number {
    return this.#batchBytes;
  }

  get(key: string): KeyRecord | undefined {
    return this.#records.get(key)?.record;
  }

  /** Live records under `prefix` behind `after`, in key order. */
  *records(prefix: string, after?: string): Generator<KeyRecord, void, undefined> {
    for (const live of this.#records.startingWith(prefix, after)) yield live.record;
  }

  answered(client: { readonly id: string; readonly sequence: number }): readonly TxnResult[] | "forgotten" | undefined {
    return this.#requests.find(client.id, client.sequence);
  }

  /** Equal on two replicas with equal `appliedIndex`, or one of them is wrong. */
  digest(): string {
    const counters = [this.#revision, this.#compactRevision, this.#timeMs].join("-");
    return `${counters}-${this.#digest.text()}-${this.#requests.digestText()}`;
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
    if (entry.type === "Normal" && entry.data.length > 0) {
      const command = decodeCommand(index, entry.data);
      proposal = command.proposal;
      stamp = { timeMs: Math.max(this.#timeMs, command.timeMs), origin: command.origin };
      results = this.#execute(command, stamp, index, batches);
    }
    this.#appliedIndex = index;
    this.#appliedTerm = entry.term;
    return { index, proposal, results, batches, stamp };
  }

  /** Everything that changed since the last call, as one atomic step for the disk. */
  takeBatch(): KeyValueBatch {
    const puts = this.#puts;
    const deletes: Uint8Array[] = [];
    for (const { client, row } of this.#requests.takeChanges()) {
      if (row) puts.push({ key: clientKey(client), value: encodeAnswers(row) });
      else deletes.push(clientKey(client));
    }
    const keyspace = { revision: this.#revision, compactRevision: this.#compactRevision, timeMs: this.#timeMs };
    puts.push({ key: keyspaceKey(objectKeyspace), value: encodeKeyspace(keyspace) });
    const meta = { appliedIndex: this.#appliedIndex, appliedTerm: this.#appliedTerm };
    puts.push({ key: metaKey(), value: encodeMeta(meta) });
    this.#puts = [];
    this.#batchBytes = 0;
    return { puts, deletes };
  }

  /** For load.ts: takes over what is on disk, before the first `apply`. */
  restore(position: {
    readonly appliedIndex: Index;
    readonly appliedTerm: Term;
    readonly revision: Revision;
    readonly compactRevision: Revision;
    readonly timeMs: number;
  }): void {
    this.#appliedIndex = position.appliedIndex;
    this.#appliedTerm = position.appliedTerm;
    this.#revision = position.revision;
    this.#compactRevision = position.compactRevision;
    this.#timeMs = position.timeMs;
  }

  /** For load.ts. */
  restoreRecord(record: KeyRecord): void {
    this.#keep(record);
  }

  /** For load.ts: a version that is on disk, live or not. */
  restoreBytes(bytes: number): void {
    this.#writtenBytes += bytes;
  }

  /** For load.ts. */
  restoreRequests(rows: Parameters<RequestTable["load"]>[0]): void {
    this.#requests.load(rows);
  }

  #execute(command: Command, stamp: Stamp, index: Index, batches: WatchBatch[]): Applied["results"] {
    const { client } = command;
    const earlier = client && this.#requests.find(client.id, client.sequence);
    if (earlier !== undefined) return earlier;
    const results = command.txns.map((txn) => this.#transact(txn, stamp, batches));
    if (batches.length > 0) this.#timeMs = stamp.timeMs;
    this.#compactRevision = Math.max(this.#compactRevision, Math.min(command.compact, this.#revision));
    if (client) this.#requests.record(client.id, client.sequence, results, index);
    return results;
  }

  #transact(txn: Txn, stamp: Stamp, batches: WatchBatch[]): TxnResult {
    const succeeded = txn.compares.every((compare) => this.#holds(compare));
    const revision = this.#revision + 1;
    const events: WatchEvent[] = [];
    for (const operation of lastOfEachKey(succeeded ? txn.success : txn.failure)) {
      const event = operation.type === "put" ? this.#put(operation, revision) : this.#delete(operation.key, revision);
      if (!event) continue;
      this.#store(event, events.length, stamp);
      events.push(event);
    }
    if (events.length > 0) {
      this.#revision = revision;
      batches.push({ revision, events });
    }
    return { succeeded, revision: this.#revision };
  }

  #holds(compare: Compare): boolean {
    const actual = this.get(compare.key)?.[compare.target] ?? 0;
    return holds[compare.operator](actual, compare.operand);
  }

  #put(operation: Operation & { type: "put" }, revision: Revision): WatchEvent {
    const live = this.#records.get(operation.key);
    const previous = live?.record;
    const record: KeyRecord = {
      key: operation.key,
      value: splice(operation.value, operation.revisionAt, revision),
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0) + 1,
    };
    if (live) this.#forget(live);
    this.#keep(record);
    return { type: "put", key: operation.key, record, previous };
  }

  #delete(key: string, revision: Revision): WatchEvent | undefined {
    const live = this.#records.get(key);
    if (!live) return undefined;
    this.#forget(live);
    this.#records.delete(key);
    const previous = live.record;
    return { type: "delete", key, record: tombstone(key, previous.createRevision, revision), previous };
  }

  /** In place of the key's record before, which was forgotten. */
  #keep(record: KeyRecord): void {
    const digest = recordDigest(record);
    this.#records.set(record.key, { record, digest });
    this.#digest.add(digest);
    this.#liveBytes += liveBytes(record);
  }

  #forget({ record, digest }: Live): void {
    this.#digest.remove(digest);
    this.#liveBytes -= liveBytes(record);
  }

  /** Queues the rows of one event for the disk. */
  #store(event: WatchEvent, operation: number, stamp: Stamp): void {
    const { record, key } = event;
    const rows = this.#rows;
    const { modRevision: revision, createRevision, version } = record;
    const previous = event.previous?.modRevision ?? 0;
    const value = encodeVersion({ createRevision, version, value: record.value, previous }, rows);
    const row = { key: versionKey(objectKeyspace, key, revision, rows), value };
    this.#puts.push(row);
    const change = changeBytes(key, operation === 0 ? stamp : undefined, rows);
    this.#puts.push({ key: revisionKey(objectKeyspace, revision, operation, rows), value: change });
    this.#writtenBytes += versionBytes(key, row.key, value);
    this.#batchBytes += value.length + 2 * key.length + 32;
  }
}

const holds: Record<Compare["operator"], (actual: number, operand: number) => boolean> = {
  "=": (actual, operand) => actual === operand,
  "!=": (actual, operand) => actual !== operand,
  "<": (actual, operand) => actual < operand,
  ">": (actual, operand) => actual > operand,
};

/** Of a live record, beside key and value: numbers, its place in the table and the tree. */
const recordBytes = 200;
/** Of a revision row, beside the key; about. */
const changeFieldsBytes = 32;

function liveBytes({ key, value }: KeyRecord): number {
  return key.length + value.length + recordBytes;
}

/** What one version takes on disk, with the revision row that tells of it, which is counted as long as the version is there. */
export function versionBytes(key: string, row: Uint8Array, value: Uint8Array): number {
  return row.length + value.length + key.length + changeFieldsBytes;
}

/** What a watcher sees of a deletion. */
export function tombstone(key: string, createRevision: Revision, revision: Revision): KeyRecord {
  return { key, value: emptyValue, createRevision, modRevision: revision, version: 0 };
}

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

function recordDigest(record: KeyRecord): Digest {
  return new Hasher()
    .text(record.key)
    .number(record.createRevision)
    .number(record.modRevision)
    .number(record.version)
    .bytes(record.value)
    .digest();
}

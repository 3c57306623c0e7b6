import type { Entry, Index } from "../../raft/core/types.js";
import { decodeCommand } from "../../store/codec.js";
import type { KeyRecord, Operation, Txn, TxnResult, WatchBatch, WatchEvent } from "../../store/store.js";

/** What one request did, the first and only time it was applied. */
export interface Outcome {
  readonly index: Index;
  readonly results: readonly TxnResult[];
}

/**
 * The store as its interface promises it, written down a second time and as simply as possible: the judge of what the
 * real one answered. It is fed the committed entries.
 */
export class StateModel {
  compactRevision = 0;
  /** One per revision, from 1 on. */
  readonly batches: WatchBatch[] = [];
  readonly #records = new Map<string, KeyRecord>();
  /** All versions of a key, ascending; undefined where it was deleted. */
  readonly #versions = new Map<string, { readonly revision: number; readonly record: KeyRecord | undefined }[]>();
  readonly #outcomes = new Map<string, Outcome>();

  get revision(): number {
    return this.batches.length;
  }

  apply(entry: Entry): void {
    if (entry.type !== "Normal" || entry.data.length === 0) return;
    const { client, txns, compact } = decodeCommand(entry.index, entry.data);
    const request = client && `${client.id} ${client.sequence}`;
    if (request !== undefined && this.#outcomes.has(request)) return;
    const results = txns.map((txn) => this.#transact(txn));
    if (request !== undefined) this.#outcomes.set(request, { index: entry.index, results });
    this.compactRevision = Math.max(this.compactRevision, Math.min(compact, this.revision));
  }

  outcome(client: string, sequence: number): Outcome | undefined {
    return this.#outcomes.get(`${client} ${sequence}`);
  }

  /** All present records in key order. */
  records(): KeyRecord[] {
    return [...this.#records.values()].sort((left, right) => (left.key < right.key ? -1 : 1));
  }

  /** All records of a revision, in key order. */
  recordsAt(revision: number): KeyRecord[] {
    const keys = [...this.#versions.keys()].sort();
    return keys.flatMap((key) => this.recordAt(key, revision) ?? []);
  }

  recordAt(key: string, revision: number): KeyRecord | undefined {
    return this.#versions.get(key)?.findLast((version) => version.revision <= revision)?.record;
  }

  #transact(txn: Txn): TxnResult {
    const succeeded = txn.compares.every(({ key, target, operator, operand }) => {
      const actual = this.#records.get(key)?.[target] ?? 0;
      const holds = { "=": actual === operand, "!=": actual !== operand, "<": actual < operand, ">": actual > operand };
      return holds[operator];
    });
    const revision = this.revision + 1;
    const events: WatchEvent[] = [];
    for (const operation of succeeded ? txn.success : txn.failure) {
      const event = this.#operate(operation, revision);
      if (event) events.push(event);
    }
    if (events.length > 0) this.batches.push({ revision, events });
    return { succeeded, revision: this.revision };
  }

  #operate(operation: Operation, revision: number): WatchEvent | undefined {
    const { key, type } = operation;
    const previous = this.#records.get(key);
    if (type === "delete" && !previous) return undefined;
    const createRevision = previous?.createRevision ?? revision;
    const value = type === "put" ? valueOf(operation, revision) : new Uint8Array(0);
    const version = type === "put" ? (previous?.version ?? 0) + 1 : 0;
    const record: KeyRecord = { key, value, createRevision, modRevision: revision, version };
    const versions = this.#versions.get(key) ?? [];
    if (type === "put") this.#records.set(key, record);
    else this.#records.delete(key);
    versions.push({ revision, record: type === "put" ? record : undefined });
    this.#versions.set(key, versions);
    return { type, key, record, previous };
  }
}

/** With the revision in its place, where one is wanted. */
function valueOf({ value, revisionAt }: Operation & { readonly type: "put" }, revision: number): Uint8Array {
  if (revisionAt < 0) return value;
  const digits = new TextEncoder().encode(String(revision));
  return Uint8Array.from([...value.subarray(0, revisionAt), ...digits, ...value.subarray(revisionAt)]);
}

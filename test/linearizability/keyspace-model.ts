import type {
  EtcdCommand,
  EtcdCompare,
  EtcdOperation,
  EtcdOutcome,
  EtcdRange,
  EtcdRefusal,
  EtcdResponse,
  EtcdTxn,
} from "../../store/etcd.js";
import type { KeyRecord, Operation, Revision, Txn, TxnResult, WatchBatch, WatchEvent } from "../../store/store.js";

/** What a command would do, not done yet. */
export interface Attempt {
  readonly outcome: EtcdOutcome;
  readonly events: readonly WatchEvent[];
  /** The lease that comes to be, or goes. */
  readonly lease?: { readonly id: number; readonly ttlSeconds: number | undefined };
}

/** One version of a key; without a record it was deleted. */
export interface KeyVersion {
  readonly revision: Revision;
  readonly record: KeyRecord | undefined;
}

/**
 * A keyspace written down a second time, as plainly as it can be said: all versions of all keys, nothing forgotten. The judge of what a real
 * store answered, for the objects' keyspace and for that of etcd's services.
 */
export class KeyspaceModel {
  compactRevision: Revision = 0;
  /** By revision, from 1 on. */
  readonly batches: WatchBatch[] = [];
  /** Seconds to live, by id. */
  readonly leases = new Map<number, number>();
  readonly #present = new Map<string, KeyRecord>();
  readonly #versions = new Map<string, KeyVersion[]>();

  get revision(): Revision {
    return this.batches.length;
  }

  get(key: string): KeyRecord | undefined {
    return this.#present.get(key);
  }

  /** Ascending by revision. */
  versions(key: string): readonly KeyVersion[] {
    return this.#versions.get(key) ?? [];
  }

  recordAt(key: string, revision: Revision): KeyRecord | undefined {
    const versions = this.versions(key);
    let [low, high] = [0, versions.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (versions[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return versions[low - 1]?.record;
  }

  /** All records of a revision that are wanted, in key order. */
  recordsAt(revision: Revision, wants: (key: string) => boolean = () => true): KeyRecord[] {
    const keys = [...this.#versions.keys()].filter(wants).sort();
    return keys.flatMap((key) => this.recordAt(key, revision) ?? []);
  }

  /** What it would do now. */
  attempt(command: EtcdCommand): Attempt {
    const { revision } = this;
    const refused = (reason: EtcdRefusal): Attempt => ({
      outcome: { revision, result: { type: "refused", reason } },
      events: [],
    });
    if (command.type === "grant") {
      if (this.leases.has(command.lease)) return refused("LeaseExists");
      const lease = { id: command.lease, ttlSeconds: command.ttlSeconds };
      return { outcome: { revision, result: { type: "done" } }, events: [], lease };
    }
    const draft = new Draft(this.#present, revision + 1);
    if (command.type === "revoke") {
      if (!this.leases.has(command.lease)) return refused("LeaseNotFound");
      for (const { key, lease } of draft.all()) if (lease === command.lease) draft.delete(key);
      const lease = { id: command.lease, ttlSeconds: undefined };
      return { ...done(revision, draft, { type: "done" }), lease };
    }
    const chosen = choose(command.txn, this.#present);
    const refusal = this.#refusal(chosen, new Set());
    if (refusal) return refused(refusal);
    return done(revision, draft, run(chosen, draft));
  }

  /** Makes it so. */
  commit({ events, lease }: Attempt): void {
    if (lease?.ttlSeconds !== undefined) this.leases.set(lease.id, lease.ttlSeconds);
    else if (lease) this.leases.delete(lease.id);
    if (events.length === 0) return;
    const revision = this.revision + 1;
    this.batches.push({ revision, events });
    for (const { type, key, record } of events) {
      if (type === "put") this.#present.set(key, record);
      else this.#present.delete(key);
      const version = { revision, record: type === "put" ? record : undefined };
      const versions = this.#versions.get(key);
      if (versions) versions.push(version);
      else this.#versions.set(key, [version]);
    }
  }

  execute(command: EtcdCommand): EtcdOutcome {
    const attempt = this.attempt(command);
    this.commit(attempt);
    return attempt.outcome;
  }

  /** A transaction of the objects' keyspace: the last operation of each key counts. */
  transact(txn: Txn): TxnResult {
    const { result, revision } = this.execute({ type: "txn", txn: asEtcdTxn(txn, this.revision + 1) });
    return { succeeded: result.type === "txn" && result.succeeded, revision };
  }

  compactTo(revision: Revision): void {
    this.compactRevision = Math.max(this.compactRevision, Math.min(revision, this.revision));
  }

  /** All or nothing: the first thing that can't be done refuses the whole. */
  #refusal({ operations }: Chosen, put: Set<string>): EtcdRefusal | undefined {
    for (const operation of operations) {
      const inside = operation.type === "chosen" ? this.#refusal(operation, put) : undefined;
      if (inside) return inside;
      if (operation.type !== "put") continue;
      const { key, value, lease } = operation;
      const isThere = put.has(key) || this.#present.has(key);
      if (!isThere && (value === undefined || lease === undefined)) return "KeyNotFound";
      if (lease !== undefined && lease !== 0 && !this.leases.has(lease)) return "LeaseNotFound";
      put.add(key);
    }
    return undefined;
  }
}

export function isInRange({ key: from, end }: EtcdRange, key: string): boolean {
  if (end === "") return key === from;
  return key >= from && (end === "\0" || key < end);
}

export function sameRecord(left: KeyRecord | undefined, right: KeyRecord | undefined): boolean {
  if (!left || !right) return left === right;
  return recordText(left) === recordText(right);
}

/** All of a record in one line: two of equal text are equal. */
export function recordText(record: KeyRecord): string {
  const { key, createRevision, modRevision, version, lease = 0, value } = record;
  return `${key} created ${createRevision} changed ${modRevision} version ${version} lease ${lease}: ${latin(value)}`;
}

export function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The same of an answer. */
export function responseText(response: EtcdOutcome["result"]): string {
  switch (response.type) {
    case "range":
      return `range of ${response.count} [${response.records.map(recordText).join("; ")}]`;
    case "put":
      return `put over [${response.previous ? recordText(response.previous) : ""}]`;
    case "delete":
      return `delete of [${response.previous.map(recordText).join("; ")}]`;
    case "txn":
      return `${response.succeeded ? "success" : "failure"} (${response.responses.map(responseText).join(", ")})`;
    case "refused":
      return `refused: ${response.reason}`;
    default:
      return response.type;
  }
}

/** A transaction whose branches are chosen. */
interface Chosen {
  readonly type: "chosen";
  readonly succeeded: boolean;
  readonly operations: readonly (Exclude<EtcdOperation, { type: "txn" }> | Chosen)[];
}

/** All comparisons, those inside included, are of the state before. */
function choose(txn: EtcdTxn, present: ReadonlyMap<string, KeyRecord>): Chosen {
  const succeeded = txn.compares.every((compare) => holds(compare, present));
  const operations = (succeeded ? txn.success : txn.failure).map((operation) =>
    operation.type === "txn" ? choose(operation.txn, present) : operation,
  );
  return { type: "chosen", succeeded, operations };
}

function holds(compare: EtcdCompare, present: ReadonlyMap<string, KeyRecord>): boolean {
  const records = [...present.values()].filter(({ key }) => isInRange(compare.range, key));
  const { operator } = compare;
  const is = (order: number): boolean =>
    ({ "=": order === 0, "!=": order !== 0, "<": order < 0, ">": order > 0 })[operator];
  if (compare.target === "value") {
    const { operand } = compare;
    return records.length > 0 && records.every(({ value }) => is(Buffer.compare(value, operand)));
  }
  const { target, operand } = compare;
  if (records.length === 0) return is(0 - operand);
  return records.every((record) => is((record[target] ?? 0) - operand));
}

function run(chosen: Chosen, draft: Draft): EtcdResponse {
  const responses = chosen.operations.map((operation): EtcdResponse => {
    if (operation.type === "chosen") return run(operation, draft);
    if (operation.type === "put") return { type: "put", previous: draft.put(operation) };
    const records = draft.all().filter(({ key }) => isInRange(operation.range, key));
    if (operation.type === "delete") {
      for (const { key } of records) draft.delete(key);
      return { type: "delete", previous: records };
    }
    const limit = operation.countOnly ? 0 : operation.limit || records.length;
    return { type: "range", records: records.slice(0, limit), count: records.length };
  });
  return { type: "txn", succeeded: chosen.succeeded, responses };
}

function done(before: Revision, draft: Draft, result: EtcdOutcome["result"]): Attempt {
  const { events } = draft;
  return { outcome: { revision: events.length > 0 ? before + 1 : before, result }, events };
}

/** The present with what one command changes. */
class Draft {
  readonly events: WatchEvent[] = [];
  readonly #records: Map<string, KeyRecord>;
  readonly #revision: Revision;

  constructor(present: ReadonlyMap<string, KeyRecord>, revision: Revision) {
    this.#records = new Map(present);
    this.#revision = revision;
  }

  /** In key order. */
  all(): KeyRecord[] {
    return [...this.#records.values()].sort((left, right) => (left.key < right.key ? -1 : 1));
  }

  put({ key, value, lease }: EtcdOperation & { type: "put" }): KeyRecord | undefined {
    const previous = this.#records.get(key);
    const kept = lease ?? previous?.lease ?? 0;
    const record = {
      key,
      value: value ?? previous?.value ?? new Uint8Array(0),
      createRevision: previous?.createRevision ?? this.#revision,
      modRevision: this.#revision,
      version: (previous?.version ?? 0) + 1,
      ...(kept !== 0 && { lease: kept }),
    };
    this.#records.set(key, record);
    this.events.push({ type: "put", key, record, previous });
    return previous;
  }

  delete(key: string): void {
    const previous = this.#records.get(key);
    if (!previous) return;
    this.#records.delete(key);
    const { createRevision } = previous;
    const record = { key, value: new Uint8Array(0), createRevision, modRevision: this.#revision, version: 0 };
    this.events.push({ type: "delete", key, record, previous });
  }
}

function asEtcdTxn({ compares, success, failure }: Txn, revision: Revision): EtcdTxn {
  const operations = (all: readonly Operation[]): EtcdOperation[] =>
    [...new Map(all.map((operation) => [operation.key, operation])).values()].map((operation) =>
      operation.type === "delete"
        ? { type: "delete", range: { key: operation.key, end: "" } }
        : { type: "put", key: operation.key, value: spliced(operation, revision), lease: 0 },
    );
  return {
    compares: compares.map(({ key, target, operator, operand }) => ({
      range: { key, end: "" },
      target,
      operator,
      operand,
    })),
    success: operations(success),
    failure: operations(failure),
  };
}

function spliced({ value, revisionAt }: Operation & { type: "put" }, revision: Revision): Uint8Array {
  if (revisionAt < 0 || revisionAt > value.length) return value;
  return Buffer.concat([value.subarray(0, revisionAt), Buffer.from(String(revision)), value.subarray(revisionAt)]);
}

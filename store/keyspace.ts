import type { ByteWriter } from "../src/base/byte-writer.js";
import { encodeKeyspace, encodeVersion, type KeyspaceRow, type VersionRow } from "./codec.js";
import { type Digest, DigestSum, Hasher } from "./digest.js";
import type { KeyValuePair } from "./key-value.js";
import { changeBytes, keyspaceKey, revisionKey, type Stamp, versionKey } from "./layout.js";
import { SortedMap } from "./sorted-map.js";
import type { KeyRecord, Revision, WatchBatch, WatchEvent } from "./store.js";

/** Where the rows of all keyspaces gather until the next batch for the disk. */
export interface RowSink {
  readonly rows: ByteWriter;
  put(row: KeyValuePair, bytes: number): void;
}

interface Live {
  readonly record: KeyRecord;
  readonly digest: Digest;
}

/**
 * A map of keys with its own count of revisions and its own history. Pure and synchronous; all present records are in memory.
 *
 * Invariants: each transaction that changed something makes exactly one revision, revisions count from 1 without gaps; a key changes at most
 * once in a revision; a record's version counts its changes since it was created.
 */
export class Keyspace {
  readonly number: number;
  readonly #sink: RowSink;
  readonly #records = new SortedMap<Live>();
  readonly #digest = new DigestSum();
  #revision: Revision = 0;
  #compactRevision: Revision = 0;
  #timeMs = 0;
  #liveBytes = 0;
  #writtenBytes = 0;
  #takenPosition = "";
  /** Of the transaction that is under way. */
  #events: WatchEvent[] = [];
  #stamp: Stamp | undefined;

  constructor(number: number, sink: RowSink) {
    this.number = number;
    this.#sink = sink;
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

  /** Number of live keys. */
  get size(): number {
    return this.#records.size;
  }

  /** What the live records take in memory, about. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Rows that were ever given to the disk by this object, or were there when it was loaded. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  get(key: string): KeyRecord | undefined {
    return this.#records.get(key)?.record;
  }

  /** Live records under `prefix` behind `after`, in key order. */
  *records(prefix: string, after?: string): Generator<KeyRecord, void, undefined> {
    for (const live of this.#records.startingWith(prefix, after)) yield live.record;
  }

  /** Up to `limit` live records with from <= key < to, in key order. */
  between(from: string, to: string, limit: number): KeyRecord[] {
    return this.#records.between(from, to, limit, false).map(({ record }) => record);
  }

  /** How many live records there are with from <= key < to. */
  count(from: string, to: string): number {
    return this.#records.count(from, to);
  }

  /** Equal on two replicas that have applied the same. */
  digestText(): string {
    return [this.#revision, this.#compactRevision, this.#timeMs, this.#digest.text()].join("-");
  }

  /** What `change` does by `put` and `delete` is one revision, unless it changes nothing. */
  transact(stamp: Stamp, change: (revision: Revision) => void): WatchBatch | undefined {
    this.#stamp = stamp;
    this.#events = [];
    change(this.#revision + 1);
    this.#stamp = undefined;
    if (this.#events.length === 0) return undefined;
    this.#revision += 1;
    this.#timeMs = Math.max(this.#timeMs, stamp.timeMs);
    return { revision: this.#revision, events: this.#events };
  }

  /** `lease` 0: none. The record that was there. */
  put(key: string, value: Uint8Array, lease = 0): KeyRecord | undefined {
    const live = this.#records.get(key);
    const previous = live?.record;
    const modRevision = this.#revision + 1;
    const createRevision = previous?.createRevision ?? modRevision;
    const record = recordOf(key, modRevision, { createRevision, version: (previous?.version ?? 0) + 1, value, lease });
    if (live) this.#forget(live);
    this.#keep(record);
    this.#store({ type: "put", key, record, previous });
    return previous;
  }

  /** The record that was there. */
  delete(key: string): KeyRecord | undefined {
    const live = this.#records.get(key);
    if (!live) return undefined;
    const previous = live.record;
    this.#forget(live);
    this.#records.delete(key);
    this.#store({ type: "delete", key, record: tombstone(key, previous.createRevision, this.#revision + 1), previous });
    return previous;
  }

  compactTo(revision: Revision): void {
    this.#compactRevision = Math.max(this.#compactRevision, Math.min(revision, this.#revision));
  }

  /** How far it is, as a row, when that has changed since the last call. */
  takePositionRow(): KeyValuePair | undefined {
    const { revision, compactRevision, timeMs } = this;
    const position = `${revision} ${compactRevision} ${timeMs}`;
    if (position === this.#takenPosition) return undefined;
    this.#takenPosition = position;
    return { key: keyspaceKey(this.number), value: encodeKeyspace({ revision, compactRevision, timeMs }) };
  }

  /** For load.ts: takes over what is on disk, before the first transaction. */
  restore({ revision, compactRevision, timeMs }: KeyspaceRow): void {
    this.#revision = revision;
    this.#compactRevision = compactRevision;
    this.#timeMs = timeMs;
  }

  /** For load.ts. */
  restoreRecord(record: KeyRecord): void {
    this.#keep(record);
  }

  /** For load.ts: a version that is on disk, live or not. */
  restoreBytes(bytes: number): void {
    this.#writtenBytes += bytes;
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
  #store(event: WatchEvent): void {
    const { record, key } = event;
    const { rows } = this.#sink;
    const operation = this.#events.length;
    const { modRevision: revision, createRevision, version } = record;
    const previous = event.previous?.modRevision ?? 0;
    const value = encodeVersion(
      { createRevision, version, value: record.value, previous, lease: record.lease ?? 0 },
      rows,
    );
    const row = { key: versionKey(this.number, key, revision, rows), value };
    this.#sink.put(row, value.length + key.length);
    const change = changeBytes(key, operation === 0 ? this.#stamp : undefined, rows);
    this.#sink.put({ key: revisionKey(this.number, revision, operation, rows), value: change }, key.length + 32);
    this.#writtenBytes += versionBytes(key, row.key, value);
    this.#events.push(event);
  }
}

/** Of a live record, beside key and value: numbers, its place in the table and the tree. */
const recordBytes = 200;
/** Of a revision row, beside the key; about. */
const changeFieldsBytes = 32;
const emptyValue = new Uint8Array(0);

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

/** A record as it is in memory. */
export function recordOf(
  key: string,
  modRevision: Revision,
  { createRevision, version, value, lease }: Pick<VersionRow, "createRevision" | "version" | "value" | "lease">,
): KeyRecord {
  const record = { key, value, createRevision, modRevision, version };
  return lease === 0 ? record : { ...record, lease };
}

export function recordDigest(record: KeyRecord): Digest {
  const hasher = new Hasher()
    .text(record.key)
    .number(record.createRevision)
    .number(record.modRevision)
    .number(record.version)
    .bytes(record.value);
  return (record.lease === undefined ? hasher : hasher.number(record.lease)).digest();
}

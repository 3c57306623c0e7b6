import type { Done } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import { changesFromDisk, rangeFromDisk, revisionFromDisk } from "./history.js";
import type { KeyValue } from "./key-value.js";
import { page, rangeRecent } from "./range.js";
import type { RecentBatches } from "./recent.js";
import type { Keyspace } from "./keyspace.js";
import type { Change, ChangesQuery, ChangesResult, KeyRecord, RangeQuery, RangeResult, Revision } from "./store.js";
import { compactedError } from "./watches.js";

/** What a replica has of a keyspace at the moment. */
export interface PresentState {
  readonly keyspace: Keyspace;
  readonly recent: RecentBatches;
  /** Nothing may be answered any more. */
  readonly stopped: IkadaError | undefined;
  /** Counts the snapshots that were installed; undefined while one is, when rows on disk mean nothing. */
  readonly installation: number | undefined;
}

/**
 * Reads of the past: from memory when it goes back so far, else from disk. A read of the disk is void when a snapshot was installed, or
 * history compacted, in its midst.
 */
export class Past {
  readonly #keyValue: KeyValue;
  readonly #present: () => PresentState;

  constructor(keyValue: KeyValue, present: () => PresentState) {
    this.#keyValue = keyValue;
    this.#present = present;
  }

  /** The query's revision is one that was applied. */
  range(query: RangeQuery & { readonly revision: Revision }, done: Done<RangeResult>): void {
    const { keyspace, recent } = this.#present();
    const { revision, limit } = query;
    const compacted = compactedError(revision, keyspace.compactRevision);
    if (compacted) return done(compacted, noRange);
    if (revision >= recent.start) return done(null, rangeRecent(keyspace, recent, query));
    return this.#readDisk<KeyRecord[]>(
      (found) => rangeFromDisk(this.#keyValue, keyspace.number, query, found),
      revision,
      (error, records) => (error ? done(error, noRange) : done(null, page(records, limit, revision))),
    );
  }

  revisionAt(timeMs: number, done: Done<Revision>): void {
    const { keyspace, recent, stopped } = this.#present();
    const { compactRevision } = keyspace;
    const answer = (revision: Revision): void =>
      revision >= compactRevision ? done(null, revision) : done(beforeHistory(timeMs, compactRevision), 0);
    if (stopped) return done(stopped, 0);
    const inMemory = recent.revisionAt(timeMs);
    if (inMemory !== undefined) return answer(inMemory);
    const onDisk = [Math.max(1, compactRevision), recent.start] as const;
    return this.#readDisk<Revision | undefined>(
      (found) => revisionFromDisk(this.#keyValue, keyspace.number, onDisk, timeMs, found),
      compactRevision,
      (error, revision) => (error ? done(error, 0) : answer(revision ?? 0)),
    );
  }

  changes({ key, before, limit }: ChangesQuery, done: Done<ChangesResult>): void {
    const { keyspace, recent, stopped } = this.#present();
    const { compactRevision } = keyspace;
    const failure = stopped ?? (before === undefined ? undefined : compactedError(before, compactRevision));
    if (failure) return done(failure, noChanges);
    // What was there at the start is the change at or below it, which the page before has.
    if (before !== undefined && before === compactRevision) return done(null, noChanges);
    const to = Math.min(before === undefined ? keyspace.revision : before - 1, keyspace.revision);
    const inMemory = recentChanges(recent, key, to);
    const answer = (found: readonly Change[]): void => {
      const changes = readable(found, compactRevision);
      done(null, { changes: changes.slice(0, limit), more: changes.length > limit });
    };
    // One more than asked for, to know whether there is more.
    const wanted = limit + 1 - inMemory.length;
    const reachesStart = inMemory.some(({ record }) => record.modRevision <= compactRevision);
    if (wanted <= 0 || reachesStart) return answer(inMemory);
    return this.#readDisk<Change[]>(
      (found) => changesFromDisk(this.#keyValue, keyspace.number, key, Math.min(to, recent.start), wanted, found),
      compactRevision,
      (error, onDisk) => (error ? done(error, noChanges) : answer([...inMemory, ...onDisk])),
    );
  }

  /** Of what may be read from `start` on. */
  #readDisk<T>(read: (done: Done<T>) => void, start: Revision, done: Done<T>): void {
    const before = this.#present().installation;
    if (before === undefined) return done(replacingState(), undefined as never);
    return read((error, result) => {
      const { stopped, keyspace, installation } = this.#present();
      const failure = installation === before ? error : replacingState();
      done(stopped ?? compactedError(start, keyspace.compactRevision) ?? failure, result);
    });
  }
}

const noRange: RangeResult = { records: [], revision: 0, more: false };
const noChanges: ChangesResult = { changes: [], more: false };

/** Those of `key` up to `to` that are in memory, the newest first. */
function recentChanges(recent: RecentBatches, key: string, to: Revision): Change[] {
  const changes: Change[] = [];
  for (const { batch, stamp } of recent.stampedAfter(recent.start)) {
    if (batch.revision > to) break;
    for (const event of batch.events) if (event.key === key) changes.push({ record: event.record, ...stamp });
  }
  return changes.reverse();
}

/** Ends with the key's state at the compact revision, if it was there then: a deletion up to it left nothing to read. */
function readable(changes: readonly Change[], compactRevision: Revision): readonly Change[] {
  const oldest = changes.findIndex(({ record }) => record.modRevision <= compactRevision);
  if (oldest === -1) return changes;
  return changes.slice(0, changes[oldest]!.record.version > 0 ? oldest + 1 : oldest);
}

/** The refusal of what needs the disk, or the newest state, while a snapshot is being installed. */
export function replacingState(): IkadaError {
  return new IkadaError("Unavailable", "this server was away for long and is taking over the state of the others", {
    hint: "try again in a few seconds, or use another server",
  });
}

function beforeHistory(timeMs: number, compactRevision: Revision): IkadaError {
  return new IkadaError(
    "Compacted",
    `what was there at ${timeMs} ms is compacted; history starts at revision ${compactRevision}`,
    { revision: compactRevision, hint: "ask for a later time" },
  );
}

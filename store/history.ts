import type { Done } from "../src/base/env.js";
import { invariant } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { decodeVersion } from "./codec.js";
import type { KeyValue, KeyValuePair } from "./key-value.js";
import {
  noStamp,
  parseChangeBytes,
  parseRevisionKey,
  parseVersionKey,
  revisionKey,
  versionKey,
  type Stamp,
  versionsAfter,
  versionsFrom,
  versionsOf,
  versionsTo,
} from "./layout.js";
import { scanAll } from "./scan.js";
import { recordOf, tombstone } from "./keyspace.js";
import type { Change, KeyRecord, RangeQuery, Revision, WatchBatch, WatchEvent } from "./store.js";

/** One page of history never splits a revision, so it must be able to hold the largest. */
const rowsMax = limits.txnOperationsMax + 1;
/** Events read at once; their values are in memory together. */
const eventsPerPage = 128;

/** A page of records from disk, as they were at `revision`, which must be on disk. Asks for one more than `limit` to know whether there is more. */
export function rangeFromDisk(
  keyValue: KeyValue,
  keyspace: number,
  query: RangeQuery & { readonly revision: Revision },
  done: Done<KeyRecord[]>,
): void {
  const { prefix, after, limit, revision } = query;
  const found: KeyRecord[] = [];
  let newest: KeyRecord | undefined;
  const settle = (): void => {
    if (newest && newest.version > 0) found.push(newest);
    newest = undefined;
  };
  const behind = after !== undefined && after >= prefix;
  const from = behind ? versionsAfter(keyspace, after) : versionsFrom(keyspace, prefix);
  scanAll(
    keyValue,
    { from, to: versionsTo(keyspace, prefix) },
    (pair) => {
      const row = parseVersionKey(pair.key);
      if (newest && newest.key !== row.key) settle();
      if (found.length > limit) return false;
      if (row.revision <= revision) newest = recordOf(row.key, row.revision, decodeVersion(pair.value));
      return true;
    },
    (error) => {
      settle();
      done(error, found);
    },
  );
}

/**
 * The newest revision in [first, last] that was made at or before `timeMs`; undefined when all were made later. Times never fall, so it
 * is found in as many steps as the number of revisions has digits.
 */
export function revisionFromDisk(
  keyValue: KeyValue,
  keyspace: number,
  [first, last]: readonly [Revision, Revision],
  timeMs: number,
  done: Done<Revision | undefined>,
): void {
  const step = (low: Revision, high: Revision): void => {
    if (low > high) return done(null, high < first ? undefined : high);
    const middle = Math.floor((low + high) / 2);
    return readStamp(keyValue, keyspace, middle, (error, stamp) => {
      if (error) return done(error, undefined);
      return stamp.timeMs <= timeMs ? step(middle + 1, high) : step(low, middle - 1);
    });
  };
  step(first, last);
}

/** Up to `limit` changes of `key` with revision <= `to`, the newest first, those that compaction has not removed yet among them. */
export function changesFromDisk(
  keyValue: KeyValue,
  keyspace: number,
  key: string,
  to: Revision,
  limit: number,
  done: Done<Change[]>,
): void {
  keyValue.scan({ ...versionsOf(keyspace, key, to), limit, reverse: true }, (error, rows) => {
    const changes: Change[] = [];
    if (error) return done(error, changes);
    const next = ([row, ...others]: readonly KeyValuePair[]): void => {
      if (!row) return done(null, changes);
      let change: KeyRecord;
      try {
        const { revision } = parseVersionKey(row.key);
        change = recordOf(key, revision, decodeVersion(row.value));
      } catch (caught) {
        return done(caught as Error, changes);
      }
      return readStamp(keyValue, keyspace, change.modRevision, (stampError, stamp) => {
        if (stampError) return done(stampError, changes);
        changes.push({ record: change, ...stamp });
        return next(others);
      });
    };
    return next(rows);
  });
}

/** Without one when the revision is of an older format, or its row was compacted away. */
function readStamp(keyValue: KeyValue, keyspace: number, revision: Revision, done: Done<Stamp>): void {
  keyValue.get(revisionKey(keyspace, revision, 0), (error, row) => {
    if (error) return done(error, noStamp);
    try {
      return done(null, (row && parseChangeBytes(row).stamp) ?? noStamp);
    } catch (caught) {
      return done(caught as Error, noStamp);
    }
  });
}

/** What happened under `prefix` after `position`, read from disk. */
export interface HistoryPage {
  readonly batches: readonly WatchBatch[];
  /** All changes up to it are in `batches` or were before. */
  readonly position: Revision;
}

/** The next page of changes with position < revision <= to. All of them must be on disk. */
export function historyPage(
  keyValue: KeyValue,
  keyspace: number,
  prefix: string,
  position: Revision,
  to: Revision,
  done: Done<HistoryPage>,
): void {
  const fail = (error: unknown): void => done(error as Error, { batches: [], position });
  const from = revisionKey(keyspace, position + 1, 0);
  keyValue.scan({ from, to: revisionKey(keyspace, to + 1, 0), limit: rowsMax }, (error, rows) => {
    if (error) return fail(error);
    let page: RevisionPage;
    try {
      page = wholeRevisions(rows, prefix, to);
    } catch (caught) {
      return fail(caught);
    }
    readEvents(keyValue, keyspace, page.changes, (eventsError, events) => {
      if (eventsError) return fail(eventsError);
      done(null, { batches: groupByRevision(events), position: page.position });
    });
  });
}

interface Place {
  readonly key: string;
  readonly revision: Revision;
}

interface RevisionPage {
  readonly changes: readonly Place[];
  readonly position: Revision;
}

/** Cuts the rows behind the last revision that is complete, or earlier when the page has enough events. */
function wholeRevisions(rows: readonly KeyValuePair[], prefix: string, to: Revision): RevisionPage {
  const cut = rows.length === rowsMax ? parseRevisionKey(rows[rows.length - 1]!.key).revision : to + 1;
  const changes: Place[] = [];
  for (const row of rows) {
    const { revision } = parseRevisionKey(row.key);
    if (revision >= cut) break;
    if (changes.length >= eventsPerPage && changes.at(-1)?.revision !== revision)
      return { changes, position: changes.at(-1)?.revision ?? 0 };
    const key = parseChangeBytes(row.value).key;
    if (key.startsWith(prefix)) changes.push({ key, revision });
  }
  return { changes, position: cut - 1 };
}

function readEvents(keyValue: KeyValue, keyspace: number, changes: readonly Place[], done: Done<WatchEvent[]>): void {
  const events: WatchEvent[] = [];
  let waiting = changes.length;
  let failed = false;
  if (waiting === 0) return done(null, events);
  changes.forEach((change, position) =>
    readEvent(keyValue, keyspace, change, (error, event) => {
      if (failed) return;
      if (error) {
        failed = true;
        return done(error, []);
      }
      events[position] = event;
      waiting -= 1;
      if (waiting === 0) done(null, events);
    }),
  );
}

function readEvent(keyValue: KeyValue, keyspace: number, change: Place, done: Done<WatchEvent>): void {
  const { key, revision } = change;
  readVersion(keyValue, keyspace, change, (error, read) => {
    if (error) return done(error, undefined as never);
    const { record, previous } = read;
    const type = record.version === 0 ? "delete" : "put";
    const shown = type === "delete" ? tombstone(key, record.createRevision, revision) : record;
    if (previous === 0) return done(null, { type, key, record: shown, previous: undefined });
    readVersion(keyValue, keyspace, { key, revision: previous }, (previousError, before) =>
      done(previousError, { type, key, record: shown, previous: before?.record }),
    );
  });
}

function readVersion(
  keyValue: KeyValue,
  keyspace: number,
  { key, revision }: Place,
  done: Done<{ readonly record: KeyRecord; readonly previous: Revision }>,
): void {
  keyValue.get(versionKey(keyspace, key, revision), (error, row) => {
    if (error) return done(error, undefined as never);
    try {
      invariant(row !== undefined, `the version of ${JSON.stringify(key)} at revision ${revision} is on disk`);
      const version = decodeVersion(row);
      done(null, { record: recordOf(key, revision, version), previous: version.previous });
    } catch (caught) {
      done(caught as Error, undefined as never);
    }
  });
}

function groupByRevision(events: readonly WatchEvent[]): WatchBatch[] {
  const batches: { revision: Revision; events: WatchEvent[] }[] = [];
  for (const event of events) {
    const revision = event.record.modRevision;
    const last = batches.at(-1);
    if (last?.revision === revision) last.events.push(event);
    else batches.push({ revision, events: [event] });
  }
  return batches;
}

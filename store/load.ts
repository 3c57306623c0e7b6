import type { Done, Finished } from "../src/base/env.js";
import { invariant } from "../src/base/errors.js";
import { type AnswersRow, decodeAnswers, decodeKeyspace, decodeLease, decodeMeta, decodeVersion } from "./codec.js";
import type { KeyValue } from "./key-value.js";
import {
  clientRange,
  etcdKeyspace,
  keyspaceKey,
  leaseRange,
  metaKey,
  objectKeyspace,
  parseClientKey,
  parseLeaseKey,
  parseVersionKey,
  versionsFrom,
  versionsTo,
} from "./layout.js";
import type { RequestBounds } from "./requests.js";
import { scanAll } from "./scan.js";
import { type Keyspace, recordOf, versionBytes } from "./keyspace.js";
import { StateMachine } from "./state-machine.js";
import type { KeyRecord } from "./store.js";

/**
 * The state that is on disk, as of the applied index that is there with it; the log is replayed from the entry behind it.
 * An empty disk gives the empty state at index 0.
 */
export function loadState(keyValue: KeyValue, done: Done<StateMachine>, bounds?: RequestBounds): void {
  const state = new StateMachine(bounds);
  const fail = (error: Error): void => done(error, state);
  keyValue.get(metaKey(), (error, meta) => {
    if (error) return fail(error);
    if (!meta) return done(null, state);
    try {
      state.restore(decodeMeta(meta));
    } catch (caught) {
      return fail(caught as Error);
    }
    return loadRequests(keyValue, state, (requestsError) => {
      if (requestsError) return fail(requestsError);
      return loadKeyspace(keyValue, state.objects, ignore, (objectsError) => {
        if (objectsError) return fail(objectsError);
        return loadLeases(keyValue, state, (leasesError) => {
          if (leasesError) return fail(leasesError);
          const attach = (record: KeyRecord): void => state.leases.moved(record.key, undefined, record);
          return loadKeyspace(keyValue, state.etcd, attach, (etcdError) => done(etcdError, state));
        });
      });
    });
  });
}

function ignore(): void {}

function loadRequests(keyValue: KeyValue, state: StateMachine, done: Finished): void {
  const rows: { client: string; row: AnswersRow }[] = [];
  scanAll(
    keyValue,
    clientRange(),
    ({ key, value }) => {
      rows.push({ client: parseClientKey(key), row: decodeAnswers(value) });
      return true;
    },
    (error) => {
      if (!error) state.restoreRequests(rows);
      done(error);
    },
  );
}

function loadLeases(keyValue: KeyValue, state: StateMachine, done: Finished): void {
  scanAll(
    keyValue,
    leaseRange(etcdKeyspace),
    ({ key, value }) => {
      state.leases.restore(parseLeaseKey(key), decodeLease(value).ttlSeconds);
      return true;
    },
    done,
  );
}

/** Rows of format 1 have the one keyspace only. */
function loadKeyspace(
  keyValue: KeyValue,
  keyspace: Keyspace,
  onRecord: (record: KeyRecord) => void,
  done: Finished,
): void {
  keyValue.get(keyspaceKey(keyspace.number), (error, row) => {
    if (error) return done(error);
    try {
      invariant(
        row !== undefined || keyspace.number !== objectKeyspace,
        "the state on disk has a row for its keyspace",
      );
      if (row) keyspace.restore(decodeKeyspace(row));
    } catch (caught) {
      return done(caught as Error);
    }
    return loadRecords(keyValue, keyspace, onRecord, done);
  });
}

/** Versions of a key come in ascending order, so the last one before another key is the present one. */
function loadRecords(
  keyValue: KeyValue,
  keyspace: Keyspace,
  onRecord: (record: KeyRecord) => void,
  done: Finished,
): void {
  let newest: KeyRecord | undefined;
  const settle = (): void => {
    if (!newest || newest.version === 0) return;
    keyspace.restoreRecord(newest);
    onRecord(newest);
  };
  scanAll(
    keyValue,
    { from: versionsFrom(keyspace.number, ""), to: versionsTo(keyspace.number, "") },
    (pair) => {
      const { key, revision } = parseVersionKey(pair.key);
      invariant(revision <= keyspace.revision, `no row on disk is newer than revision ${keyspace.revision}`);
      if (newest && newest.key !== key) settle();
      newest = recordOf(key, revision, decodeVersion(pair.value));
      keyspace.restoreBytes(versionBytes(key, pair.key, pair.value));
      return true;
    },
    (error) => {
      if (!error) settle();
      done(error);
    },
  );
}

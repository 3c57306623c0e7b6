import type { Done } from "../src/base/env.js";
import { invariant } from "../src/base/errors.js";
import { type AnswersRow, decodeAnswers, decodeKeyspace, decodeMeta, decodeVersion } from "./codec.js";
import type { KeyValue } from "./key-value.js";
import {
  clientRange,
  keyspaceKey,
  metaKey,
  objectKeyspace,
  parseClientKey,
  parseVersionKey,
  versionsFrom,
  versionsTo,
} from "./layout.js";
import type { RequestBounds } from "./requests.js";
import { scanAll } from "./scan.js";
import { versionBytes } from "./keyspace.js";
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
    keyValue.get(keyspaceKey(objectKeyspace), (keyspaceError, keyspace) => {
      if (keyspaceError) return fail(keyspaceError);
      try {
        invariant(keyspace !== undefined, "the state on disk has a row for its keyspace");
        state.restore(decodeMeta(meta));
        state.objects.restore(decodeKeyspace(keyspace));
      } catch (caught) {
        return fail(caught as Error);
      }
      loadRequests(keyValue, state, (requestsError) => {
        if (requestsError) return fail(requestsError);
        loadRecords(keyValue, state, (recordsError) => done(recordsError, state));
      });
    });
  });
}

function loadRequests(keyValue: KeyValue, state: StateMachine, done: (error: Error | null) => void): void {
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

/** Versions of a key come in ascending order, so the last one before another key is the present one. */
function loadRecords(keyValue: KeyValue, state: StateMachine, done: (error: Error | null) => void): void {
  let newest: KeyRecord | undefined;
  const settle = (): void => {
    if (newest && newest.version > 0) state.objects.restoreRecord(newest);
  };
  scanAll(
    keyValue,
    { from: versionsFrom(objectKeyspace, ""), to: versionsTo(objectKeyspace, "") },
    (pair) => {
      const { key, revision } = parseVersionKey(pair.key);
      invariant(revision <= state.revision, `no row on disk is newer than revision ${state.revision}`);
      if (newest && newest.key !== key) settle();
      const { value, createRevision, version } = decodeVersion(pair.value);
      newest = { key, value, createRevision, modRevision: revision, version };
      state.objects.restoreBytes(versionBytes(key, pair.key, pair.value));
      return true;
    },
    (error) => {
      if (!error) settle();
      done(error);
    },
  );
}

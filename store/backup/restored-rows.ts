import type { Term } from "../../raft/core/types.js";
import { decodeKeyspace, decodeMeta, decodeVersion, encodeKeyspace, encodeMeta, type KeyspaceRow } from "../codec.js";
import type { KeyValuePair } from "../key-value.js";
import { etcdKeyspace, keyspaceKey, objectKeyspace, parseVersionKey, rowKind } from "../layout.js";

export interface RestoreOptions {
  /** Added to the revision of either keyspace. */
  readonly revisionBump: number;
  /** Under which the state was applied, from now on. */
  readonly term: Term;
  /** Keys of Ikada's own keyspace that belong to the old cluster and not to its state. */
  readonly isDropped: (key: string) => boolean;
}

const noKeyspace: KeyspaceRow = { revision: 0, compactRevision: 0, timeMs: 0 };

/**
 * The rows of a backup as those of a new cluster, in key order again. Present records stay as they are, and so do leases and the exactly-once
 * table. Revisions leap ahead of all that the old cluster can have given to anybody after the backup, and history ends there: whoever
 * watched or read at a revision of before is told `Compacted`. Without that a watcher would take changes of two different pasts for one.
 */
export function* restoredRows(
  rows: Iterable<KeyValuePair>,
  { revisionBump, term, isDropped }: RestoreOptions,
): Generator<KeyValuePair, void, undefined> {
  const keyspaces = new Map([objectKeyspace, etcdKeyspace].map((keyspace) => [keyspace, noKeyspace]));
  /** The newest version so far of a key, which the next row may replace. */
  let newest: { readonly row: KeyValuePair; readonly place: string } | undefined;
  for (const row of rows) {
    const kind = rowKind(row.key);
    const place = kind === "version" ? `${row.key[1]}/${parseVersionKey(row.key).key}` : "";
    if (newest && newest.place !== place && isLive(newest.row)) yield newest.row;
    newest = undefined;
    if (kind === "version") {
      const isOurs = row.key[1] !== objectKeyspace || !isDropped(parseVersionKey(row.key).key);
      if (isOurs) newest = { row, place };
    } else if (kind === "meta")
      yield { key: row.key, value: encodeMeta({ ...decodeMeta(row.value), appliedTerm: term }) };
    else if (kind === "keyspace") keyspaces.set(row.key[1] as number, decodeKeyspace(row.value));
    else if (kind === "client" || kind === "lease") yield row;
    // Changes are history, all of which is gone.
  }
  if (newest && isLive(newest.row)) yield newest.row;
  // Their rows are the last ones of all.
  for (const [keyspace, { revision, timeMs }] of keyspaces) {
    const bumped = revision + revisionBump;
    const value = encodeKeyspace({ revision: bumped, compactRevision: bumped, timeMs });
    yield { key: keyspaceKey(keyspace), value };
  }
}

function isLive({ value }: KeyValuePair): boolean {
  return decodeVersion(value).version > 0;
}

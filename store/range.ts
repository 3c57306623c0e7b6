import type { RecentBatches } from "./recent.js";
import type { Keyspace } from "./keyspace.js";
import type { KeyRecord, RangeQuery, RangeResult, Revision } from "./store.js";

/** A page at the present revision. */
export function rangeNow(keyspace: Keyspace, query: RangeQuery): RangeResult {
  return page(keyspace.records(query.prefix, query.after), query.limit, keyspace.revision);
}

/** A page at a revision whose later changes are all in memory: the present, with those changes undone. */
export function rangeRecent(
  keyspace: Keyspace,
  recent: RecentBatches,
  query: RangeQuery & { readonly revision: Revision },
): RangeResult {
  const undone = recent.before(query.revision);
  const { prefix, after } = query;
  const changed: KeyRecord[] = [];
  for (const [key, record] of undone)
    if (record && key.startsWith(prefix) && (after === undefined || key > after)) changed.push(record);
  changed.sort((a, b) => (a.key < b.key ? -1 : 1));
  return page(merge(unchanged(keyspace, prefix, after, undone), changed), query.limit, query.revision);
}

/** The first `limit` of `records`; looks at one more to know whether there is more. */
export function page(records: Iterable<KeyRecord>, limit: number, revision: Revision): RangeResult {
  const found: KeyRecord[] = [];
  for (const record of records) {
    if (found.length === limit) return { records: found, revision, more: true };
    found.push(record);
  }
  return { records: found, revision, more: false };
}

function* unchanged(
  keyspace: Keyspace,
  prefix: string,
  after: string | undefined,
  undone: ReadonlyMap<string, KeyRecord | undefined>,
): Generator<KeyRecord, void, undefined> {
  for (const record of keyspace.records(prefix, after)) if (!undone.has(record.key)) yield record;
}

/** Two ascending sequences without a common key as one. */
function* merge(left: Iterable<KeyRecord>, right: readonly KeyRecord[]): Generator<KeyRecord, void, undefined> {
  let at = 0;
  for (const record of left) {
    for (let next = right[at]; next && next.key < record.key; next = right[at]) {
      yield next;
      at += 1;
    }
    yield record;
  }
  yield* right.slice(at);
}

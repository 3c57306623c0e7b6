import { etcdserverpb as pb, type mvccpb } from "#proto/etcd.js";
import { bytesOf, type EtcdRange, type EtcdRecords, textOf } from "../../../store/etcd.js";
import type { KeyRecord } from "../../../store/store.js";
import { etcdError } from "./etcd-error.js";

const { SortOrder, SortTarget } = pb.RangeRequest;
const noValue = new Uint8Array(0);

export function toKeyValue(record: KeyRecord, keysOnly = false): mvccpb.IKeyValue {
  return {
    key: bytesOf(record.key),
    createRevision: record.createRevision,
    modRevision: record.modRevision,
    version: record.version,
    value: keysOnly ? noValue : record.value,
    lease: record.lease ?? 0,
  };
}

/** @throws IkadaError when there is no key */
export function rangeOf({ key, rangeEnd }: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }): EtcdRange {
  if (key.length === 0) throw etcdError("EmptyKey");
  return { key: textOf(key), end: textOf(rangeEnd) };
}

/** Filters, sorts and cuts what a range holds, as the request wants it. */
export function rangeResponse(
  request: pb.RangeRequest,
  { records, count }: EtcdRecords,
): Omit<pb.IRangeResponse, "header"> {
  if (request.countOnly) return { kvs: [], more: false, count };
  const kept = isFiltered(request) ? records.filter((record) => passes(request, record)) : records;
  const sorted = isSorted(request) ? sort(request, kept) : kept;
  const limit = request.limit > 0 ? request.limit : sorted.length;
  const kvs = sorted.slice(0, limit).map((record) => toKeyValue(record, request.keysOnly));
  return { kvs, more: sorted.length > limit, count };
}

/** Of how many records, from the first on, the answer is made; 0: of all. */
export function recordsNeeded(request: pb.RangeRequest): number {
  return request.limit > 0 && !isFiltered(request) && !isSorted(request) ? request.limit + 1 : 0;
}

function isFiltered(request: pb.RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision].some((revision) => revision !== 0);
}

function passes(request: pb.RangeRequest, { modRevision, createRevision }: KeyRecord): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return (
    modRevision >= minModRevision &&
    (maxModRevision === 0 || modRevision <= maxModRevision) &&
    createRevision >= minCreateRevision &&
    (maxCreateRevision === 0 || createRevision <= maxCreateRevision)
  );
}

/** Records come in the order of their keys. */
function isSorted({ sortOrder, sortTarget }: pb.RangeRequest): boolean {
  return sortOrder === SortOrder.DESCEND || sortTarget !== SortTarget.KEY;
}

function sort({ sortOrder, sortTarget }: pb.RangeRequest, records: readonly KeyRecord[]): KeyRecord[] {
  const compare = comparisons[sortTarget] ?? comparisons[0]!;
  const sign = sortOrder === SortOrder.DESCEND ? -1 : 1;
  return [...records].sort((left, right) => sign * compare(left, right));
}

/** By `SortTarget`. */
const comparisons: readonly ((left: KeyRecord, right: KeyRecord) => number)[] = [
  (left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0),
  (left, right) => left.version - right.version,
  (left, right) => left.createRevision - right.createRevision,
  (left, right) => left.modRevision - right.modRevision,
  (left, right) => Buffer.compare(left.value, right.value),
];

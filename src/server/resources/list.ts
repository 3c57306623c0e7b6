import type { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { KeyRecord, Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requireReadable } from "../permissions.js";
import { decodeToken, encodeToken } from "./list-token.js";
import { selectionOf } from "./selection.js";
import { toWire } from "./wire.js";

/** A page ends before it passes this, so that it fits a message with its envelopes. */
const pageBytesMax = limits.messageBytesMax / 2;
/** Records looked at for one page; a selector that matches few gets short pages instead of long waits. */
const scannedMax = 10 * limits.listPageMax;

/**
 * One page. All pages of a list show the revision of the first, which the token pins.
 * @throws IkadaError Compacted when that revision is gone: start again
 */
export async function listObjects(
  store: Store,
  request: ikada.api.v1.ListRequest,
  call: Call,
): Promise<ikada.api.v1.IListResponse> {
  const selection = selectionOf(request);
  requireReadable(call.caller, selection.kind);
  const limit = request.limit === 0 ? limits.listPageMax : Math.min(request.limit, limits.listPageMax);
  const token = request.continue === "" ? undefined : decodeToken(request.continue, selection.prefix);
  const revision = token?.revision ?? (await firstRevision(store, request, call));
  if (token) await store.reached(revision, call.wait);

  const records: KeyRecord[] = [];
  let after = token?.after;
  let bytes = 0;
  let scanned = 0;
  for (;;) {
    const wanted = Math.min(limit - records.length, rangeMax);
    const range = { prefix: selection.prefix, limit: wanted, revision, ...(after !== undefined && { after }) };
    const page = await store.range(range, call.wait);
    for (const record of page.records) {
      const matches = selection.matches(record);
      if (matches && records.length > 0 && bytes + record.value.length > pageBytesMax) {
        return answer(records, revision, selection.prefix, after);
      }
      after = record.key;
      if (!matches) continue;
      records.push(record);
      bytes += record.value.length;
    }
    scanned += page.records.length;
    if (!page.more) return answer(records, revision, selection.prefix, undefined);
    if (records.length >= limit || scanned >= scannedMax) return answer(records, revision, selection.prefix, after);
    if (call.signal.aborted) throw new IkadaError("Cancelled", "the call was cancelled");
  }
}

/** Keys fetched at once; small enough that a page of large objects is not held twice. */
const rangeMax = 100;

function answer(
  records: readonly KeyRecord[],
  revision: number,
  prefix: string,
  after: string | undefined,
): ikada.api.v1.IListResponse {
  return {
    objects: records.map(toWire),
    revision,
    continue: after === undefined ? "" : encodeToken({ revision, prefix, after }),
  };
}

async function firstRevision(store: Store, request: ikada.api.v1.ListRequest, call: Call): Promise<number> {
  return request.local ? store.revision() : await store.barrier(call.wait);
}

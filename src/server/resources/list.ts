import type { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { KeyRecord, RangeQuery, RangeResult, Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requireReadable } from "../permissions.js";
import { decodeToken, encodeToken } from "./list-token.js";
import { explainCompacted, hasReached, requestedRevision } from "./revisions.js";
import { selectionOf } from "./selection.js";
import { toWire } from "./wire.js";

/** A page ends before it passes this, so that it fits a message with its envelopes. */
const pageBytesMax = limits.messageBytesMax / 2;
/** Records looked at for one page; a selector that matches few gets short pages instead of long waits. */
const scannedMax = 10 * limits.listPageMax;

/**
 * One page. All pages of a list show the revision of the first, which the token pins: the present, or the past one asked for.
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
  if (token && request.revision !== 0 && request.revision !== token.revision) {
    throw new IkadaError("BadRequest", `the continue token is of revision ${token.revision}, not ${request.revision}`, {
      hint: "a continue token carries its revision; name none beside it, or the same",
    });
  }
  if (token) await hasReached(store, token.revision, call);
  const revision = token?.revision ?? (await requestedRevision(store, request, call)) ?? store.revision();

  const records: KeyRecord[] = [];
  let after = token?.after;
  let bytes = 0;
  let scanned = 0;
  for (;;) {
    const wanted = Math.min(limit - records.length, rangeMax);
    const range = { prefix: selection.prefix, limit: wanted, revision, ...(after !== undefined && { after }) };
    const page = await rangeOrExplain(store, range, token !== undefined, call);
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

async function rangeOrExplain(store: Store, query: RangeQuery, isContinued: boolean, call: Call): Promise<RangeResult> {
  try {
    return await store.range(query, call.wait);
  } catch (caught) {
    const again = "begin the list anew, without the continue token";
    throw explainCompacted(caught, isContinued ? again : "list at a revision that is still kept, or the present");
  }
}

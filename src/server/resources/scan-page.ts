import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { KeyRecord, RangeQuery, RangeResult, Revision, Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { explainCompacted } from "./revisions.js";
import type { Selection } from "./selection.js";

/** Records looked at for one page; a selector that matches few gets short pages instead of long waits. */
const scannedMax = 10 * limits.listPageMax;
/** Keys fetched at once; small enough that a page of large objects is not held twice. */
const rangeMax = 100;

export interface PageQuery {
  readonly revision: Revision;
  /** The last key of the page before. */
  readonly after: string | undefined;
  readonly limit: number;
  /** Of the records' values together; a single larger one is a page of its own. */
  readonly bytesMax: number;
}

export interface ScannedPage {
  readonly records: readonly KeyRecord[];
  /** Where to go on; undefined when there is no more. */
  readonly after: string | undefined;
}

/** The next records of a selection as they were at a revision that this replica has. @throws IkadaError Compacted */
export async function scanPage(
  store: Store,
  selection: Selection,
  { revision, after: from, limit, bytesMax }: PageQuery,
  call: Call,
): Promise<ScannedPage> {
  const records: KeyRecord[] = [];
  let after = from;
  let bytes = 0;
  let scanned = 0;
  for (;;) {
    const wanted = Math.min(limit - records.length, rangeMax);
    const range = { prefix: selection.prefix, limit: wanted, revision, ...(after !== undefined && { after }) };
    const page = await rangeOrExplain(store, range, from !== undefined, call);
    for (const record of page.records) {
      const matches = selection.matches(record);
      if (matches && records.length > 0 && bytes + record.value.length > bytesMax) return { records, after };
      after = record.key;
      if (!matches) continue;
      records.push(record);
      bytes += record.value.length;
    }
    scanned += page.records.length;
    if (!page.more) return { records, after: undefined };
    if (records.length >= limit || scanned >= scannedMax) return { records, after };
    if (call.signal.aborted) throw new IkadaError("Cancelled", "the call was cancelled");
  }
}

async function rangeOrExplain(store: Store, query: RangeQuery, isContinued: boolean, call: Call): Promise<RangeResult> {
  try {
    return await store.range(query, call.wait);
  } catch (caught) {
    const again = "begin the list anew, without the continue token";
    throw explainCompacted(caught, isContinued ? again : "list at a revision that is still kept, or the present");
  }
}

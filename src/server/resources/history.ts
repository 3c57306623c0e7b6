import { ikada } from "#proto/api.js";
import { changeOf, writersOf } from "../../api/object-change.js";
import type { ManagedFieldsEntry } from "../../api/object.js";
import { toTimestamp } from "../../api/time.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { storeKey } from "../../objects/keys.js";
import type { Change, Revision, Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requireReadable } from "../permissions.js";
import { requestedReference } from "./reference.js";
import { hasReached } from "./revisions.js";
import { parsed } from "./selection.js";

const { CREATED, CHANGED, DELETED } = ikada.api.v1.Change.Type;

const pageDefault = 50;
/** Changes fetched at once, with their values. */
const fetchedMax = 16;
/** Values that are looked at for one page; large objects get short pages. */
const bytesMax = limits.messageBytesMax;

/** The kept changes of all objects that had this name, the newest first. */
export async function historyOf(
  store: Store,
  request: ikada.api.v1.HistoryRequest,
  call: Call,
): Promise<ikada.api.v1.IHistoryResponse> {
  const { kind, key } = requestedReference(request.reference);
  requireReadable(call.caller, kind);
  const limit = request.limit === 0 ? pageDefault : Math.min(request.limit, limits.historyPageMax);
  if (request.revision === 0) await store.barrier(call.wait);
  else await hasReached(store, request.revision, call);
  const page = new HistoryPage(limit);
  let before = request.revision === 0 ? undefined : request.revision + 1;
  try {
    for (;;) {
      const fetched = await fetchChanges(store, storeKey(key), before);
      for (const change of fetched.changes) if (page.take(change)) return page.answer(change.record.modRevision);
      if (!fetched.more) return page.end(false);
      before = fetched.changes.at(-1)?.record.modRevision;
      if (call.signal.aborted) throw new IkadaError("Cancelled", "the call was cancelled");
    }
  } catch (caught) {
    // History may be compacted between two pages, and then what is left of it has been told.
    if (caught instanceof IkadaError && caught.reason === "Compacted") return page.end(true);
    throw caught;
  }
}

function fetchChanges(store: Store, key: string, before: Revision | undefined): ReturnType<Store["changes"]> {
  return store.changes({ key, limit: fetchedMax, ...(before !== undefined && { before }) });
}

/** Changes are told when the state before them is known, which is the next older change. */
class HistoryPage {
  readonly #limit: number;
  readonly #told: ikada.api.v1.IChange[] = [];
  #newer: Change | undefined;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The next older change. True when the page is full and does not tell this one any more. */
  take(change: Change): boolean {
    if (this.#newer) this.#told.push(tell(this.#newer, change));
    this.#newer = change;
    this.#bytes += change.record.value.length;
    return this.#told.length >= this.#limit || (this.#told.length > 0 && this.#bytes >= bytesMax);
  }

  answer(before: Revision): ikada.api.v1.IHistoryResponse {
    return { changes: this.#told, before, compacted: false };
  }

  /** There are no older changes, or they are not kept (`isCut`; else the oldest one shows it). */
  end(isCut: boolean): ikada.api.v1.IHistoryResponse {
    const oldest = this.#newer;
    if (oldest) this.#told.push(tell(oldest, undefined));
    return { changes: this.#told, before: 0, compacted: isCut || (oldest?.record.version ?? 0) > 1 };
  }
}

function tell({ record, timeMs, origin }: Change, older: Change | undefined): ikada.api.v1.IChange {
  const before = older && older.record.version > 0 ? parsed(older.record) : undefined;
  const change = { revision: record.modRevision, time: timeMs === 0 ? "" : toTimestamp(timeMs), origin };
  if (record.version === 0) return { ...change, type: DELETED, uid: before?.metadata.uid ?? "" };
  const after = parsed(record);
  const uid = after.metadata.uid ?? "";
  if (record.version === 1)
    return { ...change, type: CREATED, uid, writers: writersOf(undefined, after).map(writerOf) };
  if (!before) return { ...change, type: CHANGED, uid };
  const { writers, ...fields } = changeOf(before, after);
  return { ...change, type: CHANGED, uid, writers: writers.map(writerOf), ...bounded(fields) };
}

function writerOf({ manager, operation, subresource = "" }: ManagedFieldsEntry): ikada.api.v1.IWriter {
  return { manager, operation, subresource };
}

type Fields = Readonly<Record<"added" | "modified" | "removed", readonly string[]>>;

/** The first of the paths, and how many more there are. */
function bounded(fields: Fields): Pick<ikada.api.v1.IChange, "added" | "modified" | "removed" | "moreFields"> {
  let room: number = limits.historyFieldsMax;
  let moreFields = 0;
  const take = (paths: readonly string[]): string[] => {
    const taken = paths.slice(0, room);
    room -= taken.length;
    moreFields += paths.length - taken.length;
    return taken;
  };
  const listed = { added: take(fields.added), modified: take(fields.modified), removed: take(fields.removed) };
  return { ...listed, moreFields };
}

import { ikada } from "#proto/api.js";
import { changeOf, writersOf } from "../../api/object-change.js";
import type { ManagedFieldsEntry } from "../../api/object.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { storeKey } from "../../objects/keys.js";
import type { KeyRecord, Revision, Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requireReadable } from "../permissions.js";
import { recordAtRevision } from "./get.js";
import { requestedReference } from "./reference.js";
import { hasReached } from "./revisions.js";
import { parsed } from "./selection.js";

const { CREATED, CHANGED, DELETED } = ikada.api.v1.Change.Type;

const pageDefault = 50;
/**
 * Versions that the store walks over for one page. To find one version it looks at all older ones of that key, so that a page of an
 * object with very many ends early.
 */
const walkedMax = 100_000;
/** Values that are compared for one page; large objects get short pages. */
const comparedBytesMax = limits.messageBytesMax;

/**
 * The changes of one object, the newest first, as far as history is kept: of the object that there is, back to its creation, and of
 * earlier ones of its name. An earlier one is found for certain when it was there for longer than it is gone.
 */
export async function historyOf(
  store: Store,
  request: ikada.api.v1.HistoryRequest,
  call: Call,
): Promise<ikada.api.v1.IHistoryResponse> {
  const { kind, key } = requestedReference(request.reference);
  requireReadable(call.caller, kind);
  const limit = request.limit === 0 ? pageDefault : Math.min(request.limit, limits.historyPageMax);
  if (request.revision !== 0) await hasReached(store, request.revision, call);
  const present = request.revision === 0 ? await store.barrier(call.wait) : request.revision;
  const history = new History(store, storeKey(key), limit, call);
  return history.upTo(present);
}

/** One page of a key's history in the making. */
class History {
  readonly #store: Store;
  readonly #key: string;
  readonly #limit: number;
  readonly #call: Call;
  readonly #changes: ikada.api.v1.IChange[] = [];
  #walked = 0;
  #comparedBytes = 0;

  constructor(store: Store, key: string, limit: number, call: Call) {
    this.#store = store;
    this.#key = key;
    this.#limit = limit;
    this.#call = call;
  }

  async upTo(revision: Revision): Promise<ikada.api.v1.IHistoryResponse> {
    let at = revision;
    try {
      while (!this.#isFull()) {
        const record = await this.#recordAt(at);
        if (!record) {
          const end = await this.#endBefore(at);
          if (end === undefined) return this.#answer(0, false);
          this.#changes.push({ type: DELETED, revision: end.revision, uid: uidOf(end.last) });
          at = end.revision - 1;
        } else {
          await this.#take(record);
          at = record.modRevision - 1;
          if (at === 0) return this.#answer(0, false);
        }
      }
      return this.#answer(at, false);
    } catch (caught) {
      if (caught instanceof IkadaError && caught.reason === "Compacted") return this.#answer(0, true);
      throw caught;
    }
  }

  #isFull(): boolean {
    if (this.#changes.length === 0) return false;
    const isLong = this.#walked >= walkedMax || this.#comparedBytes >= comparedBytesMax;
    return isLong || this.#changes.length >= this.#limit;
  }

  #answer(before: Revision, compacted: boolean): ikada.api.v1.IHistoryResponse {
    return { changes: this.#changes, before, compacted };
  }

  /** The change that made this record. One whose former state is not kept is told without its fields. */
  async #take(record: KeyRecord): Promise<void> {
    const after = parsed(record);
    const { modRevision: revision } = record;
    const uid = uidOf(record);
    if (record.version === 1) {
      const writers = writersOf(undefined, after);
      const time = after.metadata.creationTimestamp ?? "";
      this.#changes.push({ type: CREATED, revision, uid, time, writers: writers.map(writerOf) });
      return;
    }
    const change: ikada.api.v1.IChange = { type: CHANGED, revision, uid };
    this.#changes.push(change);
    const before = await this.#recordAt(revision - 1);
    if (!before) return;
    this.#comparedBytes += before.value.length + record.value.length;
    const { writers, ...fields } = changeOf(parsed(before), after);
    Object.assign(change, bounded(fields), { writers: writers.map(writerOf), time: lastTime(writers) });
  }

  /**
   * Where an object of this name was removed before `revision`, at which there is none. Looks back in doubling steps for a revision at
   * which there was one, then for an end between.
   */
  async #endBefore(revision: Revision): Promise<{ readonly revision: Revision; readonly last: KeyRecord } | undefined> {
    let gone = revision;
    let last: KeyRecord | undefined;
    for (let step = 1; !last; step *= 2) {
      const earlier = revision - step;
      if (earlier < 1) return undefined;
      last = await this.#recordAt(earlier);
      if (!last) gone = earlier;
      else {
        let there = earlier;
        while (gone - there > 1) {
          const middle = there + Math.floor((gone - there) / 2);
          const record = await this.#recordAt(middle);
          if (record) {
            there = middle;
            last = record;
          } else gone = middle;
        }
      }
    }
    return { revision: gone, last };
  }

  async #recordAt(revision: Revision): Promise<KeyRecord | undefined> {
    if (this.#call.signal.aborted) throw new IkadaError("Cancelled", "the call was cancelled");
    const record = await recordAtRevision(this.#store, this.#key, revision, this.#call);
    this.#walked += record?.version ?? 1;
    return record;
  }
}

function uidOf(record: KeyRecord): string {
  return parsed(record).metadata.uid ?? "";
}

function writerOf({ manager, operation, subresource = "" }: ManagedFieldsEntry): ikada.api.v1.IWriter {
  return { manager, operation, subresource };
}

/** Times are RFC 3339 in UTC, whose order is that of text. */
function lastTime(writers: readonly ManagedFieldsEntry[]): string {
  return writers.reduce((last, { time = "" }) => (time > last ? time : last), "");
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

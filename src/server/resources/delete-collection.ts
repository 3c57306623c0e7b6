import { ikada } from "#proto/api.js";
import type { AnyObject } from "../../api/object.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { deleteObject } from "../../objects/delete-object.js";
import type { DeleteOptions } from "../../objects/delete-object.js";
import { parseStoreKey } from "../../objects/keys.js";
import { changesToTxn, isEmpty } from "../../objects/transaction.js";
import type { KeyRecord, Store, Txn } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { originOf } from "./commit.js";
import { wayOf } from "./delete.js";
import { decodeToken, encodeToken } from "./list-token.js";
import { listRevision } from "./list.js";
import { scanPage } from "./scan-page.js";
import { parsed, selectionOf } from "./selection.js";
import type { Selection } from "./selection.js";

const { EXACT } = ikada.api.v1.RevisionMatch;
const { REMOVED, TERMINATING, KEPT } = ikada.api.v1.DeleteOutcome.State;

type Outcome = Pick<ikada.api.v1.IDeleteOutcome, "state" | "reason">;

/** A page's objects were together no larger than this, so that marking all of them fits one log entry unless they have grown since. */
const pageBytesMax = limits.entryBytesMax / 2;
/** Tries for an object that others write to all the while. */
const attemptsMax = 16;

/**
 * Deletes one page of the objects that matched at a revision and match still, each as its own delete would, many in one log entry.
 * What stays is told with its reason. No identity is needed: what a lost first try removed is gone, and told so again.
 * @throws IkadaError BadRequest, Compacted
 */
export async function deleteCollection(
  store: Store,
  request: ikada.api.v1.DeleteCollectionRequest,
  call: Call,
): Promise<ikada.api.v1.IDeleteCollectionResponse> {
  const selection = selectionOf(request);
  const { kind, prefix } = selection;
  if (kind.namespaced && request.namespace === "") {
    throw new IkadaError("BadRequest", `${kind.plural} are in namespaces and none was named`, {
      hint: "delete the collection of each namespace for itself",
    });
  }
  const way = wayOf(request);
  const token = request.continue === "" ? undefined : decodeToken(request.continue, prefix);
  const revision = await listRevision(store, { revision: request.revision, match: EXACT, local: false }, token, call);
  const limit = request.limit === 0 ? limits.deletePageMax : Math.min(request.limit, limits.deletePageMax);
  const page = await scanPage(store, selection, { revision, after: token?.after, limit, bytesMax: pageBytesMax }, call);
  // What is decided below without a write is decided on state as new as the call.
  await store.barrier(call.wait);
  const deletion = new PageDeletion(store, selection, way, request, call);
  for (let attempt = 0; attempt < attemptsMax && deletion.decide(page.records); attempt += 1) await deletion.write();
  return {
    outcomes: page.records.map((record) => deletion.outcomeOf(record)),
    revision,
    continue: page.after === undefined ? "" : encodeToken({ revision, prefix, after: page.after }),
  };
}

/** What becomes of the objects of one page. Each is decided from its present state, again when somebody was faster. */
class PageDeletion {
  readonly #store: Store;
  readonly #selection: Selection;
  readonly #way: DeleteOptions;
  readonly #request: ikada.api.v1.DeleteCollectionRequest;
  readonly #call: Call;
  readonly #outcomes = new Map<KeyRecord, Outcome>();
  #proposed: { readonly record: KeyRecord; readonly txn: Txn; readonly outcome: Outcome }[] = [];

  constructor(
    store: Store,
    selection: Selection,
    way: DeleteOptions,
    request: ikada.api.v1.DeleteCollectionRequest,
    call: Call,
  ) {
    this.#store = store;
    this.#selection = selection;
    this.#way = way;
    this.#request = request;
    this.#call = call;
  }

  /** Decides what has no outcome yet. True when that needs writes. */
  decide(records: readonly KeyRecord[]): boolean {
    const now = Date.now();
    this.#proposed = [];
    for (const record of records) {
      if (!this.#outcomes.has(record)) this.#decideOne(record, now);
    }
    return this.#proposed.length > 0;
  }

  /** Proposes what was decided, in as few log entries as hold it. */
  async write(): Promise<void> {
    const origin = originOf(this.#call);
    for (const batch of batchesOf(this.#proposed)) {
      const results = await this.#store.write({ txns: batch.map(({ txn }) => txn), origin }, this.#call.wait);
      for (const [at, { record, outcome }] of batch.entries())
        if (results[at]?.succeeded === true) this.#outcomes.set(record, outcome);
    }
  }

  outcomeOf(record: KeyRecord): ikada.api.v1.IDeleteOutcome {
    const { namespace, name } = parseStoreKey(record.key);
    const { uid = "" } = parsed(record).metadata;
    const outcome = this.#outcomes.get(record) ?? kept(`others changed it ${attemptsMax} times meanwhile`);
    return { namespace, name, uid, ...outcome };
  }

  #decideOne(record: KeyRecord, now: number): void {
    const present = this.#store.peek(record.key);
    const live = present && parsed(present);
    const settle = (outcome: Outcome): void => void this.#outcomes.set(record, outcome);
    if (!present || !live || live.metadata.uid !== parsed(record).metadata.uid) return settle({ state: REMOVED });
    if (!this.#selection.matches(present)) return settle(kept("it does not match any more"));
    if (this.#request.onlyUnchanged && present.modRevision !== record.modRevision)
      return settle(kept(`it has changed at revision ${present.modRevision}`));
    const decided = this.#deletionOf(live, now);
    if (decided instanceof IkadaError) return settle(kept(decided.message));
    const outcome = { state: decided.removed ? REMOVED : TERMINATING };
    if (isEmpty(decided.changes) || this.#request.options?.dryRun) return settle(outcome);
    this.#proposed.push({ record, txn: changesToTxn(decided.changes), outcome });
  }

  #deletionOf(live: AnyObject, now: number): ReturnType<typeof deleteObject> | IkadaError {
    try {
      return deleteObject(live, this.#way, now);
    } catch (caught) {
      if (caught instanceof IkadaError) return caught;
      throw caught;
    }
  }
}

function kept(reason: string): Outcome {
  return { state: KEPT, reason };
}

/** Runs of transactions whose values fit a log entry; a single larger one is for the store to judge. */
function batchesOf<T extends { readonly txn: Txn }>(all: readonly T[]): readonly (readonly T[])[] {
  const batches: T[][] = [];
  let bytes = Infinity;
  for (const one of all) {
    const size = one.txn.success.reduce(
      (sum, write) => sum + (write.type === "put" ? write.value.length : 0),
      keyBytes,
    );
    if (bytes + size > limits.entryBytesMax / 2) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)?.push(one);
    bytes += size;
  }
  return batches;
}

/** What a transaction weighs beside its values: keys are no longer than a kind, a namespace and a name. */
const keyBytes = 1024;

import type { ikada } from "#proto/api.js";
import type { AnyObject } from "../../api/object.js";
import { IkadaError } from "../../base/errors.js";
import type { Random } from "../../base/env.js";
import type { Changes } from "../../objects/changes.js";
import { decodeRecord } from "../../objects/encode.js";
import { storeKey } from "../../objects/keys.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import { changesToTxn, explainRefusal } from "../../objects/transaction.js";
import type { KeyRecord, Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requestRandom } from "./request-random.js";

/** What a write does to the state it was decided from. */
export interface Plan {
  /** The object that the request is about. */
  readonly key: ObjectKey;
  /** Undefined: nothing would change, so nothing is written. */
  readonly changes: Changes | undefined;
  /** As it would be after the changes; for dry runs, and as it is when there are none. */
  readonly object: AnyObject;
}

export interface WriteRequest {
  readonly store: Store;
  readonly call: Call;
  readonly options: ikada.api.v1.IWriteOptions | null | undefined;
  /**
   * Decides from the present state; must give the same names for the same random numbers, because a repeat of the request
   * has to find what its first try made. Thrown errors refuse the write; "again" asks for other random numbers.
   */
  decide(read: (key: ObjectKey) => AnyObject | undefined, random: Random): Plan | "again";
  /** Where the object of a repeated request is, whose first try was committed. */
  keyOf(random: Random): ObjectKey;
}

export interface Written {
  readonly plan: Plan | undefined;
  /** The object as this write left it; undefined when the write removed it, or was not done (dry run, no change). */
  readonly record: KeyRecord | undefined;
  /** Revision of the write, or the present one when nothing was written. */
  readonly revision: number;
  readonly changed: boolean;
}

/** Tries to write past others' changes before giving up. */
const attemptsMax = 16;

/**
 * The one road of a client's write: decide from local state, propose with compares, decide again when somebody was
 * faster. What is answered without a log entry (a refusal, a dry run, "nothing to do") is decided on state that is
 * as new as the call. A request that was committed by an earlier try is answered as that try would have been. An answer without a
 * log entry to a repeat is final for all tries: an entry without transactions takes the place of what another one might still propose.
 */
export async function commitWrite(request: WriteRequest): Promise<Written> {
  const { store, call } = request;
  const identity = identityOf(request);
  const read = (key: ObjectKey) => {
    const record = store.peek(storeKey(key));
    return record && decodeRecord(record);
  };
  let fresh = false;
  let attempt = 0;
  let refused: Changes | undefined;
  while (attempt < attemptsMax) {
    const client = identity && identityOfAttempt(identity, attempt);
    const earlier = client && store.answered(client);
    const isClosed = earlier?.length === 0;
    const [answered] = earlier ?? [];
    if (answered?.succeeded) {
      const key = request.keyOf(requestRandom(client));
      const record = await recordAt(store, storeKey(key), answered.revision, call);
      return { plan: undefined, record, revision: answered.revision, changed: true };
    }
    if (answered) {
      attempt += 1;
      continue;
    }
    const decided = attemptToDecide(request, read, requestRandom(client));
    if (decided === "again") {
      if (isClosed) throw wasRefused();
      attempt += 1;
      continue;
    }
    const final = decided instanceof Error || !decided.changes || request.options?.dryRun;
    if (final && !fresh) {
      await store.barrier(call.wait);
      fresh = true;
      continue;
    }
    if (final && client && call.isRepeat && !isClosed) {
      await store.write({ txns: [], origin: originOf(call), client }, call.wait);
      continue;
    }
    if (decided instanceof Error) throw decided;
    if (isClosed && decided.changes) throw wasRefused();
    if (!decided.changes || request.options?.dryRun) {
      return { plan: decided, record: undefined, revision: store.revision(), changed: decided.changes !== undefined };
    }
    const write = { txns: [changesToTxn(decided.changes)], origin: originOf(call), ...(client && { client }) };
    const [result] = await store.write(write, call.wait);
    // Another try has closed this place meanwhile.
    if (!result) continue;
    if (result.succeeded) {
      const record = await recordAt(store, storeKey(decided.key), result.revision, call);
      return { plan: decided, record, revision: result.revision, changed: true };
    }
    // Applied here, so the state that refused it can be read here.
    refused = decided.changes;
    fresh = true;
    attempt += 1;
  }
  if (refused) throw explainRefusal(refused, (key) => store.peek(key));
  throw new IkadaError("Conflict", `refused ${attemptsMax} times because others wrote to the same object`, {
    hint: "send it again as a new request",
  });
}

/** Another try of the same request was refused, and its reason does not hold any more. */
function wasRefused(): IkadaError {
  return new IkadaError("Conflict", "an earlier try of this request was refused, and the objects have changed since", {
    hint: "send it again as a new request",
  });
}

/** Who wrote, for the audit trail. */
export function originOf(call: Call): string {
  return `${call.caller.role}:${call.caller.name}`;
}

function attemptToDecide(
  request: WriteRequest,
  read: (key: ObjectKey) => AnyObject | undefined,
  random: Random,
): Plan | IkadaError | "again" {
  try {
    return request.decide(read, random);
  } catch (caught) {
    if (caught instanceof IkadaError) return caught;
    throw caught;
  }
}

/** The record as a write at `revision` left it, even when it has changed or gone since. */
export async function recordAt(
  store: Store,
  key: string,
  revision: number,
  call: Call,
): Promise<KeyRecord | undefined> {
  const present = store.peek(key);
  if (present?.modRevision === revision) return present;
  try {
    const { records } = await store.range({ prefix: key, limit: 1, revision }, call.wait);
    return records[0]?.key === key ? records[0] : undefined;
  } catch (error) {
    // So much was written since that the history is compacted; what is there now is the best answer.
    if (error instanceof IkadaError && error.reason === "Compacted") return present;
    throw error;
  }
}

/**
 * Each attempt has its own place among the answered requests, in a row of its own, so that the window of sequences that the
 * store remembers is the client's whatever it costs to get a write through.
 */
function identityOfAttempt(identity: Identity, attempt: number): Identity {
  return attempt === 0 ? identity : { id: `${identity.id}#${attempt}`, sequence: identity.sequence };
}

/**
 * Client ids are the caller's own: nobody can answer another's request by taking its id. A dry run has none, since its answer is
 * not kept and it must not be answered as the write that it tries out. @throws IkadaError BadRequest
 */
function identityOf({ call, options }: WriteRequest): Identity | undefined {
  const { client, sequence } = options?.request ?? {};
  if (!client || options?.dryRun) return undefined;
  if (!/^[-\w./]{1,128}$/.test(client) || !Number.isSafeInteger(sequence) || (sequence ?? 0) < 1) {
    throw new IkadaError("BadRequest", "the request's identity is not a client id with a sequence from 1 on", {
      hint: "ids have at most 128 letters, digits and - _ . /",
    });
  }
  return { id: `${call.caller.name}:${client}`, sequence: sequence ?? 0 };
}

interface Identity {
  readonly id: string;
  readonly sequence: number;
}

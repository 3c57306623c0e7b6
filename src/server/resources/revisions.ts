import { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import type { Revision, Store } from "../../../store/store.js";
import type { Call } from "../listener.js";

const { EXACT, NOT_OLDER_THAN } = ikada.api.v1.RevisionMatch;

/** What a read asks of time. */
export interface RevisionRequest {
  readonly revision: number;
  readonly match: ikada.api.v1.RevisionMatch;
  readonly local: boolean;
}

/**
 * The past revision that a read is about; undefined: the present, which this replica then has as new as was asked for:
 * linearizable, as new as a revision, or for `local` as it is. @throws IkadaError BadRequest, NoLeader
 */
export async function requestedRevision(
  store: Store,
  { revision, match, local }: RevisionRequest,
  call: Call,
): Promise<Revision | undefined> {
  if (match !== EXACT && match !== NOT_OLDER_THAN) {
    throw new IkadaError("BadRequest", `a revision can't be matched in the way ${String(match)}`);
  }
  if (revision === 0) {
    if (match === NOT_OLDER_THAN) throw new IkadaError("BadRequest", "NOT_OLDER_THAN needs a revision");
    if (!local) await store.barrier(call.wait);
    return undefined;
  }
  await hasReached(store, revision, call);
  return match === EXACT ? revision : undefined;
}

/**
 * Resolves when this replica has applied `revision`. One that there is anywhere is no newer than what a barrier shows, so that a
 * number out of the future is refused and not waited for. @throws IkadaError BadRequest, NoLeader
 */
export async function hasReached(store: Store, revision: Revision, call: Call): Promise<void> {
  if (store.revision() >= revision) return;
  const present = await store.barrier(call.wait);
  if (present >= revision) return;
  throw new IkadaError("BadRequest", `there is no revision ${revision} yet; the present one is ${present}`, {
    revision: present,
    hint: "take a revision from an answer of this cluster; after a restore from a backup, list anew",
  });
}

/** The newest revision made at or before a time; of the future it is the present. @throws IkadaError BadRequest, Compacted, NoLeader */
export async function revisionAtTime(
  store: Store,
  { timeMs }: ikada.api.v1.RevisionAtRequest,
  call: Call,
): Promise<ikada.api.v1.IRevisionAtResponse> {
  if (timeMs < 0) throw new IkadaError("BadRequest", `${timeMs} ms is no time since 1970`);
  await store.barrier(call.wait);
  return { revision: await store.revisionAt(timeMs, call.wait) };
}

/** The refusal of a past that is no longer kept, with what to do next in this case. Other errors stay as they are. */
export function explainCompacted(caught: unknown, hint: string): unknown {
  if (!(caught instanceof IkadaError) || caught.reason !== "Compacted") return caught;
  return new IkadaError("Compacted", caught.message, { ...caught.details, hint }, caught);
}

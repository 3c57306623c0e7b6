import type { ikada } from "#proto/api.js";
import type { KindDefinition } from "../../api/kind.js";
import type { AnyObject } from "../../api/object.js";
import { IkadaError } from "../../base/errors.js";
import { deleteObject } from "../../objects/delete-object.js";
import type { DeleteOptions, Deletion } from "../../objects/delete-object.js";
import { storeKey } from "../../objects/keys.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import { isEmpty } from "../../objects/transaction.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { commitWrite, recordAt, type WriteRequest } from "./commit.js";
import { requestedReference } from "./reference.js";
import { liveObject } from "./update.js";
import { toWire, toWireAt } from "./wire.js";

/** @throws IkadaError NotFound, Conflict for a failed precondition, Forbidden for what must stay */
export function deleteResource(
  store: Store,
  request: ikada.api.v1.DeleteRequest,
  call: Call,
): Promise<ikada.api.v1.IDeleteResponse> {
  const { kind, key } = requestedReference(request.reference);
  const options = { ...wayOf(request), ...preconditionsOf(request) };
  return deleteWith(store, { kind, key, options: request.options }, call, (live, now) =>
    deleteObject(live, options, now),
  );
}

/** The road of all that deletes one object, by whatever rules `decide` has. */
export async function deleteWith(
  store: Store,
  { kind, key, options }: { kind: KindDefinition; key: ObjectKey; options: WriteRequest["options"] },
  call: Call,
  decide: (live: AnyObject, now: number) => Deletion,
): Promise<ikada.api.v1.IDeleteResponse> {
  let removed = true;
  const written = await commitWrite({
    store,
    call,
    options,
    keyOf: () => key,
    decide: (read) => {
      const deletion = decide(liveObject(kind, key, read), Date.now());
      ({ removed } = deletion);
      const changes = isEmpty(deletion.changes) ? undefined : deletion.changes;
      return { key, object: deletion.object, changes };
    },
  });
  if (!written.plan) {
    // A repeat of a committed request: the object stood at that revision when it was only marked.
    if (written.record) return { object: toWire(written.record), removed: false };
    const before = await recordAt(store, storeKey(key), written.revision - 1, call);
    return { ...(before && { object: toWire(before) }), removed: true };
  }
  const { object } = written.plan;
  if (written.record && !removed) return { object: toWire(written.record), removed };
  return { object: toWireAt(object, Number(object.metadata.resourceVersion ?? written.revision)), removed };
}

/** Which object, of all that have or had the name, a deletion is about. */
export function preconditionsOf({ uid, revision }: { readonly uid: string; readonly revision: number }): DeleteOptions {
  return { ...(uid !== "" && { uid }), ...(revision !== 0 && { resourceVersion: String(revision) }) };
}

/** How a delete is to be done. @throws IkadaError BadRequest */
export function wayOf(request: {
  readonly propagation: string;
  readonly gracePeriodSeconds?: number | null;
}): DeleteOptions {
  const { propagation, gracePeriodSeconds } = request;
  switch (propagation) {
    case "":
    case "Background":
    case "Foreground":
    case "Orphan":
      break;
    default:
      throw new IkadaError("BadRequest", `propagation "${propagation}" is none of Background, Foreground, Orphan`);
  }
  return {
    ...(propagation !== "" && { propagation }),
    ...(typeof gracePeriodSeconds === "number" && { gracePeriodSeconds }),
  };
}

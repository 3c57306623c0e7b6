import type { ikada } from "#proto/api.js";
import { objectName } from "../../api/kind.js";
import type { KindDefinition } from "../../api/kind.js";
import { IkadaError } from "../../base/errors.js";
import { storeKey } from "../../objects/keys.js";
import type { KeyRecord, Revision, Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requireReadable } from "../permissions.js";
import { requestedReference } from "./reference.js";
import { explainCompacted, requestedRevision } from "./revisions.js";
import { requireScale, statusOrWhole } from "./subresource.js";
import { scaleToWire, toWire } from "./wire.js";

/** The present, linearizable unless the caller asks for what this replica has, or a past revision. @throws IkadaError NotFound, NoLeader, Compacted */
export async function getObject(
  store: Store,
  request: ikada.api.v1.GetRequest,
  call: Call,
): Promise<ikada.api.v1.IGetResponse> {
  const { kind, key } = requestedReference(request.reference);
  requireReadable(call.caller, kind);
  const { subresource } = request;
  if (subresource === "scale") requireScale(kind);
  else statusOrWhole(kind, subresource);
  const revision = await requestedRevision(store, request, call);
  const found = storeKey(key);
  const record = revision === undefined ? store.peek(found) : await recordAtRevision(store, found, revision, call);
  if (record) return { object: subresource === "scale" ? scaleToWire(toWire(record)) : toWire(record) };
  throw revision === undefined ? notFound(kind, key.name) : notThereThen(kind, key.name, revision);
}

/** As it was at a revision; undefined when it was not there. @throws IkadaError Compacted */
export async function recordAtRevision(
  store: Store,
  key: string,
  revision: Revision,
  call: Call,
): Promise<KeyRecord | undefined> {
  try {
    const { records } = await store.range({ prefix: key, limit: 1, revision }, call.wait);
    return records[0]?.key === key ? records[0] : undefined;
  } catch (caught) {
    throw explainCompacted(caught, "ask for a revision that is still kept, or for the present");
  }
}

/** Said of what was not there at a past revision. */
export function notThereThen(kind: KindDefinition, name: string, revision: Revision): IkadaError {
  const object = objectName(kind, name);
  return new IkadaError("NotFound", `${object} was not there at revision ${revision}`, { object });
}

export function notFound(kind: KindDefinition, name: string): IkadaError {
  return new IkadaError("NotFound", `${objectName(kind, name)} not found`, { object: objectName(kind, name) });
}

import type { ikada } from "#proto/api.js";
import { objectName } from "../../api/kind.js";
import { IkadaError } from "../../base/errors.js";
import { storeKey } from "../../objects/keys.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requireReadable } from "../permissions.js";
import { requestedReference } from "./reference.js";
import { toWire } from "./wire.js";

/** Linearizable unless the caller asks for what this replica has. @throws IkadaError NotFound, NoLeader */
export async function getObject(
  store: Store,
  request: ikada.api.v1.GetRequest,
  call: Call,
): Promise<ikada.api.v1.IGetResponse> {
  const { kind, key } = requestedReference(request.reference);
  requireReadable(call.caller, kind);
  if (!request.local) await store.barrier(call.wait);
  const record = store.peek(storeKey(key));
  if (record) return { object: toWire(record) };
  throw notFound(kind, key.name);
}

export function notFound(kind: Parameters<typeof objectName>[0], name: string): IkadaError {
  return new IkadaError("NotFound", `${objectName(kind, name)} not found`, { object: objectName(kind, name) });
}

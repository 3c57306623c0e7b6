import type { ikada } from "#proto/api.js";
import type { KindDefinition } from "../../api/kind.js";
import { IkadaError } from "../../base/errors.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import { requestedKey } from "./requested-kind.js";

/** The object that a request refers to. @throws IkadaError BadRequest, UnknownKind */
export function requestedReference(reference: ikada.api.v1.IObjectReference | null | undefined): {
  kind: KindDefinition;
  key: ObjectKey;
} {
  if (!reference) throw new IkadaError("BadRequest", "the request names no object");
  const { group, version, kind, namespace, name } = reference;
  return requestedKey({
    group: group ?? "",
    version: version ?? "",
    kind: kind ?? "",
    namespace: namespace ?? "",
    name: name ?? "",
  });
}

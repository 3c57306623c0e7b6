import { IkadaError } from "../../base/errors.js";
import { groupKindOf, qualifiedPlural } from "../../api/kind.js";
import type { KindDefinition } from "../../api/kind.js";
import { findKindByApiVersion, kinds } from "../../api/registry.js";
import { formats } from "../../api/format.js";
import type { ObjectKey } from "../../objects/snapshot.js";

export interface RequestedKind {
  readonly group: string;
  /** Empty: the only one. */
  readonly version: string;
  readonly kind: string;
}

/** @throws IkadaError UnknownKind with what there is */
export function findRequestedKind({ group, version, kind }: RequestedKind): KindDefinition {
  const found =
    version === ""
      ? kinds.find((known) => known.group === group && known.kind === kind)
      : findKindByApiVersion(group === "" ? version : `${group}/${version}`, kind);
  if (found) return found;
  throw new IkadaError("UnknownKind", `there is no kind "${kind}" in group "${group}" version "${version}"`, {
    hint: `known kinds: ${kinds.map(qualifiedPlural).join(", ")}`,
  });
}

export interface RequestedObject extends RequestedKind {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Where the object is that a request names; nothing that is not a plain name reaches a key.
 * @throws IkadaError UnknownKind, BadRequest
 */
export function requestedKey(reference: RequestedObject): { kind: KindDefinition; key: ObjectKey } {
  const kind = findRequestedKind(reference);
  const namespace = kind.namespaced ? reference.namespace : "";
  if (kind.namespaced) {
    if (namespace === "") throw new IkadaError("BadRequest", `${kind.plural} are in namespaces and none was named`);
    checkName("namespace", namespace);
  } else if (reference.namespace !== "") {
    throw new IkadaError("BadRequest", `${kind.plural} are not in namespaces, but "${reference.namespace}" was named`);
  }
  checkName("name", reference.name);
  return { kind, key: { groupKind: groupKindOf(kind), namespace, name: reference.name } };
}

function checkName(what: string, name: string): void {
  const fault = name === "" ? "it is empty" : formats.dnsSubdomain(name);
  if (fault !== undefined) throw new IkadaError("BadRequest", `${what} ${JSON.stringify(name)}: ${fault}`);
}

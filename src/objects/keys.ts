import { IkadaError } from "../base/errors.js";
import { groupKindOf, type KindDefinition } from "../api/kind.js";
import { groupKindOfObject, kindByGroupKind, kinds } from "../api/registry.js";
import type { AnyObject } from "../api/object.js";
import type { GroupKind, ObjectKey } from "./snapshot.js";

/**
 * Where objects live in the store: `/objects/<group or core>/<plural>/<namespace or ->/<name>`. No part contains `/`
 * and `-` alone is no Namespace's name, so each prefix below ends in `/` and matches exactly its own objects.
 */
export const objectsPrefix = "/objects/";

export function storeKey(key: ObjectKey): string {
  return `${prefixFor(kindByGroupKind(key.groupKind), key.namespace === "" ? "-" : key.namespace)}${key.name}`;
}

/** Prefix of all objects of a kind, or of those in one namespace when it is given and the kind has namespaces. */
export function kindPrefix(kind: KindDefinition, namespace?: string): string {
  if (namespace === undefined || namespace === "" || !kind.namespaced) return prefixFor(kind);
  return prefixFor(kind, namespace);
}

export function keyOfObject(object: AnyObject): ObjectKey {
  return {
    groupKind: groupKindOfObject(object),
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name,
  };
}

/** The reverse of storeKey. @throws IkadaError Internal when it is no object's key. */
export function parseStoreKey(key: string): ObjectKey {
  const [root, objects, group = "", plural = "", namespace = "", name = "", ...rest] = key.split("/");
  const groupKind = groupKinds.get(`${group}/${plural}`);
  if (root !== "" || objects !== "objects" || groupKind === undefined || name === "" || rest.length > 0)
    throw new IkadaError("Internal", `"${key}" is not the key of an object of a known kind`);
  return { groupKind, namespace: namespace === "-" ? "" : namespace, name };
}

function prefixFor(kind: KindDefinition, namespace?: string): string {
  const ofKind = `${objectsPrefix}${kind.group === "" ? "core" : kind.group}/${kind.plural}/`;
  return namespace === undefined ? ofKind : `${ofKind}${namespace}/`;
}

const groupKinds: ReadonlyMap<string, GroupKind> = new Map(
  kinds.map((kind) => [`${kind.group === "" ? "core" : kind.group}/${kind.plural}`, groupKindOf(kind)]),
);

import type { ikada } from "#proto/api.js";
import { decodeObject } from "../../api/decode.js";
import type { DecodeOptions } from "../../api/decode.js";
import { invalidError } from "../../api/faults.js";
import { groupKindOf, objectName } from "../../api/kind.js";
import type { KindDefinition } from "../../api/kind.js";
import type { AnyObject } from "../../api/object.js";
import { validateChange, validateObject } from "../../api/validate.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { encodeObject } from "../../objects/encode.js";
import type { ObjectKey } from "../../objects/snapshot.js";

/** An object of a request: typed, canonical, not yet defaulted. */
export interface Admitted {
  readonly kind: KindDefinition;
  readonly object: AnyObject;
  readonly warnings: readonly string[];
}

/**
 * Reads the object of a request. Its envelope may be empty, but where it says something it must say what the JSON says:
 * permissions were judged by the one and the write is done by the other.
 * @throws IkadaError Invalid with every fault's path, BadRequest
 */
export function admitObject(envelope: ikada.api.v1.IObject | null | undefined, mode: DecodeOptions["mode"]): Admitted {
  if (!envelope?.json || envelope.json.length === 0) throw new IkadaError("BadRequest", "the request has no object");
  const admitted = admitValue(envelope.json, mode, envelope.name ?? "");
  const { kind, object } = admitted;
  const said: readonly (readonly [string, string | null | undefined, string | undefined])[] = [
    ["kind", envelope.kind, kind.kind],
    ["group", envelope.kind ? envelope.group : "", envelope.kind ? kind.group : ""],
    ["namespace", envelope.namespace, object.metadata.namespace],
    ["name", envelope.name, object.metadata.name],
  ];
  for (const [field, outside, inside] of said) {
    if (outside && outside !== inside) {
      throw new IkadaError("BadRequest", `the request names ${field} "${outside}", its object "${inside ?? ""}"`);
    }
  }
  return admitted;
}

/** As admitObject, for JSON that stands alone or a value that was made here. `name` is for the message. */
export function admitValue(value: Uint8Array | object, mode: DecodeOptions["mode"], name: string): Admitted {
  const { object, kind, faults, warnings } = decodeObject(value, { mode });
  if (object && kind) return { kind, object, warnings };
  throw invalidError(kind ?? { group: "", plural: "objects" }, name, faults);
}

/** Checks a defaulted new object. @throws IkadaError Invalid, TooLarge */
export function checkNew(kind: KindDefinition, object: AnyObject): void {
  refuse(kind, object, validateObject(object));
}

/** Checks a replacement. @throws IkadaError Invalid, TooLarge */
export function checkChange(kind: KindDefinition, before: AnyObject, after: AnyObject): void {
  refuse(kind, after, validateChange(before, after));
}

/** An object may only be made where its Namespace is and stays. Gives what must not change meanwhile. @throws IkadaError NotFound, Forbidden */
export function requireNamespace(
  kind: KindDefinition,
  key: ObjectKey,
  read: (key: ObjectKey) => AnyObject | undefined,
): readonly (ObjectKey & { readonly resourceVersion: string })[] {
  if (!kind.namespaced) return [];
  const namespaceKey: ObjectKey = { groupKind: "/Namespace", namespace: "", name: key.namespace };
  const namespace = read(namespaceKey);
  if (!namespace) {
    const object = `namespaces "${key.namespace}"`;
    throw new IkadaError("NotFound", `${object} not found`, { object, hint: "create the namespace first" });
  }
  if (namespace.metadata.deletionTimestamp !== undefined) {
    throw new IkadaError(
      "Forbidden",
      `${objectName(kind, key.name)} is forbidden: namespace ${key.namespace} is being terminated`,
      { object: objectName(kind, key.name), hint: "wait until the namespace is gone and create it again" },
    );
  }
  return [{ ...namespaceKey, resourceVersion: namespace.metadata.resourceVersion ?? "" }];
}

/** The key of an admitted object. */
export function keyOfAdmitted(kind: KindDefinition, object: AnyObject): ObjectKey {
  return { groupKind: groupKindOf(kind), namespace: object.metadata.namespace ?? "", name: object.metadata.name };
}

function refuse(kind: KindDefinition, object: AnyObject, faults: ReturnType<typeof validateObject>): void {
  if (faults.length > 0) throw invalidError(kind, object.metadata.name, faults);
  const size = encodeObject(object).bytes.length;
  if (size > limits.objectBytesMax) {
    const named = objectName(kind, object.metadata.name);
    throw new IkadaError("TooLarge", `${named} has ${size} bytes; ${limits.objectBytesMax} are allowed`, {
      object: named,
    });
  }
}

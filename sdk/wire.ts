import type { ikada } from "#proto/api.js";
import { kindNamed, kindOf } from "../src/api/registry.js";
import type { AnyObject } from "../src/api/object.js";
import { IkadaError } from "../src/base/errors.js";

/** A kind by any of its names (`deployments`, `deploy`, `Deployment`) or as it stands in manifests. */
export type KindName = string | { readonly group: string; readonly version: string; readonly kind: string };

export interface KindReference {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** @throws IkadaError UnknownKind */
export function kindReference(name: KindName): KindReference {
  const { group, version, kind } = typeof name === "string" ? kindNamed(name) : name;
  return { group, version, kind };
}

/** @throws IkadaError UnknownKind when apiVersion and kind name none */
export function objectToWire(object: {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name?: string; readonly namespace?: string };
}): ikada.api.v1.IObject {
  const { group, version, kind } = kindOf(object);
  return {
    group,
    version,
    kind,
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name ?? "",
    json: new TextEncoder().encode(JSON.stringify(object)),
  };
}

export function objectFromWire(object: ikada.api.v1.IObject | null | undefined): AnyObject {
  if (!object?.json) throw new IkadaError("Internal", "the server answered without an object");
  return JSON.parse(new TextDecoder().decode(object.json)) as AnyObject;
}

import { ikada } from "#proto/api.js";
import { IkadaError } from "../src/base/errors.js";
import type { PatchType, ReadAt, Selection, WriteOptions } from "./options.js";
import { kindReference, type KindName } from "./wire.js";

/** An object by kind, namespace and name. @throws IkadaError UnknownKind */
export function referenceTo(
  kind: KindName,
  name: string,
  { namespace = "" }: { readonly namespace?: string },
): ikada.api.v1.IObjectReference {
  return { ...kindReference(kind), namespace, name };
}

/** The objects of a kind. @throws IkadaError UnknownKind */
export function selectionOf(kind: KindName, options: Selection) {
  const { namespace = "", labelSelector = "", fieldSelector = "" } = options;
  return { ...kindReference(kind), namespace, labelSelector, fieldSelector };
}

/** Of what time a read is. @throws IkadaError BadRequest */
export function readAt({ local = false, revision, notOlderThan }: ReadAt) {
  if (revision !== undefined && notOlderThan !== undefined)
    throw new IkadaError("BadRequest", "a read is either of a revision or not older than one");
  const { EXACT, NOT_OLDER_THAN } = ikada.api.v1.RevisionMatch;
  const match = notOlderThan === undefined ? EXACT : NOT_OLDER_THAN;
  return { local, revision: revision ?? notOlderThan ?? 0, match };
}

const { MERGE, JSON: JSON_PATCH, STRATEGIC } = ikada.api.v1.PatchRequest.Type;
const patchTypes = { merge: MERGE, json: JSON_PATCH, strategic: STRATEGIC } as const;

export function patchTypeOf(type: PatchType = "merge"): ikada.api.v1.PatchRequest.Type {
  return patchTypes[type];
}

export function writeOptions(request: ikada.api.v1.IRequestId, options: WriteOptions): ikada.api.v1.IWriteOptions {
  return { request, fieldManager: options.fieldManager ?? "ikada-sdk", dryRun: options.dryRun ?? false };
}

import { invariant } from "../base/errors.js";
import { without } from "../api/json.js";
import type { AnyObject, ObjectMeta } from "../api/object.js";
import type { KeyRecord } from "../../store/store.js";

/** An object's JSON without its resourceVersion, and where apply splices that in. */
export interface EncodedObject {
  readonly bytes: Uint8Array;
  /** Offset in bytes at which the revision's digits go. */
  readonly revisionAt: number;
}

/**
 * The stored form: apiVersion, kind, metadata in a fixed order, the rest as it is, status last. What stood in
 * metadata.resourceVersion is left out; the place between its quotes is `revisionAt`.
 */
export function encodeObject(object: AnyObject): EncodedObject {
  const { apiVersion, kind, metadata, status, ...rest } = object;
  const { name, generateName, namespace, uid, ...after } = without(orderMetadata(metadata), "resourceVersion");
  const identity = JSON.stringify({ name, generateName, namespace, uid });
  const head = `{"apiVersion":${JSON.stringify(apiVersion)},"kind":${JSON.stringify(kind)},"metadata":${identity.slice(0, -1)},"resourceVersion":"`;
  const metaTail = JSON.stringify(after);
  const tail = JSON.stringify(status === undefined ? rest : { ...rest, status });
  const text = `"${join(metaTail)}}${join(tail)}}`;
  const headBytes = encoder.encode(head);
  const tailBytes = encoder.encode(text);
  const bytes = new Uint8Array(headBytes.length + tailBytes.length);
  bytes.set(headBytes);
  bytes.set(tailBytes, headBytes.length);
  return { bytes, revisionAt: headBytes.length };
}

/** The object in a record of the store, deep-frozen. */
export function decodeRecord(record: KeyRecord): AnyObject {
  const object = JSON.parse(decoder.decode(record.value)) as AnyObject;
  invariant(
    object.metadata.resourceVersion === String(record.modRevision),
    `the object at ${record.key} carries the revision of its last change`,
  );
  return deepFreeze(object);
}

/** Freezes a tree of JSON and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The members of a JSON object, with a comma before them when there are any. */
function join(json: string): string {
  return json === "{}" ? "" : `,${json.slice(1, -1)}`;
}

const metadataOrder = [
  "name",
  "generateName",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "labels",
  "annotations",
  "ownerReferences",
  "finalizers",
  "managedFields",
] as const satisfies readonly (keyof ObjectMeta)[];

function orderMetadata(metadata: ObjectMeta): ObjectMeta {
  const ordered: { [field: string]: unknown } = {};
  for (const field of metadataOrder) if (metadata[field] !== undefined) ordered[field] = metadata[field];
  return { ...ordered, ...metadata, ...ordered };
}

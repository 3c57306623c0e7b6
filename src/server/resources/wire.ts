import type { ikada } from "#proto/api.js";
import { kindByGroupKind } from "../../api/registry.js";
import type { AnyObject } from "../../api/object.js";
import { scaleOf } from "../../api/scale.js";
import { encodeObject } from "../../objects/encode.js";
import { keyOfObject, parseStoreKey, storeKey } from "../../objects/keys.js";
import type { KeyRecord } from "../../../store/store.js";

export type WireObject = ikada.api.v1.IObject;

/** A stored object as it goes to clients: the bytes are those of the store. */
export function toWire(record: KeyRecord): WireObject {
  const key = parseStoreKey(record.key);
  const kind = kindByGroupKind(key.groupKind);
  return {
    group: kind.group,
    version: kind.version,
    kind: kind.kind,
    namespace: key.namespace,
    name: key.name,
    uid: uidOf(record.value),
    revision: record.modRevision,
    json: record.value,
  };
}

/** An object that is not stored (a dry run), or not as this (a deleted one), as it would be at `revision`. */
export function toWireAt(object: AnyObject, revision: number): WireObject {
  return toWire(recordOf(object, revision));
}

/** The Scale of an object that has one, as it goes to clients in the object's stead. */
export function scaleToWire(object: WireObject): WireObject {
  const scale = scaleOf(JSON.parse(new TextDecoder().decode(object.json ?? new Uint8Array())) as AnyObject);
  return { ...object, group: "autoscaling", version: "v1", kind: "Scale", json: encoder.encode(JSON.stringify(scale)) };
}

/** The record that storing `object` at `revision` gives. */
export function recordOf(object: AnyObject, revision: number): KeyRecord {
  const { bytes, revisionAt } = encodeObject(object);
  const digits = encoder.encode(String(revision));
  const value = new Uint8Array(bytes.length + digits.length);
  value.set(bytes.subarray(0, revisionAt));
  value.set(digits, revisionAt);
  value.set(bytes.subarray(revisionAt), revisionAt + digits.length);
  const key = storeKey(keyOfObject(object));
  return { key, value, createRevision: revision, modRevision: revision, version: 1 };
}

/** encodeObject writes the uid before anything a user chose but names, so the first one is the object's own. */
function uidOf(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, headBytes)).toString("latin1");
  return /"uid":"([^"]*)"/.exec(head)?.[1] ?? "";
}

/** apiVersion, kind, name, generateName and namespace are at most 253 characters each. */
const headBytes = 2048;
const encoder = new TextEncoder();

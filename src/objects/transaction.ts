import { objectName } from "../api/kind.js";
import { kindByGroupKind } from "../api/registry.js";
import type { AnyObject } from "../api/object.js";
import { IkadaError, invariant } from "../base/errors.js";
import type { Compare, KeyRecord, Operation, Txn } from "../../store/store.js";
import type { Changes } from "./changes.js";
import { encodeObject } from "./encode.js";
import { keyOfObject, storeKey } from "./keys.js";
import type { ObjectKey } from "./snapshot.js";

/** The store transaction that does all of `changes`, or nothing when one of its objects has changed meanwhile. */
export function changesToTxn(changes: Changes): Txn {
  const compares: Compare[] = [];
  const success: Operation[] = [];
  for (const object of changes.creates) {
    const key = storeKey(keyOfObject(object));
    compares.push({ key, target: "version", operator: "=", operand: 0 });
    success.push(put(key, object));
  }
  for (const object of changes.updates) {
    const key = storeKey(keyOfObject(object));
    compares.push(unchangedSince(key, object.metadata.resourceVersion));
    success.push(put(key, object));
  }
  for (const removed of changes.removes) {
    const key = storeKey(removed);
    compares.push(unchangedSince(key, removed.resourceVersion));
    success.push({ type: "delete", key });
  }
  for (const read of changes.unchanged) compares.push(unchangedSince(storeKey(read), read.resourceVersion));
  return { compares, success, failure: [] };
}

/**
 * Why a transaction of `changes` was refused, from the present state (which may have moved on since): AlreadyExists,
 * NotFound or Conflict, naming the object.
 */
export function explainRefusal(changes: Changes, peek: (key: string) => KeyRecord | undefined): IkadaError {
  for (const object of changes.creates) {
    const key = keyOfObject(object);
    if (peek(storeKey(key)) === undefined) continue;
    return new IkadaError("AlreadyExists", `${nameOf(key)} already exists`, { object: nameOf(key) });
  }
  const decidedFrom = [
    ...changes.updates.map((object) => ({
      ...keyOfObject(object),
      resourceVersion: object.metadata.resourceVersion ?? "",
    })),
    ...changes.removes,
    ...changes.unchanged,
  ];
  for (const key of decidedFrom) {
    const record = peek(storeKey(key));
    if (record === undefined) return new IkadaError("NotFound", `${nameOf(key)} not found`, { object: nameOf(key) });
    if (String(record.modRevision) !== key.resourceVersion) return conflict(nameOf(key));
  }
  const first = decidedFrom[0] ?? changes.creates.map(keyOfObject)[0];
  return conflict(first === undefined ? "the objects" : nameOf(first));
}

/** Nothing to do. */
export const noChanges: Changes = { creates: [], updates: [], removes: [], unchanged: [] };

/** Several decisions as one transaction. */
export function mergeChanges(all: readonly Changes[]): Changes {
  return {
    creates: all.flatMap((changes) => changes.creates),
    updates: all.flatMap((changes) => changes.updates),
    removes: all.flatMap((changes) => changes.removes),
    unchanged: all.flatMap((changes) => changes.unchanged),
  };
}

/** True when nothing would be written. */
export function isEmpty(changes: Changes): boolean {
  return changes.creates.length === 0 && changes.updates.length === 0 && changes.removes.length === 0;
}

function conflict(object: string): IkadaError {
  return new IkadaError("Conflict", `${object} has been modified since it was read`, {
    object,
    hint: "get it again, repeat the change on what it is now, and send that",
  });
}

function nameOf(key: ObjectKey): string {
  return objectName(kindByGroupKind(key.groupKind), key.name);
}

function put(key: string, object: AnyObject): Operation {
  const { bytes, revisionAt } = encodeObject(object);
  return { type: "put", key, value: bytes, revisionAt };
}

function unchangedSince(key: string, resourceVersion: string | undefined): Compare {
  const operand = Number(resourceVersion);
  invariant(
    resourceVersion !== undefined && Number.isSafeInteger(operand) && operand > 0,
    `a change of ${key} names the revision it was decided from, not "${resourceVersion}"`,
  );
  return { key, target: "modRevision", operator: "=", operand };
}

import type { Event } from "../api/kinds/core.js";
import type { AnyObject } from "../api/object.js";
import { fromTimestamp, toTimestamp } from "../api/time.js";
import type { Changes } from "../objects/changes.js";
import type { Snapshot } from "../objects/snapshot.js";
import type { DecisionEvent } from "./controller.js";
import { derivedUid, derivedSuffix } from "../objects/derived-id.js";
import { asObject, isNamespaceOpen } from "./pod-state.js";

/** Repeats within this time count up one Event; a later one starts it anew. */
const foldMs = 10 * 60_000;
const messageLengthMax = 1024;

/** The changes with Event objects for what is to be told. The same thing told of the same object again is one Event, counted. */
export function withEvents(
  changes: Changes,
  events: readonly DecisionEvent[],
  component: string,
  snapshot: Snapshot,
  now: number,
): Changes {
  const creates = new Map<string, Event>();
  const updates = new Map<string, Event>();
  for (const told of events) {
    const fresh = makeEvent(told, component, now);
    const namespace = fresh.metadata.namespace ?? "";
    const key = `${namespace}/${fresh.metadata.name}`;
    if (!isNamespaceOpen(snapshot, namespace)) continue;
    if (creates.has(key) || updates.has(key)) continue;
    const present = snapshot.get<Event>("/Event", namespace, fresh.metadata.name);
    if (present === undefined) creates.set(key, fresh);
    else updates.set(key, repeated(present, fresh, now));
  }
  return {
    ...changes,
    creates: [...changes.creates, ...[...creates.values()].map(asObject)],
    updates: [...changes.updates, ...[...updates.values()].map(asObject)],
  };
}

function makeEvent({ object, type, reason, message }: DecisionEvent, component: string, now: number): Event {
  const { name, namespace, uid = "", resourceVersion } = object.metadata;
  const text = message.length > messageLengthMax ? `${message.slice(0, messageLengthMax - 3)}...` : message;
  const identity = [uid, namespace ?? "", name, component, type, reason, text];
  const time = toTimestamp(now);
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      name: `${name.slice(0, 200)}.${derivedSuffix(10, ...identity)}`,
      // As in Kubernetes: what has no namespace is told in the default one.
      namespace: namespace ?? "default",
      uid: derivedUid("Event", ...identity, time),
      creationTimestamp: time,
    },
    involvedObject: referenceTo(object, uid, resourceVersion),
    type,
    reason,
    message: text,
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { component },
  };
}

function referenceTo(object: AnyObject, uid: string, resourceVersion: string | undefined): Event["involvedObject"] {
  const { name, namespace } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    uid,
    ...(namespace === undefined ? {} : { namespace }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

function repeated(present: Event, fresh: Event, now: number): Event {
  const last = fromTimestamp(present.lastTimestamp ?? "") ?? 0;
  const folds = now - last < foldMs;
  return {
    ...present,
    involvedObject: fresh.involvedObject,
    count: folds ? (present.count ?? 1) + 1 : 1,
    ...(folds || fresh.firstTimestamp === undefined ? {} : { firstTimestamp: fresh.firstTimestamp }),
    ...(fresh.lastTimestamp === undefined ? {} : { lastTimestamp: fresh.lastTimestamp }),
  };
}

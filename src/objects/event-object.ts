import type { Event } from "../api/kinds/core.js";
import type { AnyObject } from "../api/object.js";
import { fromTimestamp, toTimestamp } from "../api/time.js";
import { derivedSuffix, derivedUid } from "./derived-id.js";

/** What is told of an object. */
export interface Told {
  readonly object: AnyObject;
  /** The part of it that is meant. */
  readonly fieldPath?: string | undefined;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** Who tells it. */
export interface EventSource {
  readonly component: string;
  readonly host?: string;
}

/** Repeats within this time count up one Event; a later one starts it anew. */
const foldMs = 10 * 60_000;
const messageLengthMax = 1024;

/** An Event as if it was told for the first time. Its name follows from what is told of what by whom, so that repeats find it. */
export function newEvent(told: Told, source: EventSource, now: number, count = 1): Event {
  const { object, fieldPath, type, reason, message } = told;
  const { name, namespace, uid = "" } = object.metadata;
  const text = message.length > messageLengthMax ? `${message.slice(0, messageLengthMax - 3)}...` : message;
  const place = fieldPath === undefined ? [] : [fieldPath];
  const teller = source.host === undefined ? source.component : `${source.component}/${source.host}`;
  const identity = [uid, namespace ?? "", name, teller, type, reason, text, ...place];
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
    involvedObject: referenceTo(object, fieldPath),
    type,
    reason,
    message: text,
    count,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { ...source },
  };
}

/** The Event that is there, told again as `fresh`. */
export function repeatedEvent(present: Event, fresh: Event, now: number): Event {
  const last = fromTimestamp(present.lastTimestamp ?? "") ?? 0;
  const folds = now - last < foldMs;
  const more = fresh.count ?? 1;
  return {
    ...present,
    involvedObject: fresh.involvedObject,
    count: folds ? (present.count ?? 1) + more : more,
    ...(folds || fresh.firstTimestamp === undefined ? {} : { firstTimestamp: fresh.firstTimestamp }),
    ...(fresh.lastTimestamp === undefined ? {} : { lastTimestamp: fresh.lastTimestamp }),
  };
}

function referenceTo(object: AnyObject, fieldPath: string | undefined): Event["involvedObject"] {
  const { name, namespace, uid = "", resourceVersion } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    uid,
    ...(namespace === undefined ? {} : { namespace }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  };
}

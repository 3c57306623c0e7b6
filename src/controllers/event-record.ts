import type { Event } from "../api/kinds/core.js";
import type { Changes } from "../objects/changes.js";
import { newEvent, repeatedEvent } from "../objects/event-object.js";
import type { Snapshot } from "../objects/snapshot.js";
import type { DecisionEvent } from "./controller.js";
import { asObject, isNamespaceOpen } from "./pod-state.js";

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
    const fresh = newEvent(told, { component }, now);
    const namespace = fresh.metadata.namespace ?? "";
    const key = `${namespace}/${fresh.metadata.name}`;
    if (!isNamespaceOpen(snapshot, namespace)) continue;
    if (creates.has(key) || updates.has(key)) continue;
    const present = snapshot.get<Event>("/Event", namespace, fresh.metadata.name);
    if (present === undefined) creates.set(key, fresh);
    else updates.set(key, repeatedEvent(present, fresh, now));
  }
  return {
    ...changes,
    creates: [...changes.creates, ...[...creates.values()].map(asObject)],
    updates: [...changes.updates, ...[...updates.values()].map(asObject)],
  };
}

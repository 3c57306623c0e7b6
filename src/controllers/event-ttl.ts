import type { Event } from "../api/kinds/core.js";
import { fromTimestamp } from "../api/time.js";
import type { ObjectKey } from "../objects/snapshot.js";
import { isEmpty, mergeChanges } from "../objects/transaction.js";
import { objectsPerDecisionMax } from "./bounds.js";
import type { Controller, Decision, World } from "./controller.js";
import { removal } from "./deletion.js";
import { asObject, createdAt } from "./pod-state.js";
import type { ControllerSettings } from "./settings.js";

/** Removes Events that were last counted longer than their time to live ago. */
export function eventTtlController(settings: ControllerSettings): Controller {
  return {
    name: "event-ttl",
    wakes: () => [],
    keys: () => [everything],
    reconcile(_key: ObjectKey, { snapshot, now }: World): Decision {
      const old: Event[] = [];
      let more = false;
      for (const event of snapshot.list<Event>("/Event")) {
        const last = fromTimestamp(event.lastTimestamp ?? "") ?? createdAt(event);
        if (last + settings.eventTtlMs > now) continue;
        more = old.length === objectsPerDecisionMax;
        if (more) break;
        old.push(event);
      }
      const changes = mergeChanges(old.map((event) => removal(asObject(event))));
      return { ...(isEmpty(changes) ? {} : { changes }), wakeAt: now + (more ? nextBatchMs : pollMs) };
    },
  };
}

/** Stands for all Events together. */
const everything: ObjectKey = { groupKind: "/Event", namespace: "", name: "" };
const nextBatchMs = 100;
const pollMs = 60_000;

import type { Pod } from "../api/kinds/pod.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import { toTimestamp } from "../api/time.js";
import type { Changes } from "../objects/changes.js";
import { keyOfObject } from "../objects/keys.js";
import { noChanges } from "../objects/transaction.js";
import { isFinished, isTerminating } from "./pod-state.js";

export function deletion(object: AnyObject, options: { readonly now: number }): Changes {
  if (isTerminating(object)) return noChanges;
  const pod = object as unknown as Pod;
  const graceful = groupKindOfObject(object) === "/Pod" && (pod.spec.nodeName ?? "") !== "" && !isFinished(pod);
  const seconds = graceful ? (pod.spec.terminationGracePeriodSeconds ?? 30) : 0;
  if (!graceful && (object.metadata.finalizers ?? []).length === 0) return removal(object);
  const metadata = {
    ...object.metadata,
    deletionTimestamp: toTimestamp(options.now + seconds * 1000),
    ...(graceful ? { deletionGracePeriodSeconds: seconds } : {}),
  };
  return { ...noChanges, updates: [{ ...object, metadata }] };
}

/** Takes the object out of the store, whatever it waits for. */
export function removal(object: AnyObject): Changes {
  const { resourceVersion = "" } = object.metadata;
  return { ...noChanges, removes: [{ ...keyOfObject(object), resourceVersion }] };
}

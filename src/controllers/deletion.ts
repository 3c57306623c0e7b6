import type { Pod } from "../api/kinds/pod.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import type { Changes } from "../objects/changes.js";
import { deleteObject, type DeleteOptions } from "../objects/delete-object.js";
import { keyOfObject } from "../objects/keys.js";
import { noChanges } from "../objects/transaction.js";

/**
 * A controller's delete. Of a Pod on a node the object stays until the agent has confirmed that its containers are gone, even
 * when its own grace period is 0: what the store no longer shows must not run.
 */
export function deletion(object: AnyObject, now: number, propagation?: "Background" | "Foreground"): Changes {
  const options: DeleteOptions = propagation === undefined ? {} : { propagation };
  if (groupKindOfObject(object) !== "/Pod") return deleteObject(object, options, now).changes;
  const own = (object as unknown as Pod).spec.terminationGracePeriodSeconds ?? graceSecondsDefault;
  return deleteObject(object, { ...options, gracePeriodSeconds: Math.max(1, own) }, now).changes;
}

const graceSecondsDefault = 30;

/** Takes the object out of the store, whatever it waits for. */
export function removal(object: AnyObject): Changes {
  const { resourceVersion = "" } = object.metadata;
  return { ...noChanges, removes: [{ ...keyOfObject(object), resourceVersion }] };
}

import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import type { Changes } from "../objects/changes.js";
import { deleteObject, deletePod, type DeleteOptions } from "../objects/delete-object.js";
import { keyOfObject } from "../objects/keys.js";
import { noChanges } from "../objects/transaction.js";

/** A controller's delete. */
export function deletion(object: AnyObject, now: number, propagation?: "Background" | "Foreground"): Changes {
  const options: DeleteOptions = propagation === undefined ? {} : { propagation };
  const isPod = groupKindOfObject(object) === "/Pod";
  return (isPod ? deletePod : deleteObject)(object, options, now).changes;
}

/** Takes the object out of the store, whatever it waits for. */
export function removal(object: AnyObject): Changes {
  const { resourceVersion = "" } = object.metadata;
  return { ...noChanges, removes: [{ ...keyOfObject(object), resourceVersion }] };
}

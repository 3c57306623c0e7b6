import { IkadaError } from "../base/errors.js";
import { objectName } from "./kind.js";
import type { AnyObject } from "./object.js";
import { kindOf } from "./registry.js";

/**
 * That `live` is the object and the state that a request means, where it says so. An empty uid or resourceVersion says nothing.
 * @throws IkadaError Conflict
 */
export function checkPreconditions(
  live: AnyObject,
  meant: { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined },
): void {
  const { uid = "", resourceVersion = "" } = meant;
  const object = objectName(kindOf(live), live.metadata.name);
  if (uid !== "" && uid !== live.metadata.uid)
    throw new IkadaError("Conflict", `${object} has the uid ${live.metadata.uid ?? "<none>"}, not ${uid}`, {
      object,
      hint: "it was deleted and another object has its name now: get that and look at it first",
    });
  if (resourceVersion !== "" && resourceVersion !== live.metadata.resourceVersion)
    throw new IkadaError("Conflict", `${object} has been modified since revision ${resourceVersion}`, {
      object,
      hint: "get it again, repeat the change on what it is now, and send that",
    });
}

import type { ikada } from "#proto/api.js";
import { withDefaults } from "../../api/defaults.js";
import type { KindDefinition } from "../../api/kind.js";
import { trackUpdate } from "../../api/managed-fields.js";
import type { AnyObject } from "../../api/object.js";
import { checkPreconditions } from "../../api/preconditions.js";
import { updateOrFinish } from "../../objects/delete-object.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import { updatedObject } from "../../objects/update-object.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { admitObject, checkChange, keyOfAdmitted } from "./admission.js";
import { commitWrite } from "./commit.js";
import type { Plan } from "./commit.js";
import { managerOf } from "./field-owners.js";
import type { Manager } from "./field-owners.js";
import { notFound } from "./get.js";
import { checkGlobalDefault } from "./priority.js";
import { statusOrWhole } from "./subresource.js";
import { writeResponse } from "./write-response.js";

/**
 * Replaces an object, or only its status. With a resourceVersion in the object it must still be the present one.
 * @throws IkadaError NotFound, Conflict, Invalid
 */
export async function updateObject(
  store: Store,
  request: ikada.api.v1.UpdateRequest,
  call: Call,
): Promise<ikada.api.v1.IWriteResponse> {
  const { kind, object, warnings } = admitObject(request.object, "whole");
  const subresource = statusOrWhole(kind, request.subresource);
  const key = keyOfAdmitted(kind, object);
  const manager = managerOf(request.options, call);
  const written = await commitWrite({
    store,
    call,
    options: request.options,
    keyOf: () => key,
    decide: (read) => {
      const live = liveObject(kind, key, read);
      checkPreconditions(live, object.metadata);
      const plan = planUpdate(kind, live, object, { manager, now: Date.now(), subresource });
      checkGlobalDefault(kind, plan.object, store);
      return plan;
    },
  });
  return writeResponse(written, warnings, false);
}

/** @throws IkadaError NotFound */
export function liveObject(
  kind: KindDefinition,
  key: ObjectKey,
  read: (key: ObjectKey) => AnyObject | undefined,
): AnyObject {
  const live = read(key);
  if (!live) throw notFound(kind, key.name);
  return live;
}

/** What storing `wanted` over `live` changes. `wanted` needs no defaults yet. */
export function planUpdate(kind: KindDefinition, live: AnyObject, wanted: AnyObject, manager: Manager): Plan {
  const subresource = manager.subresource === "status" ? "status" : "";
  const tracked = trackUpdate(live, withDefaults(wanted), manager, manager.now);
  const merged = updatedObject(live, tracked, subresource);
  const key = keyOfAdmitted(kind, live);
  if (merged === live) return { key, object: live, changes: undefined };
  checkChange(kind, live, merged);
  return { key, object: merged, changes: updateOrFinish(merged) };
}

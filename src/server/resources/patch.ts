import type { ikada } from "#proto/api.js";
import { checkPreconditions } from "../../api/preconditions.js";
import { IkadaError } from "../../base/errors.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { admitValue, keyOfAdmitted } from "./admission.js";
import { commitWrite } from "./commit.js";
import { managerOf } from "./field-owners.js";
import { PatchDocument } from "./patch-document.js";
import { requestedReference } from "./reference.js";
import { checkGlobalDefault } from "./priority.js";
import { statusOrWhole } from "./subresource.js";
import { liveObject, planUpdate } from "./update.js";
import { storeKey } from "../../objects/keys.js";
import { writeResponse } from "./write-response.js";

/** A patch of one of three types on the present object. @throws IkadaError NotFound, Conflict, Invalid, BadRequest, TooLarge */
export async function patchObject(
  store: Store,
  request: ikada.api.v1.PatchRequest,
  call: Call,
): Promise<ikada.api.v1.IWriteResponse> {
  const { kind, key } = requestedReference(request.reference);
  const subresource = statusOrWhole(kind, request.subresource);
  const patch = new PatchDocument(request);
  const manager = managerOf(request.options, call);
  let warnings: readonly string[] = [];
  const written = await commitWrite({
    store,
    call,
    options: request.options,
    keyOf: () => key,
    decide: (read) => {
      const live = liveObject(kind, key, read);
      const admitted = admitValue(patch.appliedTo(live, kind.schema), "whole", key.name);
      if (storeKey(keyOfAdmitted(admitted.kind, admitted.object)) !== storeKey(key)) {
        throw new IkadaError("BadRequest", "a patch may not change apiVersion, kind, namespace or name");
      }
      ({ warnings } = admitted);
      checkPreconditions(live, admitted.object.metadata);
      const plan = planUpdate(kind, live, admitted.object, { manager, now: Date.now(), subresource });
      checkGlobalDefault(kind, plan.object, store);
      return plan;
    },
  });
  return writeResponse(written, warnings, false);
}

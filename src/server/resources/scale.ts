import type { ikada } from "#proto/api.js";
import { objectName } from "../../api/kind.js";
import type { AnyObject } from "../../api/object.js";
import { valueAt } from "../../api/path.js";
import { IkadaError } from "../../base/errors.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { commitWrite } from "./commit.js";
import { managerOf } from "./field-owners.js";
import { requestedReference } from "./reference.js";
import { liveObject, planUpdate } from "./update.js";
import { writeResponse } from "./write-response.js";

/** Sets spec.replicas. @throws IkadaError NotFound, Unsupported, Conflict when current_replicas is not the present number */
export async function scaleObject(
  store: Store,
  request: ikada.api.v1.ScaleRequest,
  call: Call,
): Promise<ikada.api.v1.IWriteResponse> {
  const { kind, key } = requestedReference(request.reference);
  if (!kind.hasScale) throw new IkadaError("Unsupported", `${kind.plural} can't be scaled`);
  const { replicas, currentReplicas } = request;
  if (replicas < 0) throw new IkadaError("BadRequest", `${replicas} replicas can't be`);
  const manager = managerOf(request.options, call);
  const written = await commitWrite({
    store,
    call,
    options: request.options,
    keyOf: () => key,
    decide: (read) => {
      const live = liveObject(kind, key, read);
      const present = valueAt(live, "spec", "replicas");
      if (typeof currentReplicas === "number" && present !== currentReplicas) {
        const object = objectName(kind, key.name);
        throw new IkadaError("Conflict", `${object} has ${String(present)} replicas, not ${currentReplicas}`, {
          object,
        });
      }
      const wanted: AnyObject = { ...live, spec: { ...(live["spec"] as object | undefined), replicas } };
      return planUpdate(kind, live, wanted, { manager, now: Date.now(), subresource: "scale" });
    },
  });
  return writeResponse(written, [], false);
}

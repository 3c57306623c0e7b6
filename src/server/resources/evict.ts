import type { ikada } from "#proto/api.js";
import { groupKindOf } from "../../api/kind.js";
import type { PodDisruptionBudget } from "../../api/kinds/policy.js";
import type { Pod } from "../../api/kinds/pod.js";
import { kindByGroupKind } from "../../api/registry.js";
import { IkadaError } from "../../base/errors.js";
import { decodeRecord } from "../../objects/encode.js";
import { evictPod } from "../../objects/evict-pod.js";
import { kindPrefix } from "../../objects/keys.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { deleteWith, preconditionsOf } from "./delete.js";
import { requestedReference } from "./reference.js";

/**
 * Deletes a Pod as far as its PodDisruptionBudget lets it.
 * @throws IkadaError DisruptionBudget, NotFound, Conflict for a failed precondition, Unsupported for other kinds and for Pods with two budgets
 */
export function evictResource(
  store: Store,
  request: ikada.api.v1.EvictRequest,
  call: Call,
): Promise<ikada.api.v1.IDeleteResponse> {
  const { kind, key } = requestedReference(request.reference);
  if (groupKindOf(kind) !== "/Pod") throw new IkadaError("Unsupported", `${kind.plural} can't be evicted`);
  const { gracePeriodSeconds } = request;
  const options = {
    ...preconditionsOf(request),
    ...(typeof gracePeriodSeconds === "number" && { gracePeriodSeconds }),
  };
  return deleteWith(store, { kind, key, options: request.options }, call, (live, now) =>
    evictPod(live as unknown as Pod, budgetsIn(store, key.namespace), options, now),
  );
}

/** As they are now; the budget that the decision is about is compared again when it is written. */
function budgetsIn(store: Store, namespace: string): readonly PodDisruptionBudget[] {
  const prefix = kindPrefix(kindByGroupKind("policy/PodDisruptionBudget"), namespace);
  return [...store.peekPrefix(prefix)].map((record) => decodeRecord(record) as unknown as PodDisruptionBudget);
}

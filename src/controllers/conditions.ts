import type { Condition } from "../api/object.js";
import { toTimestamp } from "../api/time.js";

/** What a controller says of one condition; the times are filled in. */
export interface Verdict {
  readonly type: string;
  readonly status: Condition["status"];
  readonly reason: string;
  readonly message: string;
}

/**
 * The list with this verdict in it. As in Kubernetes, lastTransitionTime moves only with the status, and nothing
 * changes at all when status and reason stay, unless `touch`: then message and lastUpdateTime are renewed.
 */
export function withCondition(
  conditions: readonly Condition[],
  verdict: Verdict,
  now: number,
  touch = false,
): readonly Condition[] {
  const time = toTimestamp(now);
  const present = conditions.find((one) => one.type === verdict.type);
  if (present?.status === verdict.status && present.reason === verdict.reason && !touch) return conditions;
  const next: Condition = {
    ...verdict,
    lastUpdateTime: time,
    lastTransitionTime: present?.status === verdict.status ? (present.lastTransitionTime ?? time) : time,
  };
  return present === undefined
    ? [...conditions, next]
    : conditions.map((one) => (one.type === verdict.type ? next : one));
}

export function withoutCondition(conditions: readonly Condition[], type: string): readonly Condition[] {
  return conditions.some((one) => one.type === type) ? conditions.filter((one) => one.type !== type) : conditions;
}

/** The status with Kubernetes' ReplicaFailure: there while Pods are missing that may not be made, for this reason. */
export function withReplicaFailure<S extends { readonly conditions?: readonly Condition[] }>(
  status: S,
  refusal: string | undefined,
  now: number,
): S {
  const { conditions = [] } = status;
  const after =
    refusal === undefined
      ? withoutCondition(conditions, "ReplicaFailure")
      : withCondition(
          conditions,
          { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: refusal },
          now,
        );
  return after === conditions ? status : { ...status, conditions: after };
}

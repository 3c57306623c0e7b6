import type { Condition } from "../api/object.js";
import { toTimestamp } from "../api/time.js";
import type { Verdict } from "./conditions.js";

/**
 * A Job's conditions with this verdict in them. As in Kubernetes a changed one is made anew with its times, and one that does not hold is not
 * added where none is.
 */
export function withJobCondition(
  conditions: readonly Condition[],
  verdict: Verdict,
  now: number,
): readonly Condition[] {
  const { type, status, reason, message } = verdict;
  const present = conditions.find((one) => one.type === type);
  if (present === undefined && status === "False") return conditions;
  if (present?.status === status && present.reason === reason && present.message === message) return conditions;
  const time = toTimestamp(now);
  const next: Condition = { ...verdict, lastProbeTime: time, lastTransitionTime: time };
  return present === undefined ? [...conditions, next] : conditions.map((one) => (one === present ? next : one));
}

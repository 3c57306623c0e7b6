import type { FieldFault } from "../../base/errors.js";
import type { AnyObject } from "../object.js";
import { countAt, valueAt } from "../path.js";
import { workloadRules } from "./workload-rules.js";

/** Rules of a Deployment beside those of its template: the strategy's numbers and the deadline. */
export function deploymentRules(deployment: AnyObject, faults: FieldFault[]): void {
  workloadRules(deployment, faults);
  strategyRules(valueAt(deployment, "spec", "strategy"), faults);
  const deadline = countAt(deployment, "spec", "progressDeadlineSeconds");
  const minReady = countAt(deployment, "spec", "minReadySeconds");
  if (deadline <= minReady)
    faults.push({
      field: "spec.progressDeadlineSeconds",
      reason: "Invalid",
      message: `must be more than minReadySeconds (${minReady}), or no rollout could ever succeed`,
    });
}

function strategyRules(strategy: unknown, faults: FieldFault[]): void {
  const rolling = valueAt(strategy, "rollingUpdate");
  const field = "spec.strategy.rollingUpdate";
  if (valueAt(strategy, "type") === "Recreate") {
    if (rolling !== undefined)
      faults.push({ field, reason: "Invalid", message: "may only be given when the strategy's type is RollingUpdate" });
    return;
  }
  const surge = amount(valueAt(rolling, "maxSurge"), `${field}.maxSurge`, faults);
  const unavailable = amount(valueAt(rolling, "maxUnavailable"), `${field}.maxUnavailable`, faults);
  if (unavailable !== undefined && unavailable.percent && unavailable.value > 100)
    faults.push({ field: `${field}.maxUnavailable`, reason: "Invalid", message: "must not be more than 100%" });
  if (surge?.value === 0 && unavailable?.value === 0)
    faults.push({ field: `${field}.maxUnavailable`, reason: "Invalid", message: "must not be 0 when maxSurge is 0" });
}

/** A count or a percentage; undefined, with a fault, when it is neither. */
function amount(value: unknown, field: string, faults: FieldFault[]): { value: number; percent: boolean } | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number") {
    if (Number.isInteger(value) && value >= 0) return { value, percent: false };
  } else if (typeof value === "string") {
    const match = /^(\d{1,9})%$/.exec(value);
    if (match !== null) return { value: Number(match[1]), percent: true };
  }
  faults.push({ field, reason: "Invalid", message: `must be a whole number from 0 or a percentage such as "25%"` });
  return undefined;
}

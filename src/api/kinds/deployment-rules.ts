import type { FieldFault } from "../../base/errors.js";
import type { AnyObject } from "../object.js";
import { countAt, valueAt } from "../path.js";
import { amountRule, shareRule } from "./amount-rule.js";
import { rollingOnly, workloadRules } from "./workload-rules.js";

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
  if (!rollingOnly(strategy, "Recreate", field, faults)) return;
  const surge = amountRule(valueAt(rolling, "maxSurge"), `${field}.maxSurge`, faults);
  const unavailable = shareRule(valueAt(rolling, "maxUnavailable"), `${field}.maxUnavailable`, faults);
  if (surge?.value === 0 && unavailable?.value === 0)
    faults.push({ field: `${field}.maxUnavailable`, reason: "Invalid", message: "must not be 0 when maxSurge is 0" });
}

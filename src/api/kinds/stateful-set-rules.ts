import type { FieldFault } from "../../base/errors.js";
import type { AnyObject } from "../object.js";
import { countAt, valueAt } from "../path.js";
import { shareRule } from "./amount-rule.js";
import { rollingOnly, workloadRules } from "./workload-rules.js";

/** Rules of a StatefulSet beside those of its template: its names have to fit, and the numbers of its updates. */
export function statefulSetRules(set: AnyObject, faults: FieldFault[]): void {
  workloadRules(set, faults);
  if ((set.metadata.name ?? "").length > nameLengthMax)
    faults.push({
      field: "metadata.name",
      reason: "TooLong",
      message: `must be no more than ${nameLengthMax} characters, or its Pods could not carry it with their ordinal and revision in names and labels`,
    });
  const start = countAt(set, "spec", "ordinals", "start");
  if (start + countAt(set, "spec", "replicas") > ordinalMax)
    faults.push({ field: "spec.ordinals.start", reason: "Invalid", message: `no ordinal may be above ${ordinalMax}` });
  const field = "spec.updateStrategy.rollingUpdate";
  if (!rollingOnly(valueAt(set, "spec", "updateStrategy"), "OnDelete", field, faults)) return;
  const unavailable = valueAt(set, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable");
  if (shareRule(unavailable, `${field}.maxUnavailable`, faults)?.value === 0)
    faults.push({
      field: `${field}.maxUnavailable`,
      reason: "Invalid",
      message: "must not be 0, or no Pod could ever be updated",
    });
}

/** A label's 63 characters, without `-` and the ten of a revision's hash. */
const nameLengthMax = 52;
const ordinalMax = 2 ** 31 - 1;

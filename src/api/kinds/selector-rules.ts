import type { FieldFault } from "../../base/errors.js";
import type { LabelSelector } from "../object.js";

/** A selector's expressions have values where their operator needs them, and only there. */
export function selectorRules(selector: LabelSelector, path: string, faults: FieldFault[]): void {
  for (const [at, { operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const field = `${path}.matchExpressions[${at}].values`;
    const needed = operator === "In" || operator === "NotIn";
    if (needed && values.length === 0)
      faults.push({ field, reason: "Required", message: `must have a value for operator ${operator}` });
    if (!needed && values.length > 0)
      faults.push({ field, reason: "Invalid", message: `must be empty for operator ${operator}` });
  }
}

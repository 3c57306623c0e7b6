import type { FieldFault } from "../../base/errors.js";
import type { AnyObject, LabelSelector } from "../object.js";
import type { PodSpec } from "./pod.js";

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

export function podRules(_pod: AnyObject, _faults: FieldFault[]): void {}
export function podUpdateRules(_before: AnyObject, _after: AnyObject, _faults: FieldFault[]): void {}
export function podSpecRules(_spec: PodSpec, _path: string, _faults: FieldFault[]): void {}

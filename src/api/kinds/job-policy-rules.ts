import type { FieldFault } from "../../base/errors.js";
import { parseIndexes, sizeOf } from "../index-set.js";
import type { JobSpec, PodFailureRule, SuccessRule } from "./batch.js";

const rulesMax = 20;
const exitCodesMax = 255;
const conditionsMax = 20;

/** Rules of `podFailurePolicy` and `successPolicy` of a Job's spec at `path`, as in Kubernetes' pkg/apis/batch/validation. */
export function jobPolicyRules(spec: JobSpec, path: string, faults: FieldFault[]): void {
  const { podFailurePolicy, successPolicy } = spec;
  const failureRules = podFailurePolicy?.rules ?? [];
  if (failureRules.length > rulesMax) faults.push(tooMany(`${path}.podFailurePolicy.rules`, rulesMax));
  for (const [at, rule] of failureRules.entries())
    podFailureRule(rule, spec, `${path}.podFailurePolicy.rules[${at}]`, faults);
  if (podFailurePolicy !== undefined && spec.podReplacementPolicy !== "Failed")
    faults.push({
      field: `${path}.podReplacementPolicy`,
      reason: "NotSupported",
      message: "must be Failed where there is a podFailurePolicy: only an ended Pod can be judged",
    });
  const successRules = successPolicy?.rules ?? [];
  if (successPolicy !== undefined && spec.completionMode !== "Indexed")
    faults.push(invalid(`${path}.successPolicy`, "needs completionMode Indexed"));
  if (successRules.length > rulesMax) faults.push(tooMany(`${path}.successPolicy.rules`, rulesMax));
  for (const [at, rule] of successRules.entries())
    successRule(rule, spec.completions ?? 0, `${path}.successPolicy.rules[${at}]`, faults);
}

function podFailureRule(rule: PodFailureRule, spec: JobSpec, path: string, faults: FieldFault[]): void {
  const { action, onExitCodes, onPodConditions = [] } = rule;
  if (action === "FailIndex" && spec.backoffLimitPerIndex === undefined)
    faults.push(invalid(`${path}.action`, "FailIndex needs backoffLimitPerIndex"));
  if ((onExitCodes === undefined) === (onPodConditions.length === 0))
    faults.push(invalid(path, "must have one of onExitCodes and onPodConditions, and not both"));
  if (onPodConditions.length > conditionsMax) faults.push(tooMany(`${path}.onPodConditions`, conditionsMax));
  if (onExitCodes === undefined) return;
  const { containerName, operator, values } = onExitCodes;
  const { containers, initContainers = [] } = spec.template.spec;
  if (containerName !== undefined && ![...containers, ...initContainers].some(({ name }) => name === containerName))
    faults.push(invalid(`${path}.onExitCodes.containerName`, "must be the name of one of the template's containers"));
  const field = `${path}.onExitCodes.values`;
  if (values.length > exitCodesMax) faults.push(tooMany(field, exitCodesMax));
  if (operator === "In" && values.includes(0))
    faults.push(invalid(field, "must not have 0 with operator In: that is no failure"));
  if (values.some((value, at) => at > 0 && value < (values[at - 1] ?? 0)))
    faults.push(invalid(field, "must be in ascending order"));
}

function successRule(rule: SuccessRule, completions: number, path: string, faults: FieldFault[]): void {
  const { succeededIndexes, succeededCount } = rule;
  if (succeededIndexes === undefined && succeededCount === undefined)
    faults.push({ field: path, reason: "Required", message: "must have succeededIndexes, succeededCount or both" });
  const indexes = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, completions);
  if (typeof indexes === "string") faults.push(invalid(`${path}.succeededIndexes`, indexes));
  if (succeededCount === undefined) return;
  const most = indexes === undefined || typeof indexes === "string" ? completions : sizeOf(indexes);
  if (succeededCount > most)
    faults.push(invalid(`${path}.succeededCount`, `must not be more than ${most}, which is all there are`));
}

function invalid(field: string, message: string): FieldFault {
  return { field, reason: "Invalid", message };
}

function tooMany(field: string, max: number): FieldFault {
  return { field, reason: "TooMany", message: `must not have more than ${max}` };
}

import type { FieldFault } from "../../base/errors.js";
import type { PodSpec } from "./pod.js";
import type { NodeSelectorRequirement, NodeSelectorTerm, PodAffinity, PodAffinityTerm } from "./scheduling.js";
import { selectorRules } from "./selector-rules.js";

/** Rules of what a Pod says of the nodes, and of the Pods, it wants to be near. */
export function affinityRules(spec: PodSpec, path: string, faults: FieldFault[]): void {
  const { nodeAffinity, podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const required = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const preferred = nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const at = `${path}.affinity.nodeAffinity`;
  for (const [index, term] of required.entries())
    nodeTermRules(term, `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${index}]`, faults);
  for (const [index, { preference }] of preferred.entries())
    nodeTermRules(preference, `${at}.preferredDuringSchedulingIgnoredDuringExecution[${index}].preference`, faults);
  podTermsRules(podAffinity, `${path}.affinity.podAffinity`, faults);
  podTermsRules(podAntiAffinity, `${path}.affinity.podAntiAffinity`, faults);
  for (const [index, constraint] of (spec.topologySpreadConstraints ?? []).entries()) {
    const field = `${path}.topologySpreadConstraints[${index}]`;
    if (constraint.labelSelector !== undefined)
      selectorRules(constraint.labelSelector, `${field}.labelSelector`, faults);
    if (constraint.minDomains !== undefined && constraint.whenUnsatisfiable !== "DoNotSchedule")
      faults.push({
        field: `${field}.minDomains`,
        reason: "Invalid",
        message: "may only be given with whenUnsatisfiable DoNotSchedule",
      });
  }
}

function nodeTermRules(
  { matchExpressions = [], matchFields = [] }: NodeSelectorTerm,
  path: string,
  faults: FieldFault[],
): void {
  for (const [index, requirement] of matchExpressions.entries())
    requirementRules(requirement, `${path}.matchExpressions[${index}]`, faults);
  for (const [index, { key, operator, values = [] }] of matchFields.entries()) {
    const field = `${path}.matchFields[${index}]`;
    if (key !== "metadata.name")
      faults.push({ field: `${field}.key`, reason: "NotSupported", message: `must be metadata.name, not "${key}"` });
    if (operator !== "In" && operator !== "NotIn")
      faults.push({ field: `${field}.operator`, reason: "NotSupported", message: "must be In or NotIn" });
    if (values.length !== 1)
      faults.push({ field: `${field}.values`, reason: "Required", message: "must have exactly one value" });
  }
}

function requirementRules(
  { operator, values = [] }: NodeSelectorRequirement,
  path: string,
  faults: FieldFault[],
): void {
  const field = `${path}.values`;
  if ((operator === "In" || operator === "NotIn") && values.length === 0)
    faults.push({ field, reason: "Required", message: `must have a value for operator ${operator}` });
  if ((operator === "Exists" || operator === "DoesNotExist") && values.length > 0)
    faults.push({ field, reason: "Invalid", message: `must be empty for operator ${operator}` });
  if ((operator === "Gt" || operator === "Lt") && (values.length !== 1 || !/^-?\d+$/.test(values[0] ?? "")))
    faults.push({ field, reason: "Invalid", message: `must be one whole number for operator ${operator}` });
}

function podTermsRules(affinity: PodAffinity | undefined, path: string, faults: FieldFault[]): void {
  for (const [index, term] of (affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries())
    podTermRules(term, `${path}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`, faults);
  for (const [index, { podAffinityTerm }] of (
    affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  ).entries())
    podTermRules(
      podAffinityTerm,
      `${path}.preferredDuringSchedulingIgnoredDuringExecution[${index}].podAffinityTerm`,
      faults,
    );
}

function podTermRules(term: PodAffinityTerm, path: string, faults: FieldFault[]): void {
  const { labelSelector, namespaceSelector, matchLabelKeys = [], mismatchLabelKeys = [] } = term;
  if (labelSelector !== undefined) selectorRules(labelSelector, `${path}.labelSelector`, faults);
  if (namespaceSelector !== undefined) selectorRules(namespaceSelector, `${path}.namespaceSelector`, faults);
  const keys = matchLabelKeys.length + mismatchLabelKeys.length;
  if (keys > 0 && labelSelector === undefined)
    faults.push({
      field: `${path}.labelSelector`,
      reason: "Required",
      message: "must be given when matchLabelKeys or mismatchLabelKeys are",
    });
  const both = matchLabelKeys.find((key) => mismatchLabelKeys.includes(key));
  if (both !== undefined)
    faults.push({
      field: `${path}.mismatchLabelKeys`,
      reason: "Invalid",
      message: `"${both}" can't be in matchLabelKeys too`,
    });
}

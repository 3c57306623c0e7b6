import type { Pod } from "../api/kinds/pod.js";
import type { PodAffinityTerm, TopologySpreadConstraint } from "../api/kinds/scheduling.js";
import type { LabelSelector, LabelSelectorRequirement } from "../api/object.js";
import { matchesRequirement, requirementsOf, type Labels } from "../api/selector.js";

/** Labels of a Namespace; none for one that is not there. */
export type NamespaceLabels = (namespace: string) => Labels;

/** Which Pods a rule is about: by Namespace and labels. */
export interface PodSelection {
  readonly namespaces: readonly string[];
  /** Also all Namespaces with these labels. */
  readonly namespaceRequirements: readonly LabelSelectorRequirement[] | undefined;
  /** Undefined: no Pod at all. */
  readonly requirements: readonly LabelSelectorRequirement[] | undefined;
}

export interface PodTerm {
  readonly topologyKey: string;
  readonly pods: PodSelection;
  /** Of preferred terms, negative for those against; 0 for required ones. */
  readonly weight: number;
}

export interface SpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly pods: PodSelection;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
}

/** Whom the Pod's rules about other Pods are about, in the form in which they are asked. */
export interface PodTerms {
  readonly nearTo: readonly PodTerm[];
  readonly awayFrom: readonly PodTerm[];
  readonly preferred: readonly PodTerm[];
  /** DoNotSchedule. */
  readonly spread: readonly SpreadConstraint[];
  /** ScheduleAnyway. */
  readonly preferredSpread: readonly SpreadConstraint[];
}

export function podTermsOf({ spec, metadata }: Pod): PodTerms {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const own = { namespace: metadata.namespace ?? "", labels: metadata.labels ?? {} };
  const required = (terms: readonly PodAffinityTerm[] = []): readonly PodTerm[] =>
    terms.map((term) => termOf(term, own, 0));
  const weighted = (sign: 1 | -1, side: typeof podAffinity): readonly PodTerm[] =>
    (side?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ weight, podAffinityTerm }) =>
      termOf(podAffinityTerm, own, sign * weight),
    );
  const constraints = spec.topologySpreadConstraints ?? [];
  const spreadOf = (when: TopologySpreadConstraint["whenUnsatisfiable"]): readonly SpreadConstraint[] =>
    constraints.filter((one) => one.whenUnsatisfiable === when).map((one) => constraintOf(one, own));
  return {
    nearTo: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    awayFrom: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferred: [...weighted(1, podAffinity), ...weighted(-1, podAntiAffinity)],
    spread: spreadOf("DoNotSchedule"),
    preferredSpread: spreadOf("ScheduleAnyway"),
  };
}

export interface PodIdentity {
  readonly namespace: string;
  readonly labels: Labels;
}

export function selectsPod(
  { namespaces, namespaceRequirements, requirements }: PodSelection,
  pod: PodIdentity,
  namespaceLabels: NamespaceLabels,
): boolean {
  if (requirements === undefined) return false;
  const inNamespace =
    namespaces.includes(pod.namespace) ||
    (namespaceRequirements !== undefined &&
      namespaceRequirements.every((one) => matchesRequirement(one, namespaceLabels(pod.namespace))));
  return inNamespace && requirements.every((one) => matchesRequirement(one, pod.labels));
}

function termOf(term: PodAffinityTerm, own: PodIdentity, weight: number): PodTerm {
  const { topologyKey, labelSelector, namespaces = [], namespaceSelector } = term;
  const onlyOwn = namespaces.length === 0 && namespaceSelector === undefined;
  return {
    topologyKey,
    weight,
    pods: {
      namespaces: onlyOwn ? [own.namespace] : namespaces,
      namespaceRequirements: namespaceSelector && requirementsOf(namespaceSelector),
      requirements: withKeys(labelSelector, own.labels, term),
    },
  };
}

function constraintOf(constraint: TopologySpreadConstraint, own: PodIdentity): SpreadConstraint {
  const { topologyKey, maxSkew, minDomains = 1, labelSelector } = constraint;
  return {
    topologyKey,
    maxSkew,
    minDomains,
    pods: {
      namespaces: [own.namespace],
      namespaceRequirements: undefined,
      requirements: withKeys(labelSelector, own.labels, constraint),
    },
    honorsAffinity: constraint.nodeAffinityPolicy !== "Ignore",
    honorsTaints: constraint.nodeTaintsPolicy === "Honor",
  };
}

/** The selector, and that labels are, or are not, those of the Pod itself. Labels that the Pod has not say nothing. */
function withKeys(
  selector: LabelSelector | undefined,
  labels: Labels,
  keys: { readonly matchLabelKeys?: readonly string[]; readonly mismatchLabelKeys?: readonly string[] },
): readonly LabelSelectorRequirement[] | undefined {
  if (selector === undefined) return undefined;
  const more = (names: readonly string[] = [], operator: "In" | "NotIn"): readonly LabelSelectorRequirement[] =>
    names.flatMap((key) => (labels[key] === undefined ? [] : [{ key, operator, values: [labels[key]] }]));
  return [...requirementsOf(selector), ...more(keys.matchLabelKeys, "In"), ...more(keys.mismatchLabelKeys, "NotIn")];
}

import type { Node } from "./kinds/core.js";
import type { PodSpec } from "./kinds/pod.js";
import type { NodeSelectorRequirement, NodeSelectorTerm } from "./kinds/scheduling.js";
import { matchesRequirement } from "./selector.js";

/** What a Pod says of the nodes it may be on. */
export type NodeChoice = Pick<PodSpec, "nodeSelector" | "affinity">;

/**
 * Whether the node is one that the Pod must be on: its nodeSelector, and its required node affinity, of which one term has to hold
 * as a whole. A term with no conditions holds for no node, as in Kubernetes.
 */
export function suitsNode(choice: NodeChoice, node: Node): boolean {
  const { nodeSelector } = choice;
  const labels = node.metadata.labels ?? {};
  for (const label in nodeSelector) if (labels[label] !== nodeSelector[label]) return false;
  const terms = requiredTerms(choice);
  return terms === undefined || terms.some((term) => holds(term, node));
}

/** The weights of the preferred terms that hold. A term with no conditions holds for no node. */
export function preferenceFor({ affinity }: NodeChoice, node: Node): number {
  let sum = 0;
  for (const { weight, preference } of affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    if (holds(preference, node)) sum += weight;
  return sum;
}

/** The name of the one node that the Pod must be on, by spec.nodeName or by an affinity as DaemonSets write it. */
export function onlyNodeOf(spec: NodeChoice & Pick<PodSpec, "nodeName">): string | undefined {
  if (spec.nodeName !== undefined && spec.nodeName !== "") return spec.nodeName;
  const names = (requiredTerms(spec) ?? []).map(({ matchFields = [] }) => {
    const named = matchFields.find(
      ({ key, operator, values = [] }) => key === nameField && operator === "In" && values.length === 1,
    );
    return named?.values?.[0];
  });
  return names.length > 0 && names.every((name) => name === names[0]) ? names[0] : undefined;
}

/** The spec for a Pod of this node alone. As in Kubernetes this stands in place of the required terms, which whoever chose the node has kept to. */
export function pinnedTo(spec: PodSpec, nodeName: string): PodSpec {
  const { affinity } = spec;
  const matchFields = [{ key: nameField, operator: "In" as const, values: [nodeName] }];
  const nodeAffinity = {
    ...affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] },
  };
  return { ...spec, affinity: { ...affinity, nodeAffinity } };
}

const nameField = "metadata.name";

function requiredTerms({ affinity }: Pick<PodSpec, "affinity">): readonly NodeSelectorTerm[] | undefined {
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms === undefined || terms.length === 0 ? undefined : terms;
}

function holds({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const { name, labels = {} } = node.metadata;
  return (
    matchExpressions.every((requirement) => meets(requirement, labels)) &&
    matchFields.every((requirement) => meets(requirement, { [nameField]: name }))
  );
}

function meets(requirement: NodeSelectorRequirement, labels: Readonly<Record<string, string>>): boolean {
  const { key, operator, values = [] } = requirement;
  if (operator !== "Gt" && operator !== "Lt") return matchesRequirement({ key, operator, values }, labels);
  const [present, bound] = [numberOf(labels[key]), numberOf(values[0])];
  return operator === "Gt" ? present > bound : present < bound;
}

/** Whole numbers, as in Kubernetes; anything else compares with nothing. */
function numberOf(text = ""): number {
  return /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
}

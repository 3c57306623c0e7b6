import type { Node } from "./kinds/core.js";
import type { PodSpec } from "./kinds/pod.js";
import { listAt, textAt } from "./path.js";

/** One condition of a node selector term (core/v1 NodeSelectorRequirement). */
interface NodeRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

/**
 * Whether the node is one that the Pod must be on: its nodeSelector, and its required node affinity, of which one term has to hold
 * as a whole. A term with no conditions holds for no node, as in Kubernetes.
 */
export function suitsNode(spec: Pick<PodSpec, "nodeSelector">, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  if (!Object.entries(spec.nodeSelector ?? {}).every(([label, value]) => labels[label] === value)) return false;
  const terms = requiredTerms(spec);
  return terms === undefined || terms.some((term) => holds(term, node));
}

/** The name of the one node that the Pod must be on, by spec.nodeName or by an affinity as DaemonSets write it. */
export function onlyNodeOf(spec: PodSpec): string | undefined {
  if (spec.nodeName !== undefined && spec.nodeName !== "") return spec.nodeName;
  const names = (requiredTerms(spec) ?? []).map((term) => {
    const fields = listAt(term, "matchFields") as readonly NodeRequirement[];
    const named = fields.find(
      ({ key, operator, values = [] }) => key === nameField && operator === "In" && values.length === 1,
    );
    return named?.values?.[0];
  });
  return names.length > 0 && names.every((name) => name === names[0]) ? names[0] : undefined;
}

/** The spec for a Pod of this node alone. As in Kubernetes this stands in place of the required terms, which whoever chose the node has kept to. */
export function pinnedTo(spec: PodSpec, nodeName: string): PodSpec {
  const affinity = spec["affinity"] as { readonly nodeAffinity?: object } | undefined;
  const matchFields = [{ key: nameField, operator: "In", values: [nodeName] }];
  const nodeAffinity = { ...affinity?.nodeAffinity, [required]: { nodeSelectorTerms: [{ matchFields }] } };
  return { ...spec, affinity: { ...affinity, nodeAffinity } };
}

const nameField = "metadata.name";
const required = "requiredDuringSchedulingIgnoredDuringExecution";

function requiredTerms(spec: object): readonly unknown[] | undefined {
  const terms = listAt(spec, "affinity", "nodeAffinity", required, "nodeSelectorTerms");
  return terms.length === 0 ? undefined : terms;
}

function holds(term: unknown, node: Node): boolean {
  const expressions = listAt(term, "matchExpressions") as readonly NodeRequirement[];
  const fields = listAt(term, "matchFields") as readonly NodeRequirement[];
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((one) => meets(one, node.metadata.labels?.[one.key])) &&
    fields.every((one) => meets(one, one.key === nameField ? textAt(node, ["metadata", "name"]) : undefined))
  );
}

function meets({ operator, values = [] }: NodeRequirement, value: string | undefined): boolean {
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return numberOf(value) > numberOf(values[0]);
    case "Lt":
      return numberOf(value) < numberOf(values[0]);
    default:
      return false;
  }
}

/** Whole numbers, as in Kubernetes; anything else compares with nothing. */
function numberOf(text = ""): number {
  return /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
}

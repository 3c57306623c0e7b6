import type { ObjectMeta } from "../object.js";
import type { PodSpec } from "./pod.js";

/** A name for how much Pods matter beside others. */
export interface PriorityClass {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly value: number;
  readonly globalDefault?: boolean;
  readonly description?: string;
  readonly preemptionPolicy?: PreemptionPolicy;
}

export type PreemptionPolicy = "PreemptLowerPriority" | "Never";

/** Classes that are always there, with Kubernetes' values. */
export const systemClasses = [
  {
    name: "system-cluster-critical",
    value: 2_000_000_000,
    description: "For what the cluster needs, but may move to another node.",
  },
  { name: "system-node-critical", value: 2_000_001_000, description: "For what its node needs." },
] as const;

/**
 * The spec of a new Pod with what its class makes of it, as Kubernetes' admission plugin Priority; or, as a text, why there can be no such Pod.
 * Without a name it is the class that is everyone's default; without such a class the priority is 0 and the spec stays as it is.
 * `classes`: all there are.
 */
export function withPriority<T extends PodSpec>(spec: T, classes: readonly PriorityClass[]): T | string {
  const name = spec.priorityClassName ?? "";
  const chosen = name === "" ? defaultClass(classes) : classNamed(name, classes);
  if (name !== "" && chosen === undefined)
    return `priorityClassName: there is no PriorityClass "${name}"; 'ikada get priorityclasses' lists them`;
  const { value = 0, preemptionPolicy = "PreemptLowerPriority" } = chosen ?? {};
  if (spec.priority !== undefined && spec.priority !== value)
    return `priority: must be left out, or be ${value} as its PriorityClass says, not ${spec.priority}`;
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== preemptionPolicy)
    return `preemptionPolicy: must be left out, or be ${preemptionPolicy} as its PriorityClass says`;
  return chosen === undefined ? spec : { ...spec, priorityClassName: chosen.name, priority: value, preemptionPolicy };
}

interface ChosenClass {
  readonly name: string;
  readonly value: number;
  readonly preemptionPolicy?: PreemptionPolicy;
}

function classNamed(name: string, classes: readonly PriorityClass[]): ChosenClass | undefined {
  const found = classes.find(({ metadata }) => metadata.name === name);
  return found === undefined ? systemClasses.find((one) => one.name === name) : chosenOf(found);
}

/** Of several, which two writers at once can make, the lowest counts. */
function defaultClass(classes: readonly PriorityClass[]): ChosenClass | undefined {
  const defaults = classes.filter(({ globalDefault }) => globalDefault === true);
  const [lowest] = defaults.sort((left, right) => left.value - right.value);
  return lowest && chosenOf(lowest);
}

function chosenOf({ metadata, value, preemptionPolicy }: PriorityClass): ChosenClass {
  return { name: metadata.name, value, ...(preemptionPolicy !== undefined && { preemptionPolicy }) };
}

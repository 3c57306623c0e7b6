import type { Condition, IntOrString, KubeObject, LabelSelector } from "../object.js";

/** How many of some Pods may be away at once because somebody wanted it: evictions, drains, preemptions. */
export type PodDisruptionBudget = KubeObject<PodDisruptionBudgetSpec, PodDisruptionBudgetStatus>;

export interface PodDisruptionBudgetSpec {
  /** An empty one selects all Pods of the Namespace, an absent one none. */
  readonly selector?: LabelSelector;
  /** So many stay healthy, or such a share of those wanted. */
  readonly minAvailable?: IntOrString;
  /** So many of those wanted may be away, or such a share. Not together with the other. */
  readonly maxUnavailable?: IntOrString;
  readonly unhealthyPodEvictionPolicy?: "IfHealthyBudget" | "AlwaysAllow";
}

export interface PodDisruptionBudgetStatus {
  readonly observedGeneration?: number;
  readonly disruptionsAllowed?: number;
  readonly currentHealthy?: number;
  readonly desiredHealthy?: number;
  readonly expectedPods?: number;
  /** By name, when their eviction was granted: they count as away already. */
  readonly disruptedPods?: Readonly<Record<string, string>>;
  readonly conditions?: readonly Condition[];
}

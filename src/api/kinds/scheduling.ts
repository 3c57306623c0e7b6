import type { LabelSelector } from "../object.js";

/** Which nodes a Pod may be on, or should be on, by nodes and by other Pods. */
export interface Affinity {
  readonly nodeAffinity?: NodeAffinity;
  readonly podAffinity?: PodAffinity;
  readonly podAntiAffinity?: PodAffinity;
}

export interface NodeAffinity {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: { readonly nodeSelectorTerms: readonly NodeSelectorTerm[] };
  readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly {
    readonly weight: number;
    readonly preference: NodeSelectorTerm;
  }[];
}

/** All of its parts hold; one without parts holds of no node. */
export interface NodeSelectorTerm {
  readonly matchExpressions?: readonly NodeSelectorRequirement[];
  /** Of the fields there is `metadata.name`. */
  readonly matchFields?: readonly NodeSelectorRequirement[];
}

export interface NodeSelectorRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
  readonly values?: readonly string[];
}

export interface PodAffinity {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodAffinityTerm[];
  readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly {
    readonly weight: number;
    readonly podAffinityTerm: PodAffinityTerm;
  }[];
}

/** Pods, and how near: on nodes with the same value of the label `topologyKey`. */
export interface PodAffinityTerm {
  readonly topologyKey: string;
  /** Absent: no Pod. */
  readonly labelSelector?: LabelSelector;
  /** With neither of the two: the Pod's own Namespace. */
  readonly namespaces?: readonly string[];
  readonly namespaceSelector?: LabelSelector;
  /** Labels whose values must be those of the Pod that has the term. */
  readonly matchLabelKeys?: readonly string[];
  readonly mismatchLabelKeys?: readonly string[];
}

/** How evenly Pods are to be spread over the values of a label of nodes. */
export interface TopologySpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway";
  readonly labelSelector?: LabelSelector;
  readonly matchLabelKeys?: readonly string[];
  readonly minDomains?: number;
  /** Whether nodes that the Pod's own affinity refuses count; Honor (they do not) when absent. */
  readonly nodeAffinityPolicy?: "Honor" | "Ignore";
  /** Whether nodes with taints that the Pod does not tolerate count; Ignore (they do) when absent. */
  readonly nodeTaintsPolicy?: "Honor" | "Ignore";
}

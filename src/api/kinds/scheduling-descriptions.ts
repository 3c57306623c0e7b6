/** What the fields mean by which Pods are placed, and which limit how they are moved (see field-descriptions.ts). */
export const schedulingDescriptions = {
  Affinity: {
    nodeAffinity: ["Which nodes, by their labels.", "NodeAffinity"],
    podAffinity: ["Near which other Pods.", "PodAffinity"],
    podAntiAffinity: ["Away from which other Pods.", "PodAffinity"],
  },
  NodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: ["What a node must be.", "NodeSelector"],
    preferredDuringSchedulingIgnoredDuringExecution: ["What a node should be, with weights.", "PreferredNodeTerm"],
  },
  NodeSelector: { nodeSelectorTerms: ["One of them has to hold.", "NodeSelectorTerm"] },
  PreferredNodeTerm: {
    weight: "How much it counts beside other wishes.",
    preference: ["What the node should be.", "NodeSelectorTerm"],
  },
  NodeSelectorTerm: {
    matchExpressions: ["All of these hold of its labels.", "NodeSelectorRequirement"],
    matchFields: ["All of these hold of its fields; there is metadata.name.", "NodeSelectorRequirement"],
  },
  NodeSelectorRequirement: {
    key: "The label, or metadata.name.",
    operator: "In or NotIn the values, Exists or DoesNotExist, Gt or Lt (as numbers) the one value.",
    values: "What it is compared with.",
  },
  PodAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: ["Rules that must hold.", "PodAffinityTerm"],
    preferredDuringSchedulingIgnoredDuringExecution: ["Rules that should hold, with weights.", "WeightedPodTerm"],
  },
  WeightedPodTerm: {
    weight: "How much it counts beside other wishes.",
    podAffinityTerm: ["The rule.", "PodAffinityTerm"],
  },
  PodAffinityTerm: {
    topologyKey: "The label of nodes whose value says what is near: kubernetes.io/hostname for one machine.",
    labelSelector: ["Which Pods; none when it is absent.", "LabelSelector"],
    namespaces: "In these Namespaces; the Pod's own when neither these nor namespaceSelector are given.",
    namespaceSelector: ["And in Namespaces with these labels; an empty one means all.", "LabelSelector"],
    matchLabelKeys: "Only Pods with the same values of these labels as the Pod itself.",
    mismatchLabelKeys: "Only Pods with other values of these labels than the Pod itself.",
  },
  TopologySpreadConstraint: {
    topologyKey: "The label of nodes over whose values the Pods are spread.",
    maxSkew: "How many Pods more one value may have than the one with the fewest.",
    whenUnsatisfiable: "DoNotSchedule: the Pod waits. ScheduleAnyway: it is only a wish.",
    labelSelector: ["Which Pods are counted.", "LabelSelector"],
    matchLabelKeys: "Of these only such with the same values of these labels as the Pod itself.",
    minDomains: "While there are fewer values than this, the fewest counts as 0.",
    nodeAffinityPolicy: "Honor: nodes that the Pod's own affinity refuses are not counted. Ignore: they are.",
    nodeTaintsPolicy: "Honor: nodes with taints that it does not tolerate are not counted. Ignore: they are.",
  },
  SchedulingGate: { name: "Which; whoever set it takes it away." },
  PodDisruptionBudget: {
    "": "How many of some Pods may be away at once because somebody wanted it: evictions, drains, preemptions.",
    spec: ["What is wanted.", "PodDisruptionBudgetSpec"],
    status: ["How it is.", "PodDisruptionBudgetStatus"],
  },
  PodDisruptionBudgetSpec: {
    selector: ["Which Pods; an empty one selects all of the Namespace.", "LabelSelector"],
    minAvailable: "So many stay healthy: a number, or a percentage of those wanted, rounded up.",
    maxUnavailable: "So many of those wanted may be away: a number or a percentage, rounded up. Not with minAvailable.",
    unhealthyPodEvictionPolicy:
      "Whether Pods that run and are not ready may go: IfHealthyBudget (only while enough others are healthy) or AlwaysAllow.",
  },
  PodDisruptionBudgetStatus: {
    observedGeneration: "The metadata.generation that this is about.",
    disruptionsAllowed: "How many may go now.",
    currentHealthy: "How many are healthy.",
    desiredHealthy: "How many have to be.",
    expectedPods: "How many there should be.",
    disruptedPods: "Pods whose eviction was granted, and when; they count as away.",
    conditions: ["DisruptionAllowed, with the reason.", "Condition"],
  },
} as const;

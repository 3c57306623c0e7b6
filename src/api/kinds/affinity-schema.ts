import { labelSelector } from "./metadata-schema.js";
import { atomicList, int32, object, oneOf, required, string } from "../schema.js";

const requirement = object({
  key: required(string()),
  operator: required(oneOf(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])),
  values: atomicList(string()),
});
const nodeTerm = object(
  { matchExpressions: atomicList(requirement), matchFields: atomicList(requirement) },
  { atomic: true },
);
const podTerm = object({
  topologyKey: required(string({ format: "qualifiedName" })),
  labelSelector,
  matchLabelKeys: atomicList(string()),
  mismatchLabelKeys: atomicList(string()),
  namespaceSelector: labelSelector,
  namespaces: atomicList(string()),
});
const weightedPodTerm = object({
  podAffinityTerm: required(podTerm),
  weight: required(int32({ minimum: 1, maximum: 100 })),
});
const podAffinity = object({
  preferredDuringSchedulingIgnoredDuringExecution: atomicList(weightedPodTerm),
  requiredDuringSchedulingIgnoredDuringExecution: atomicList(podTerm),
});

/** core/v1 Affinity. */
export const affinity = object({
  nodeAffinity: object({
    preferredDuringSchedulingIgnoredDuringExecution: atomicList(
      object({ preference: required(nodeTerm), weight: required(int32({ minimum: 1, maximum: 100 })) }),
    ),
    requiredDuringSchedulingIgnoredDuringExecution: object(
      { nodeSelectorTerms: required(atomicList(nodeTerm)) },
      { atomic: true },
    ),
  }),
  podAffinity,
  podAntiAffinity: podAffinity,
});

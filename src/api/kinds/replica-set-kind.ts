import type { KindDefinition } from "../kind.js";
import { countAt, valueAt } from "../path.js";
import { int32, int64, immutable, object, required } from "../schema.js";
import { conditionsWith, labelSelector, typeMeta } from "./metadata-schema.js";
import { completePodSpec } from "./pod-defaults.js";
import { podTemplate } from "./pod-spec-schema.js";
import { workloadRules } from "./workload-rules.js";
import { ageColumn, countColumn, nameColumn, workloadColumns } from "./shared-columns.js";

export const replicaSetKind: KindDefinition = {
  group: "apps",
  version: "v1",
  kind: "ReplicaSet",
  plural: "replicasets",
  singular: "replicaset",
  shortNames: ["rs"],
  categories: ["all"],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: true,
  hasScale: true,
  selectableFields: ["status.replicas"],
  schema: object({
    ...typeMeta,
    spec: required(
      object({
        replicas: int32({ default: 1 }),
        minReadySeconds: int32(),
        selector: immutable(required(labelSelector)),
        template: required(podTemplate),
      }),
    ),
    status: object({
      replicas: int32(),
      fullyLabeledReplicas: int32(),
      readyReplicas: int32(),
      availableReplicas: int32(),
      terminatingReplicas: int32(),
      observedGeneration: int64(),
      conditions: conditionsWith(),
    }),
  }),
  columns: [
    nameColumn,
    countColumn("Desired", "Replicas wanted", (set) => String(countAt(set, "spec", "replicas"))),
    countColumn("Current", "Pods there are", (set) => String(countAt(set, "status", "replicas"))),
    countColumn("Ready", "Pods that are ready", (set) => String(countAt(set, "status", "readyReplicas"))),
    ageColumn,
    ...workloadColumns,
  ],
  complete: (draft) => completePodSpec(valueAt(draft, "spec", "template", "spec"), { requestsFromLimits: false }),
  rules: workloadRules,
};

import type { Draft, KindDefinition } from "../kind.js";
import { countAt, valueAt } from "../path.js";
import {
  atomicList,
  any,
  immutable,
  int32,
  int64,
  intOrString,
  kept,
  object,
  oneOf,
  refused,
  required,
  string,
} from "../schema.js";
import { conditionsWith, labelSelector, typeMeta } from "./metadata-schema.js";
import { completePodSpec } from "./pod-defaults.js";
import { podTemplate } from "./pod-spec-schema.js";
import { ageColumn, column, nameColumn, workloadColumns } from "./shared-columns.js";
import { statefulSetRules } from "./stateful-set-rules.js";

const updateStrategy = object(
  {
    type: oneOf(["RollingUpdate", "OnDelete"], { default: "RollingUpdate" }),
    rollingUpdate: object({ partition: int32({ default: 0 }), maxUnavailable: intOrString({ default: 1 }) }),
  },
  { default: {}, union: { discriminator: "type", members: { RollingUpdate: "rollingUpdate" } } },
);

const retention = oneOf(["Retain", "Delete"], { default: "Retain" });

export const statefulSetKind: KindDefinition = {
  group: "apps",
  version: "v1",
  kind: "StatefulSet",
  plural: "statefulsets",
  singular: "statefulset",
  shortNames: ["sts"],
  categories: ["all"],
  namespaced: true,
  nameFormat: "dnsLabel",
  hasStatus: true,
  hasScale: true,
  selectableFields: [],
  schema: object({
    ...typeMeta,
    spec: required(
      object({
        replicas: int32({ default: 1 }),
        serviceName: immutable(string({ format: "dnsLabel" })),
        selector: immutable(required(labelSelector)),
        template: required(podTemplate),
        podManagementPolicy: immutable(oneOf(["OrderedReady", "Parallel"], { default: "OrderedReady" })),
        updateStrategy,
        ordinals: object({ start: int32() }),
        minReadySeconds: int32(),
        revisionHistoryLimit: int32({ default: 10 }),
        persistentVolumeClaimRetentionPolicy: kept(
          object({ whenDeleted: retention, whenScaled: retention }, { default: {} }),
          {},
          { whenDeleted: "Retain", whenScaled: "Retain" },
        ),
        volumeClaimTemplates: refused(
          atomicList(any()),
          "this version of Ikada makes no volumes for claims, and Pods without their data would not be what was asked for",
        ),
      }),
    ),
    status: object({
      replicas: int32(),
      observedGeneration: int64(),
      readyReplicas: int32(),
      availableReplicas: int32(),
      currentReplicas: int32(),
      updatedReplicas: int32(),
      currentRevision: string(),
      updateRevision: string(),
      collisionCount: int32(),
      conditions: conditionsWith(),
    }),
  }),
  columns: [
    nameColumn,
    column(
      "Ready",
      "Ready Pods of those wanted",
      (set) => `${countAt(set, "status", "readyReplicas")}/${countAt(set, "spec", "replicas")}`,
    ),
    ageColumn,
    ...workloadColumns,
  ],
  complete,
  rules: statefulSetRules,
};

function complete(draft: Draft): void {
  completePodSpec(valueAt(draft, "spec", "template", "spec"), { requestsFromLimits: false });
  const chosen = valueAt(draft, "spec", "updateStrategy") as { type?: string; rollingUpdate?: object } | undefined;
  if (chosen?.type === "RollingUpdate")
    chosen.rollingUpdate = { partition: 0, maxUnavailable: 1, ...chosen.rollingUpdate };
}

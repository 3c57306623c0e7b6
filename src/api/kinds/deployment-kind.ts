import type { Draft, KindDefinition } from "../kind.js";
import { countAt, valueAt } from "../path.js";
import { boolean, immutable, int32, int64, intOrString, object, oneOf, required, time } from "../schema.js";
import { deploymentRules } from "./deployment-rules.js";
import { conditionsWith, labelSelector, typeMeta } from "./metadata-schema.js";
import { completePodSpec } from "./pod-defaults.js";
import { podTemplate } from "./pod-spec-schema.js";
import { ageColumn, column, countColumn, nameColumn, workloadColumns } from "./shared-columns.js";

const strategy = object(
  {
    type: oneOf(["RollingUpdate", "Recreate"], { default: "RollingUpdate" }),
    rollingUpdate: object({
      maxSurge: intOrString({ default: "25%" }),
      maxUnavailable: intOrString({ default: "25%" }),
    }),
  },
  { default: {}, union: { discriminator: "type", members: { RollingUpdate: "rollingUpdate" } } },
);

export const deploymentKind: KindDefinition = {
  group: "apps",
  version: "v1",
  kind: "Deployment",
  plural: "deployments",
  singular: "deployment",
  shortNames: ["deploy"],
  categories: ["all"],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: true,
  hasScale: true,
  selectableFields: [],
  schema: object({
    ...typeMeta,
    spec: required(
      object({
        replicas: int32({ default: 1 }),
        selector: immutable(required(labelSelector)),
        template: required(podTemplate),
        strategy,
        minReadySeconds: int32(),
        revisionHistoryLimit: int32({ default: 10 }),
        progressDeadlineSeconds: int32({ default: 600 }),
        paused: boolean(),
      }),
    ),
    status: object({
      observedGeneration: int64(),
      replicas: int32(),
      updatedReplicas: int32(),
      readyReplicas: int32(),
      availableReplicas: int32(),
      unavailableReplicas: int32(),
      terminatingReplicas: int32(),
      collisionCount: int32(),
      conditions: conditionsWith({ lastUpdateTime: time() }),
    }),
  }),
  columns: [
    nameColumn,
    column(
      "Ready",
      "Ready Pods of those wanted",
      (deployment) => `${countAt(deployment, "status", "readyReplicas")}/${countAt(deployment, "spec", "replicas")}`,
    ),
    countColumn("Up-to-date", "Pods of the present template", (deployment) =>
      String(countAt(deployment, "status", "updatedReplicas")),
    ),
    countColumn("Available", "Pods ready for long enough", (deployment) =>
      String(countAt(deployment, "status", "availableReplicas")),
    ),
    ageColumn,
    ...workloadColumns,
  ],
  complete,
  rules: deploymentRules,
};

function complete(draft: Draft): void {
  completePodSpec(valueAt(draft, "spec", "template", "spec"), { requestsFromLimits: false });
  const chosen = valueAt(draft, "spec", "strategy") as { type?: string; rollingUpdate?: object } | undefined;
  if (chosen?.type === "RollingUpdate")
    chosen.rollingUpdate = { maxSurge: "25%", maxUnavailable: "25%", ...chosen.rollingUpdate };
}

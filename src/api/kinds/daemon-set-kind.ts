import type { FieldFault } from "../../base/errors.js";
import type { Draft, KindDefinition } from "../kind.js";
import type { AnyObject, LabelSelector } from "../object.js";
import { countAt, valueAt } from "../path.js";
import { immutable, int32, int64, intOrString, object, oneOf, required } from "../schema.js";
import { amountRule, shareRule } from "./amount-rule.js";
import { conditionsWith, labelSelector, typeMeta } from "./metadata-schema.js";
import { completePodSpec } from "./pod-defaults.js";
import { podTemplate } from "./pod-spec-schema.js";
import { ageColumn, column, countColumn, nameColumn, workloadColumns } from "./shared-columns.js";
import { formatLabelSelector } from "../selector.js";
import { rollingOnly, workloadRules } from "./workload-rules.js";

const updateStrategy = object(
  {
    type: oneOf(["RollingUpdate", "OnDelete"], { default: "RollingUpdate" }),
    rollingUpdate: object({ maxSurge: intOrString({ default: 0 }), maxUnavailable: intOrString({ default: 1 }) }),
  },
  { default: {}, union: { discriminator: "type", members: { RollingUpdate: "rollingUpdate" } } },
);

export const daemonSetKind: KindDefinition = {
  group: "apps",
  version: "v1",
  kind: "DaemonSet",
  plural: "daemonsets",
  singular: "daemonset",
  shortNames: ["ds"],
  categories: ["all"],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: true,
  hasScale: false,
  selectableFields: [],
  schema: object({
    ...typeMeta,
    spec: required(
      object({
        selector: immutable(required(labelSelector)),
        template: required(podTemplate),
        updateStrategy,
        minReadySeconds: int32(),
        revisionHistoryLimit: int32({ default: 10 }),
      }),
    ),
    status: object({
      desiredNumberScheduled: int32(),
      currentNumberScheduled: int32(),
      numberMisscheduled: int32(),
      numberReady: int32(),
      observedGeneration: int64(),
      updatedNumberScheduled: int32(),
      numberAvailable: int32(),
      numberUnavailable: int32(),
      collisionCount: int32(),
      conditions: conditionsWith(),
    }),
  }),
  columns: [
    nameColumn,
    statusColumn("Desired", "Nodes that should have a Pod", "desiredNumberScheduled"),
    statusColumn("Current", "Those of them that have one", "currentNumberScheduled"),
    statusColumn("Ready", "Those with a ready Pod", "numberReady"),
    statusColumn("Up-to-date", "Those with a Pod of the present template", "updatedNumberScheduled"),
    statusColumn("Available", "Those with a Pod that is ready for long enough", "numberAvailable"),
    column("Node Selector", "Labels that a node must have", (set) => {
      const matchLabels = valueAt(set, "spec", "template", "spec", "nodeSelector");
      return formatLabelSelector({ matchLabels } as LabelSelector) || "<none>";
    }),
    ageColumn,
    ...workloadColumns,
  ],
  complete,
  rules: daemonSetRules,
};

function statusColumn(name: string, description: string, field: string): ReturnType<typeof countColumn> {
  return countColumn(name, description, (set) => String(countAt(set, "status", field)));
}

function complete(draft: Draft): void {
  completePodSpec(valueAt(draft, "spec", "template", "spec"), { requestsFromLimits: false });
  const chosen = valueAt(draft, "spec", "updateStrategy") as { type?: string; rollingUpdate?: object } | undefined;
  if (chosen?.type === "RollingUpdate")
    chosen.rollingUpdate = { maxSurge: 0, maxUnavailable: 1, ...chosen.rollingUpdate };
}

/** An update either takes a node's old Pod away before the new one comes, or brings the new one beside it: not both. */
function daemonSetRules(set: AnyObject, faults: FieldFault[]): void {
  workloadRules(set, faults);
  const strategy = valueAt(set, "spec", "updateStrategy");
  const field = "spec.updateStrategy.rollingUpdate";
  if (!rollingOnly(strategy, "OnDelete", field, faults)) return;
  const surge = shareRule(valueAt(strategy, "rollingUpdate", "maxSurge"), `${field}.maxSurge`, faults);
  const missing = amountRule(valueAt(strategy, "rollingUpdate", "maxUnavailable"), `${field}.maxUnavailable`, faults);
  if (surge === undefined || missing === undefined || (surge.value === 0) !== (missing.value === 0)) return;
  const message = surge.value === 0 ? "must not be 0 when maxSurge is 0" : "must be 0 when maxSurge is not";
  faults.push({ field: `${field}.maxUnavailable`, reason: "Invalid", message });
}

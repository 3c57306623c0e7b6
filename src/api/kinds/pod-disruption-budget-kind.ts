import type { FieldFault } from "../../base/errors.js";
import type { KindDefinition } from "../kind.js";
import type { AnyObject, LabelSelector } from "../object.js";
import { countAt, textAt, valueAt } from "../path.js";
import { int32, int64, intOrString, mapOf, object, oneOf, time } from "../schema.js";
import { shareRule } from "./amount-rule.js";
import { conditionsWith, labelSelector, typeMeta } from "./metadata-schema.js";
import { selectorRules } from "./selector-rules.js";
import { ageColumn, column, countColumn, nameColumn } from "./shared-columns.js";

export const podDisruptionBudgetKind: KindDefinition = {
  group: "policy",
  version: "v1",
  kind: "PodDisruptionBudget",
  plural: "poddisruptionbudgets",
  singular: "poddisruptionbudget",
  shortNames: ["pdb"],
  categories: [],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: true,
  hasScale: false,
  selectableFields: [],
  schema: object({
    ...typeMeta,
    spec: object(
      {
        selector: labelSelector,
        minAvailable: intOrString(),
        maxUnavailable: intOrString(),
        unhealthyPodEvictionPolicy: oneOf(["IfHealthyBudget", "AlwaysAllow"]),
      },
      { default: {} },
    ),
    status: object({
      observedGeneration: int64(),
      disruptionsAllowed: int32({ minimum: -(2 ** 31) }),
      currentHealthy: int32(),
      desiredHealthy: int32(),
      expectedPods: int32(),
      disruptedPods: mapOf(time()),
      conditions: conditionsWith({ observedGeneration: int64() }),
    }),
  }),
  columns: [
    nameColumn,
    column("Min Available", "Pods that stay", (budget) => textAt(budget, ["spec", "minAvailable"], "N/A")),
    column("Max Unavailable", "Pods that may be away", (budget) => textAt(budget, ["spec", "maxUnavailable"], "N/A")),
    countColumn("Allowed Disruptions", "Pods that may go now", (budget) =>
      String(countAt(budget, "status", "disruptionsAllowed")),
    ),
    ageColumn,
  ],
  rules,
};

function rules(budget: AnyObject, faults: FieldFault[]): void {
  const both = ["minAvailable", "maxUnavailable"].filter((field) => valueAt(budget, "spec", field) !== undefined);
  if (both.length === 2)
    faults.push({
      field: "spec.maxUnavailable",
      reason: "Invalid",
      message: "can't be given together with minAvailable",
    });
  for (const field of both) shareRule(valueAt(budget, "spec", field), `spec.${field}`, faults);
  const selector = valueAt(budget, "spec", "selector") as LabelSelector | undefined;
  if (selector !== undefined) selectorRules(selector, "spec.selector", faults);
}

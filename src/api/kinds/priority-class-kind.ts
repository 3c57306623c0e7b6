import type { FieldFault } from "../../base/errors.js";
import type { KindDefinition } from "../kind.js";
import type { AnyObject } from "../object.js";
import { textAt } from "../path.js";
import { boolean, immutable, int32, object, oneOf, required, string } from "../schema.js";
import { typeMeta } from "./metadata-schema.js";
import { systemClasses, type PriorityClass } from "./priority.js";
import { ageColumn, column, countColumn, nameColumn } from "./shared-columns.js";

export const priorityClassKind: KindDefinition = {
  group: "scheduling.k8s.io",
  version: "v1",
  kind: "PriorityClass",
  plural: "priorityclasses",
  singular: "priorityclass",
  shortNames: ["pc"],
  categories: [],
  namespaced: false,
  nameFormat: "dnsSubdomain",
  hasStatus: false,
  hasScale: false,
  selectableFields: [],
  schema: object({
    ...typeMeta,
    value: required(immutable(int32({ minimum: -(2 ** 31) }))),
    globalDefault: boolean(),
    description: string(),
    preemptionPolicy: immutable(oneOf(["PreemptLowerPriority", "Never"], { default: "PreemptLowerPriority" })),
  }),
  columns: [
    nameColumn,
    countColumn("Value", "The priority of its Pods", (priority) => textAt(priority, ["value"], "0")),
    column("Global-Default", "Whether it is for Pods that name none", (priority) =>
      textAt(priority, ["globalDefault"], "false"),
    ),
    ageColumn,
    column("PreemptionPolicy", "Whether its Pods push others out", (priority) =>
      textAt(priority, ["preemptionPolicy"]),
    ),
  ],
  rules: priorityClassRules,
};

/** What is above is the system's own. */
const userValueMax = 1_000_000_000;

function priorityClassRules(object: AnyObject, faults: FieldFault[]): void {
  const { metadata, value, globalDefault } = object as unknown as PriorityClass;
  const invalid = (field: string, message: string): number => faults.push({ field, reason: "Invalid", message });
  const system = systemClasses.find(({ name }) => name === metadata.name);
  if (system !== undefined) {
    if (value !== system.value) invalid("value", `must be ${system.value}, which is that of the system's class`);
    if (globalDefault === true) invalid("globalDefault", "must not be true of a class of the system");
    return;
  }
  if (metadata.name?.startsWith("system-"))
    invalid(
      "metadata.name",
      `must not start with "system-", but for ${systemClasses.map(({ name }) => name).join(" and ")}`,
    );
  if (value > userValueMax)
    invalid("value", `must not be more than ${userValueMax}: what is above is the system's own`);
}

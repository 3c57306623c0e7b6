import { sameJson } from "../json.js";
import type { KindDefinition } from "../kind.js";
import { listAt, textAt, valueAt } from "../path.js";
import { atomicList, object, oneOf, string } from "../schema.js";
import { conditionsWith, typeMeta } from "./metadata-schema.js";
import { podSecurityLabels, podSecurityLevels } from "./pod-security.js";
import { ageColumn, column, nameColumn } from "./shared-columns.js";

export const namespaceKind: KindDefinition = {
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  singular: "namespace",
  shortNames: ["ns"],
  categories: [],
  namespaced: false,
  nameFormat: "dnsLabel",
  hasStatus: true,
  hasScale: false,
  selectableFields: ["status.phase"],
  schema: object({
    ...typeMeta,
    spec: object({ finalizers: atomicList(string({ format: "qualifiedName" })) }, { default: {} }),
    status: object({ phase: oneOf(["Active", "Terminating"]), conditions: conditionsWith() }),
  }),
  columns: [
    nameColumn,
    column("Status", "Whether the Namespace takes new objects", (object) =>
      textAt(object, ["status", "phase"], "Active"),
    ),
    ageColumn,
  ],
  complete(draft) {
    const metadata = draft["metadata"] as {
      name?: string;
      labels?: Record<string, string>;
      deletionTimestamp?: string;
    };
    if (metadata.name !== undefined)
      metadata.labels = { ...metadata.labels, "kubernetes.io/metadata.name": metadata.name };
    if (metadata.deletionTimestamp !== undefined) return;
    const spec = draft["spec"] as { finalizers?: readonly string[] };
    spec.finalizers ??= ["kubernetes"];
    if (valueAt(draft, "status", "phase") === undefined)
      draft["status"] = { ...(draft["status"] as object), phase: "Active" };
  },
  rules(namespace, faults) {
    for (const label of Object.values(podSecurityLabels)) {
      const level = namespace.metadata.labels?.[label];
      if (level === undefined || podSecurityLevels.some((known) => known === level)) continue;
      const message = `must be one of ${podSecurityLevels.join(", ")}, not "${level}"`;
      faults.push({ field: `metadata.labels[${label}]`, reason: "NotSupported", message });
    }
  },
  updateRules(before, after, faults) {
    if (sameJson(listAt(before, "spec", "finalizers"), listAt(after, "spec", "finalizers"))) return;
    const message = "may not be changed: they hold the Namespace until its contents are gone";
    faults.push({ field: "spec.finalizers", reason: "Immutable", message });
  },
};

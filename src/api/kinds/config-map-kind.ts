import type { KindDefinition } from "../kind.js";
import { valueAt } from "../path.js";
import { boolean, bytes, mapOf, object, string } from "../schema.js";
import { dataRules, dataUpdateRules } from "./data-rules.js";
import { typeMeta } from "./metadata-schema.js";
import { ageColumn, countColumn, nameColumn } from "./shared-columns.js";

export const configMapKind: KindDefinition = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  singular: "configmap",
  shortNames: ["cm"],
  categories: [],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: false,
  hasScale: false,
  selectableFields: [],
  schema: object({
    ...typeMeta,
    data: mapOf(string(), { keyFormat: "dataKey" }),
    binaryData: mapOf(bytes(), { keyFormat: "dataKey" }),
    immutable: boolean(),
  }),
  columns: [
    nameColumn,
    countColumn("Data", "Number of entries", (object) => {
      const entries = (field: string): number => Object.keys(valueAt(object, field) ?? {}).length;
      return String(entries("data") + entries("binaryData"));
    }),
    ageColumn,
  ],
  rules: dataRules,
  updateRules: dataUpdateRules,
};

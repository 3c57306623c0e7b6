import { encodeBase64 } from "../base64.js";
import type { FieldFault } from "../../base/errors.js";
import type { KindDefinition } from "../kind.js";
import type { AnyObject } from "../object.js";
import { textAt, valueAt } from "../path.js";
import { boolean, bytes, mapOf, object, string } from "../schema.js";
import { dataRules, dataUpdateRules } from "./data-rules.js";
import { typeMeta } from "./metadata-schema.js";
import { ageColumn, column, countColumn, nameColumn } from "./shared-columns.js";

export const secretKind: KindDefinition = {
  group: "",
  version: "v1",
  kind: "Secret",
  plural: "secrets",
  singular: "secret",
  shortNames: [],
  categories: [],
  namespaced: true,
  nameFormat: "dnsSubdomain",
  hasStatus: false,
  hasScale: false,
  selectableFields: ["type"],
  schema: object({
    ...typeMeta,
    type: string({ default: "Opaque", immutable: true }),
    data: mapOf(bytes(), { keyFormat: "dataKey" }),
    stringData: mapOf(string(), { keyFormat: "dataKey" }),
    immutable: boolean(),
  }),
  columns: [
    nameColumn,
    column("Type", "What the data is for", (object) => textAt(object, ["type"], "Opaque")),
    countColumn("Data", "Number of entries", (object) => String(Object.keys(valueAt(object, "data") ?? {}).length)),
    ageColumn,
  ],
  fold(draft) {
    const text = draft["stringData"] as Readonly<Record<string, string>> | undefined;
    if (text === undefined) return;
    const encoded = Object.entries(text).map(([key, value]) => [key, encodeBase64(encoder.encode(value))]);
    draft["data"] = { ...(draft["data"] as object | undefined), ...Object.fromEntries(encoded) };
    delete draft["stringData"];
  },
  rules(secret, faults) {
    dataRules(secret, faults);
    neededKeys(secret, faults);
  },
  updateRules: dataUpdateRules,
};

const encoder = new TextEncoder();

/** Keys that Secrets of Kubernetes' own types must have. */
const keysByType: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};

function neededKeys(secret: AnyObject, faults: FieldFault[]): void {
  const type = textAt(secret, ["type"]);
  const needed = Object.hasOwn(keysByType, type) ? (keysByType[type] ?? []) : [];
  for (const key of needed)
    if (valueAt(secret, "data", key) === undefined)
      faults.push({ field: `data[${key}]`, reason: "Required", message: `a Secret of type ${type} has this key` });
}

import type { FieldFault } from "../../base/errors.js";
import { sameJson } from "../json.js";
import type { AnyObject } from "../object.js";

/** The keys and sizes of a ConfigMap's or Secret's data (Kubernetes: 1 MiB together; ours ends below the object limit). */
export function dataRules(object: AnyObject, faults: FieldFault[]): void {
  const data = (object["data"] ?? {}) as Readonly<Record<string, string>>;
  const binary = (object["binaryData"] ?? {}) as Readonly<Record<string, string>>;
  for (const key of Object.keys(binary))
    if (Object.hasOwn(data, key))
      faults.push({ field: `binaryData[${key}]`, reason: "Duplicate", message: "the key is also in data" });
}

/** What may not change once `immutable` is true; and that it stays so. */
export function dataUpdateRules(before: AnyObject, after: AnyObject, faults: FieldFault[]): void {
  if (before["immutable"] !== true) return;
  if (after["immutable"] !== true)
    faults.push({ field: "immutable", reason: "Immutable", message: "cannot be taken back once it is true" });
  for (const field of ["data", "binaryData"])
    if (!sameJson(before[field], after[field]))
      faults.push({ field, reason: "Immutable", message: "cannot be changed while immutable is true" });
}

import type { FieldFault } from "../../base/errors.js";
import type { AnyObject } from "../object.js";
import { listAt, textAt } from "../path.js";

/** A taint is one per key and effect. */
export function nodeRules(node: AnyObject, faults: FieldFault[]): void {
  const seen = new Set<string>();
  for (const [at, taint] of listAt(node, "spec", "taints").entries()) {
    const identity = `${textAt(taint, ["key"])}:${textAt(taint, ["effect"])}`;
    if (seen.has(identity))
      faults.push({ field: `spec.taints[${at}]`, reason: "Duplicate", message: `taint ${identity} is there twice` });
    seen.add(identity);
  }
}

/** The address range, once given, stays: running Pods have addresses of it. */
export function nodeUpdateRules(before: AnyObject, after: AnyObject, faults: FieldFault[]): void {
  const range = textAt(before, ["spec", "podCIDR"]);
  if (range !== "" && textAt(after, ["spec", "podCIDR"]) !== range)
    faults.push({ field: "spec.podCIDR", reason: "Immutable", message: `stays ${range} once it is set` });
}

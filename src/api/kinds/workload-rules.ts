import type { FieldFault } from "../../base/errors.js";
import { imagePinRules } from "../image-pins.js";
import type { AnyObject, LabelSelector } from "../object.js";
import { textAt, valueAt } from "../path.js";
import { matchesSelector, type Labels } from "../selector.js";
import { fencingLeaseRules } from "./fencing-lease.js";
import { podSpecRules } from "./pod-rules.js";
import { selectorRules } from "./selector-rules.js";
import type { PodSpec } from "./pod.js";

/** Rules of everything that makes Pods from a template and keeps them running: Deployment, StatefulSet, DaemonSet and ReplicaSet. */
export function workloadRules(object: AnyObject, faults: FieldFault[]): void {
  const selector = valueAt(object, "spec", "selector") as LabelSelector | undefined;
  const template = valueAt(object, "spec", "template");
  if (selector !== undefined) {
    selectorRules(selector, "spec.selector", faults);
    if (isEmpty(selector))
      faults.push({
        field: "spec.selector",
        reason: "Invalid",
        message: "must not be empty: it would select every Pod",
      });
    else if (!matchesSelector(selector, valueAt(template, "metadata", "labels") as Labels | undefined))
      faults.push({
        field: "spec.template.metadata.labels",
        reason: "Invalid",
        message: "must match spec.selector, or the Pods made from the template would not be found again",
      });
  }
  imagePinRules(object.metadata.annotations, "metadata", faults);
  const annotations = valueAt(template, "metadata", "annotations") as Labels | undefined;
  imagePinRules(annotations, "spec.template.metadata", faults);
  fencingLeaseRules(annotations, "spec.template.metadata.annotations", faults);
  const spec = valueAt(template, "spec") as PodSpec | undefined;
  if (spec === undefined) return;
  podSpecRules(spec, "spec.template.spec", faults);
  const policy = textAt(spec, ["restartPolicy"], "Always");
  if (policy !== "Always")
    faults.push({
      field: "spec.template.spec.restartPolicy",
      reason: "NotSupported",
      message: `must be Always for Pods that are kept running, not "${policy}"`,
    });
}

/** Whether the strategy's type has a rollingUpdate; a fault when the `other` type comes with one. */
export function rollingOnly(strategy: unknown, other: string, field: string, faults: FieldFault[]): boolean {
  if (valueAt(strategy, "type") !== other) return true;
  if (valueAt(strategy, "rollingUpdate") !== undefined)
    faults.push({ field, reason: "Invalid", message: "may only be given when the strategy's type is RollingUpdate" });
  return false;
}

function isEmpty(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;
}

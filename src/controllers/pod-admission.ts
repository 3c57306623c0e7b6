import { podSecurityFaults, podSecurityLevel } from "../api/kinds/pod-security.js";
import type { PodTemplateSpec } from "../api/kinds/pod.js";
import { withPriority, type PriorityClass } from "../api/kinds/priority.js";
import type { Snapshot } from "../objects/snapshot.js";
import { priorityClasses } from "./new-pod.js";

/**
 * Why no Pod of this template may be made in the Namespace; undefined: it may. What controllers make does not pass the admission of
 * requests, and is held to the same rules here.
 */
export function podRefusal(template: PodTemplateSpec, namespace: string, snapshot: Snapshot): string | undefined {
  const prioritized = withPriority(template.spec, snapshot.list<PriorityClass>(priorityClasses));
  if (typeof prioritized === "string") return `pods are forbidden: spec.template.spec.${prioritized}`;
  const labels = snapshot.get("/Namespace", "", namespace)?.metadata.labels;
  const level = podSecurityLevel(labels, "enforce", "baseline");
  const annotations = template.metadata?.annotations;
  const [first, ...more] = podSecurityFaults(level, { spec: template.spec, annotations, path: "spec.template.spec" });
  if (first === undefined) return undefined;
  const others = more.length > 0 ? ` (and ${more.length} more)` : "";
  return `pods are forbidden: ${first.field}: ${first.message}${others}; namespace ${namespace} enforces ${level}`;
}

/** A Namespace's labels or the PriorityClasses may have changed: when to look again at a template that was refused. */
export const refusedLookMs = 30_000;

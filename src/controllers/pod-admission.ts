import { podSecurityFaults, podSecurityLevel } from "../api/kinds/pod-security.js";
import type { PodTemplateSpec } from "../api/kinds/pod.js";
import type { Snapshot } from "../objects/snapshot.js";

/**
 * Why no Pod of this template may be made in the Namespace; undefined: it may. What controllers make does not pass the admission of
 * requests, and is held to the same rules here.
 */
export function podRefusal(template: PodTemplateSpec, namespace: string, snapshot: Snapshot): string | undefined {
  const labels = snapshot.get("/Namespace", "", namespace)?.metadata.labels;
  const level = podSecurityLevel(labels, "enforce", "baseline");
  const annotations = template.metadata?.annotations;
  const [first, ...more] = podSecurityFaults(level, { spec: template.spec, annotations, path: "spec.template.spec" });
  if (first === undefined) return undefined;
  const others = more.length > 0 ? ` (and ${more.length} more)` : "";
  return `pods are forbidden: ${first.field}: ${first.message}${others}; namespace ${namespace} enforces ${level}`;
}

/** A Namespace's labels may have changed: when to look again at a template that was refused. */
export const refusedLookMs = 30_000;

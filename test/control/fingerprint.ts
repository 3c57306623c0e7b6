import type { Snapshot } from "../../src/objects/snapshot.js";

/** What stays when a scenario is played again with other timing: objects without revisions, times and nodes. */
export function fingerprint(snapshot: Snapshot): readonly unknown[] {
  return kinds.flatMap((kind) => snapshot.list(kind).map(strip));
}

const kinds = [
  "/Namespace",
  "apps/Deployment",
  "apps/StatefulSet",
  "apps/DaemonSet",
  "apps/ReplicaSet",
  "apps/ControllerRevision",
  "batch/CronJob",
  "batch/Job",
  "/Pod",
];

const volatile = new Set([
  "resourceVersion",
  "creationTimestamp",
  "lastTransitionTime",
  "lastUpdateTime",
  "lastProbeTime",
  "startTime",
  "completionTime",
  "lastSuccessfulTime",
  "nodeName",
]);

function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strip);
  if (typeof value !== "object" || value === null) return value;
  // The default Namespace's uid tells when it was made.
  const isNamespace = (value as { readonly kind?: string }).kind === "Namespace";
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !volatile.has(name) && !(isNamespace && name === "metadata"))
      .map(([name, part]) => [name, strip(part)]),
  );
}

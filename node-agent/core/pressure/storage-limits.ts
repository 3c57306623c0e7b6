import type { Container, Pod, Volume } from "../../../src/api/kinds/pod.js";
import { podTotal } from "../../../src/api/kinds/pod-resources.js";
import { unitsOf } from "../../../src/api/quantity.js";
import { allContainers } from "../container-role.js";
import { sourceOf } from "../volume-plan.js";
import { containerDiskBytes, diskOf, type PodUsage } from "./pod-usage.js";
import { formatBytes } from "./thresholds.js";

const storage = "ephemeral-storage";

/** Folders on the disk that belong to a Pod and count for it; those in memory have a hard limit of their own. */
export function diskFolders(pod: Pod): readonly Volume[] {
  return (pod.spec.volumes ?? []).filter(
    (volume) => sourceOf(volume) === "emptyDir" && volume.emptyDir?.medium !== "Memory",
  );
}

/** Whether a Pod may only write so much, so that it has to be measured. */
export function hasStorageLimit(pod: Pod): boolean {
  const limited = allContainers(pod).some((container) => limitOf(container) > 0);
  return limited || diskFolders(pod).some((volume) => folderLimit(volume) > 0);
}

/**
 * The limit that a Pod has gone over, in Kubernetes' words; undefined: none. What was not measured to its end counts as what was found: it may
 * be over a limit, and never is under one that it is over.
 */
export function limitExceeded(usage: PodUsage): string | undefined {
  const { pod, containers, volumes } = usage;
  for (const volume of diskFolders(pod)) {
    const limit = folderLimit(volume);
    if (limit > 0 && (volumes.get(volume.name)?.bytes ?? 0) > limit)
      return `Usage of EmptyDir volume "${volume.name}" exceeds the limit "${volume.emptyDir?.sizeLimit}".`;
  }
  const total = podTotal(pod, limitOf);
  if (total > 0 && diskOf(usage, "all").bytes > total)
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${formatBytes(total)}.`;
  for (const container of allContainers(pod)) {
    const used = containerDiskBytes(containers.get(container.name) ?? {});
    if (limitOf(container) > 0 && used !== undefined && used > limitOf(container))
      return `Container ${container.name} exceeded its local ephemeral storage limit "${container.resources?.limits?.[storage]}".`;
  }
  return undefined;
}

function limitOf({ resources }: Container): number {
  return unitsOf(resources?.limits?.[storage] ?? "0");
}

function folderLimit({ emptyDir }: Volume): number {
  return unitsOf(emptyDir?.sizeLimit ?? "0");
}

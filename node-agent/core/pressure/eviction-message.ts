import type { Container } from "../../../src/api/kinds/pod.js";
import { requestUnits } from "../../../src/api/kinds/pod-resources.js";
import { allContainers } from "../container-role.js";
import type { Met } from "./pressure-state.js";
import { containerDiskBytes, type ContainerUse, type PodUsage } from "./pod-usage.js";
import { starvedBy, type PressureCondition, type Starved } from "./signals.js";
import { formatBytes, formatUnits } from "./thresholds.js";

/** Why a Pod goes, in Kubernetes' words (pkg/kubelet/eviction): what was short, by how much, and which containers used more than they asked for. */
export function evictionMessage({ threshold, wantedUnits, availableUnits }: Met, usage: PodUsage): string {
  const { signal } = threshold;
  const starved = starvedBy(signal);
  const quantity = formatUnits(wantedUnits, signal);
  const available = formatUnits(availableUnits, signal);
  const hogs = allContainers(usage.pod).flatMap((container) => {
    const used = usedBy(usage.containers.get(container.name), starved);
    if (used === undefined || used <= requestUnits(container, starved)) return [];
    return [
      `Container ${container.name} was using ${formatBytes(used)}, request is ${requestText(container, starved)}, has larger consumption of ${starved}.`,
    ];
  });
  const low = `The node was low on resource: ${starved}. Threshold quantity: ${quantity}, available: ${available}.`;
  return [low, ...hogs].join(" ");
}

/** Why a Pod that has just come is not begun with. */
export function refusalMessage(conditions: readonly PressureCondition[]): string {
  return `The node had condition: [${conditions.join(" ")}].`;
}

function usedBy(use: ContainerUse | undefined, starved: Starved): number | undefined {
  if (use === undefined) return undefined;
  if (starved === "memory") return use.memoryBytes;
  return starved === "ephemeral-storage" ? containerDiskBytes(use) : undefined;
}

function requestText({ resources }: Container, starved: Starved): string {
  return resources?.requests?.[starved] ?? "0";
}

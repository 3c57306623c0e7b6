import type { Node } from "../api/kinds/core.js";
import type { Container, Pod } from "../api/kinds/pod.js";
import { podTotal, requestUnits } from "../api/kinds/pod-resources.js";
import { milliOf, unitsOf } from "../api/quantity.js";

/** What is counted on a node. */
export interface Resources {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  /** Of the node's own disk. */
  readonly storageBytes: number;
}

/** What a Pod asks for. */
export function requestsOf(pod: Pod): Resources {
  const request = (container: Container, resource: string): string => container.resources?.requests?.[resource] ?? "0";
  return {
    cpuMilli: podTotal(pod, (container) => milliOf(request(container, "cpu"))),
    memoryBytes: podTotal(pod, (container) => requestUnits(container, "memory")),
    storageBytes: podTotal(pod, (container) => requestUnits(container, "ephemeral-storage")),
  };
}

/** As Kubernetes' scoring sees a Pod: one that asks for nothing is taken for a small one, so that such Pods spread too. */
export function weightOf(requests: Resources): Pick<Resources, "cpuMilli" | "memoryBytes"> {
  return { cpuMilli: requests.cpuMilli || 100, memoryBytes: requests.memoryBytes || 200 * 1024 * 1024 };
}

/** What a node offers to Pods, and how many it takes. What it does not say it does not offer, but for the number of Pods. */
export function offeredBy(node: Node): Resources & { readonly pods: number } {
  const offered = node.status?.allocatable ?? node.status?.capacity ?? {};
  return {
    cpuMilli: milliOf(offered["cpu"] ?? "0"),
    memoryBytes: unitsOf(offered["memory"] ?? "0"),
    storageBytes: unitsOf(offered["ephemeral-storage"] ?? "0"),
    pods: offered["pods"] === undefined ? podsDefault : unitsOf(offered["pods"]),
  };
}

/** The kubelet's default. */
const podsDefault = 110;

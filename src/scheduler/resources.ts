import type { Node } from "../api/kinds/core.js";
import type { Container, Pod } from "../api/kinds/pod.js";
import { milliOf, unitsOf } from "../api/quantity.js";

/** What is counted on a node. */
export interface Resources {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

/** What a Pod asks for: its containers together, or its greediest init container, whichever is more. */
export function requestsOf(pod: Pod): Resources {
  const main = (pod.spec.containers ?? []).map(requestOf);
  const init = (pod.spec.initContainers ?? []).map(requestOf);
  const most = (part: (one: Resources) => number): number =>
    Math.max(
      main.reduce((sum, one) => sum + part(one), 0),
      ...init.map(part),
    );
  return { cpuMilli: most((one) => one.cpuMilli), memoryBytes: most((one) => one.memoryBytes) };
}

/** As Kubernetes' scoring sees a Pod: one that asks for nothing is taken for a small one, so that such Pods spread too. */
export function weightOf(requests: Resources): Resources {
  return { cpuMilli: requests.cpuMilli || 100, memoryBytes: requests.memoryBytes || 200 * 1024 * 1024 };
}

/** What a node offers to Pods, and how many it takes. What it does not say it does not offer, but for the number of Pods. */
export function offeredBy(node: Node): Resources & { readonly pods: number } {
  const offered = node.status?.allocatable ?? node.status?.capacity ?? {};
  return {
    cpuMilli: milliOf(offered["cpu"] ?? "0"),
    memoryBytes: unitsOf(offered["memory"] ?? "0"),
    pods: offered["pods"] === undefined ? podsDefault : unitsOf(offered["pods"]),
  };
}

/** The kubelet's default. */
const podsDefault = 110;

function requestOf(container: Container): Resources {
  const requests = container.resources?.requests ?? {};
  return { cpuMilli: milliOf(requests["cpu"] ?? "0"), memoryBytes: unitsOf(requests["memory"] ?? "0") };
}

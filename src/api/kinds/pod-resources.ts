import { milliOf, unitsOf } from "../quantity.js";
import type { Container, Pod, PodSpec } from "./pod.js";

/** Kubernetes' classes of Pods by what they ask for (kubernetes.io/docs/concepts/workloads/pods/pod-qos). */
export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

/**
 * What a Pod takes of one thing: its containers and sidecars together, or an init container beside the sidecars before it,
 * whichever is more (KEP-753). `part`: of one container.
 */
export function podTotal({ spec }: Pick<Pod, "spec">, part: (container: Container) => number): number {
  let sidecars = 0;
  let most = 0;
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") sidecars += part(container);
    most = Math.max(most, container.restartPolicy === "Always" ? sidecars : sidecars + part(container));
  }
  const together = (spec.containers ?? []).reduce((sum, container) => sum + part(container), sidecars);
  return Math.max(together, most);
}

/** Bytes, or a count, that a container asks for; 0 when it does not say. */
export function requestUnits({ resources }: Container, resource: string): number {
  return unitsOf(resources?.requests?.[resource] ?? "0");
}

/** Guaranteed: each container has limits of cpu and memory and asks for as much. BestEffort: none asks for or limits any of them. */
export function qosClassOf({ containers, initContainers = [] }: PodSpec): QosClass {
  const all = [...initContainers, ...containers];
  const amounts = all.map(({ resources }) =>
    (["cpu", "memory"] as const).map((name) => ({
      request: milliOf(resources?.requests?.[name] ?? "0"),
      limit: milliOf(resources?.limits?.[name] ?? "0"),
    })),
  );
  const isSilent = amounts.every((pair) => pair.every(({ request, limit }) => request === 0 && limit === 0));
  if (isSilent) return "BestEffort";
  // A request that is not there is as much as the limit.
  const isFull = amounts.every((pair) => pair.every(({ request, limit }) => limit > 0 && (request || limit) === limit));
  return isFull ? "Guaranteed" : "Burstable";
}

/** Pods that the system itself needs, and that pressure on their node does not end (Kubernetes' SystemCriticalPriority). */
export const systemCriticalPriority = 2_000_000_000;

/** 0 when it has none. */
export function priorityOf({ spec }: Pick<Pod, "spec">): number {
  const priority = spec["priority"];
  return typeof priority === "number" ? priority : 0;
}

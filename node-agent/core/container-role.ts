import type { Container, Pod } from "../../src/api/kinds/pod.js";
import type { ContainerRecord, PodRecord } from "./pod-record.js";

export type RestartPolicy = "Always" | "OnFailure" | "Never";

/** An init container that starts in its turn and runs on beside the containers (Kubernetes' restartable init container). */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

export function sidecarsOf(pod: Pod): readonly Container[] {
  return (pod.spec.initContainers ?? []).filter(isSidecar);
}

/** Of a Pod's spec, init containers first. */
export function allContainers(pod: Pod): readonly Container[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
}

/** Init containers that failed are tried again under Always too, those that succeeded never; sidecars whatever the Pod's policy. */
export function restartPolicyOf(pod: Pod, container: Container): RestartPolicy {
  const init = (pod.spec.initContainers ?? []).find(({ name }) => name === container.name);
  if (init !== undefined && isSidecar(init)) return "Always";
  const policy = pod.spec.restartPolicy ?? "Always";
  return init !== undefined && policy === "Always" ? "OnFailure" : policy;
}

/** True when this attempt ended and no other will follow. */
export function endedForGood(record: ContainerRecord | undefined, policy: RestartPolicy): boolean {
  if (record?.exit === undefined) return false;
  return policy === "Never" || (policy === "OnFailure" && record.exit.exitCode === 0);
}

/** True when the Pod has done all that it ever will. Its sidecars may still run, and are ended then. */
export function isFinished(pod: Pod, record: PodRecord): boolean {
  const over = (container: Container): boolean =>
    endedForGood(record.containers[container.name], restartPolicyOf(pod, container));
  const initFailed = (pod.spec.initContainers ?? []).some(
    (container) => over(container) && record.containers[container.name]?.exit?.exitCode !== 0,
  );
  return initFailed || pod.spec.containers.every(over);
}

/** True when the next init container may follow: this one ended well, or runs and has started when it is a sidecar. */
export function initDone(container: Container, record: ContainerRecord | undefined, runs: boolean): boolean {
  if (!isSidecar(container)) return record?.exit?.exitCode === 0;
  return runs && record?.exit === undefined && hasStarted(container, record);
}

/** Of a container that runs: its postStart hook and its startup probe have succeeded, where it has them. */
export function hasStarted(container: Container, record: ContainerRecord | undefined): boolean {
  const hooked = container.lifecycle?.postStart === undefined || record?.hooked === true;
  return hooked && (container.startupProbe === undefined || record?.started === true);
}

import type { ContainerIdentity } from "../core/runtime.js";

/** Whose containers a runtime sees and touches. Several agents, also of several clusters, may share one engine. */
export interface ContainerOwner {
  readonly clusterId: string;
  readonly node: string;
}

/** Label names; all but the last two stand on each container. */
export const labelNames = {
  cluster: "ikada.cluster",
  node: "ikada.node",
  nodeUid: "ikada.node-uid",
  podUid: "ikada.pod-uid",
  podNamespace: "ikada.pod-namespace",
  podName: "ikada.pod-name",
  container: "ikada.container",
  role: "ikada.role",
  attempt: "ikada.attempt",
  specHash: "ikada.spec-hash",
  /** Only where the end of the output stands for a message that was not written. */
  messageFallback: "ikada.message-fallback",
  /** With which limits it was made. */
  limits: "ikada.limits",
} as const;

export type Labels = Readonly<Record<string, string>>;

/** `nodeUid` is for people; before the first contact with a server it is not known and left out. */
export function labelsOf(owner: ContainerOwner, nodeUid: string | undefined, identity: ContainerIdentity): Labels {
  return {
    [labelNames.cluster]: owner.clusterId,
    [labelNames.node]: owner.node,
    ...(nodeUid !== undefined && { [labelNames.nodeUid]: nodeUid }),
    [labelNames.podUid]: identity.podUid,
    [labelNames.podNamespace]: identity.podNamespace,
    [labelNames.podName]: identity.podName,
    [labelNames.container]: identity.containerName,
    [labelNames.role]: identity.role,
    [labelNames.attempt]: String(identity.attempt),
    [labelNames.specHash]: identity.specHash,
  };
}

/** Filter of list and events for one owner's containers. */
export function ownerFilter(owner: ContainerOwner): string[] {
  return [`${labelNames.cluster}=${owner.clusterId}`, `${labelNames.node}=${owner.node}`];
}

/** Undefined for a container of somebody else. */
export function identityOf(owner: ContainerOwner, labels: Labels): ContainerIdentity | undefined {
  if (labels[labelNames.cluster] !== owner.clusterId || labels[labelNames.node] !== owner.node) return undefined;
  const role = labels[labelNames.role];
  const podUid = labels[labelNames.podUid];
  const attempt = Number(labels[labelNames.attempt]);
  if ((role !== "sandbox" && role !== "container") || !podUid || !Number.isSafeInteger(attempt)) return undefined;
  return {
    podUid,
    podNamespace: labels[labelNames.podNamespace] ?? "",
    podName: labels[labelNames.podName] ?? "",
    containerName: labels[labelNames.container] ?? "",
    role,
    attempt,
    specHash: labels[labelNames.specHash] ?? "",
  };
}

/**
 * The engine's name of a container: readable in `docker ps`, and the same for the same incarnation, so that the engine itself
 * refuses a second one.
 */
export function containerName(owner: ContainerOwner, identity: ContainerIdentity): string {
  const parts = [
    "ikada",
    owner.clusterId.slice(0, 8),
    owner.node,
    identity.podNamespace,
    identity.podName,
    identity.role === "sandbox" ? "sandbox" : `c-${identity.containerName}`,
    String(identity.attempt),
    identity.podUid,
  ];
  return parts.join("-").replace(/[^a-zA-Z0-9_.-]/g, "_");
}

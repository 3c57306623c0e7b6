/** What an operator may set of the controllers. Names follow Kubernetes' flags where there is one. */
export interface ControllerSettings {
  /** A node whose agent is silent for so long is not ready (`--node-monitor-grace-period`, there 50 s). */
  readonly nodeNotReadyAfterMs: number;
  /** A new leader calls no node silent before it has listened for so long: agents need the time to find their way to it. */
  readonly newLeaderGraceMs: number;
  /** How often a silent node is looked at for having come back. */
  readonly silentNodePollMs: number;
  /** How long Pods stay on a node with the taint, when they have no toleration of their own (kube-apiserver's flags, there 300). */
  readonly defaultNotReadyTolerationSeconds: number;
  readonly defaultUnreachableTolerationSeconds: number;
  /**
   * A terminating Pod of a ReplicaSet on an unreachable node leaves the store after this time, though its agent has not
   * confirmed its end: it has been replaced long since, and an agent that comes back removes containers it has no
   * assignment for. Pods of other owners wait for their node.
   */
  readonly podForceRemoveMs: number;
  /** Finished Pods above this number are removed, oldest first (`--terminated-pod-gc-threshold`). */
  readonly terminatedPodsMax: number;
  /** `--event-ttl`. */
  readonly eventTtlMs: number;
}

export const defaultControllerSettings: ControllerSettings = {
  nodeNotReadyAfterMs: 5000,
  newLeaderGraceMs: 3000,
  silentNodePollMs: 500,
  defaultNotReadyTolerationSeconds: 5,
  defaultUnreachableTolerationSeconds: 5,
  podForceRemoveMs: 60_000,
  terminatedPodsMax: 12_500,
  eventTtlMs: 3_600_000,
};

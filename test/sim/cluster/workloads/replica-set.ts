import type { ReplicaSet } from "../../../../src/api/kinds/apps.js";
import type { Pod } from "../../../../src/api/kinds/pod.js";
import type { AnyObject } from "../../../../src/api/object.js";
import { podMissing, type WorkloadKind } from "../workload.js";

/** ReplicaSets on their own. */
export const replicaSetWorkload: WorkloadKind = {
  name: "replicaset",
  groupKind: "apps/ReplicaSet",
  weight: 2,

  create(wishes, name) {
    return {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name, namespace: "default" },
      spec: {
        replicas: wishes.replicas(),
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: wishes.goodPodSpec(wishes.podSpec()) },
      },
    } as unknown as AnyObject;
  },

  change(wishes, live) {
    const { spec } = live as unknown as ReplicaSet;
    return { ...live, spec: { ...spec, replicas: wishes.replicas() } } as unknown as AnyObject;
  },

  settle(wishes, live) {
    const { spec } = live as unknown as ReplicaSet;
    if (wishes.random.chance(0.2)) return undefined;
    return { ...live, spec: { ...spec, replicas: Math.min(spec.replicas ?? 1, 3) } } as unknown as AnyObject;
  },

  missing(object, view) {
    const { metadata, spec, status } = object as unknown as ReplicaSet;
    const replicas = spec.replicas ?? 1;
    if (status?.observedGeneration !== metadata.generation || (status?.availableReplicas ?? 0) !== replicas)
      return `${metadata.name}: ${JSON.stringify(status)}, wanted ${replicas} replicas`;
    const pods = view.snapshot.ownedBy<Pod>(metadata.uid ?? "", "/Pod");
    const living = pods.filter(({ status: { phase } = {} }) => phase !== "Failed" && phase !== "Succeeded");
    if (living.length !== replicas) return `${metadata.name}: ${living.length} Pods, wanted ${replicas}`;
    return living.map((pod) => podMissing(pod, view)).find((why) => why !== undefined);
  },
};

import type { Node } from "../../src/api/kinds/core.js";
import type { Pod, PodSpec } from "../../src/api/kinds/pod.js";
import type { AnyObject } from "../../src/api/object.js";
import { derivedUid } from "../../src/objects/derived-id.js";

/** Nodes of 32 cores and 64 GiB in three zones. */
export function nodeObjects(count: number): readonly AnyObject[] {
  return Array.from({ length: count }, (_, at) => nodeObject(at) as unknown as AnyObject);
}

function nodeObject(at: number): Node {
  const name = `node-${at}`;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      uid: derivedUid(name),
      resourceVersion: "1",
      labels: { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": `zone-${at % 3}` },
    },
    spec: {},
    status: {
      allocatable: { cpu: "32", memory: "64Gi", pods: "110" },
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
}

export interface PodsOptions {
  readonly count: number;
  /** The ReplicaSets that they are of. */
  readonly sets: number;
  /** So many in front of them have these numbers already. */
  readonly from?: number;
  readonly nodeName?: (at: number) => string;
  readonly spec?: Partial<PodSpec>;
}

/** Pods of ReplicaSets, as their controller makes them. */
export function podObjects({ count, sets, from = 0, nodeName, spec }: PodsOptions): readonly AnyObject[] {
  return Array.from({ length: count }, (_, index) => {
    const at = from + index;
    const set = `web-${at % sets}`;
    const name = `${set}-${at}`;
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: set, uid: derivedUid(set), controller: true };
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name,
        namespace: "default",
        uid: derivedUid(name),
        resourceVersion: "1",
        creationTimestamp: "2026-01-01T00:00:00Z",
        labels: { app: set, "pod-template-hash": "abc" },
        ownerReferences: [owner],
      },
      spec: {
        containers: [{ name: "main", image: "web:1", resources: { requests: { cpu: "100m", memory: "128Mi" } } }],
        ...spec,
        ...(nodeName === undefined ? {} : { nodeName: nodeName(at) }),
      },
      status: { phase: nodeName === undefined ? "Pending" : "Running" },
    };
    return pod as unknown as AnyObject;
  });
}

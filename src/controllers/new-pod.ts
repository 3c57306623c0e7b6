import { cloneJson } from "../api/json.js";
import { completePodSpec } from "../api/kinds/pod-defaults.js";
import type { Pod, PodSpec, PodTemplateSpec } from "../api/kinds/pod.js";
import { withPriority, type PriorityClass } from "../api/kinds/priority.js";
import type { OwnerReference } from "../api/object.js";
import { toTimestamp } from "../api/time.js";
import { IkadaError } from "../base/errors.js";
import type { Snapshot } from "../objects/snapshot.js";

export interface PodIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly owner: OwnerReference;
  readonly finalizers?: readonly string[];
}

/**
 * A Pod of this template, waiting to be scheduled. The template's own defaults were set when its owner was stored; the priority is that of its
 * PriorityClass now. @throws IkadaError Forbidden when that is not there; `podRefusal` says so before
 */
export function newPod(template: PodTemplateSpec, identity: PodIdentity, snapshot: Snapshot, now: number): Pod {
  const spec = withPriority(cloneJson(template.spec) as PodSpec, snapshot.list<PriorityClass>(priorityClasses));
  if (typeof spec === "string") throw new IkadaError("Forbidden", `pods are forbidden: ${spec}`);
  completePodSpec(spec, { requestsFromLimits: true });
  const { labels, annotations } = template.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: identity.name,
      namespace: identity.namespace,
      uid: identity.uid,
      generation: 1,
      creationTimestamp: toTimestamp(now),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [identity.owner],
      ...(identity.finalizers === undefined ? {} : { finalizers: identity.finalizers }),
    },
    spec,
    status: { phase: "Pending" },
  };
}

export const priorityClasses = "scheduling.k8s.io/PriorityClass";

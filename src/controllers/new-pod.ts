import { cloneJson } from "../api/json.js";
import { completePodSpec } from "../api/kinds/pod-defaults.js";
import type { Pod, PodSpec, PodTemplateSpec } from "../api/kinds/pod.js";
import type { OwnerReference } from "../api/object.js";
import { toTimestamp } from "../api/time.js";

export interface PodIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly owner: OwnerReference;
}

/** A Pod of this template, waiting to be scheduled. The template's own defaults were set when its owner was stored. */
export function newPod(template: PodTemplateSpec, identity: PodIdentity, now: number): Pod {
  const spec = cloneJson(template.spec) as PodSpec;
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
    },
    spec,
    status: { phase: "Pending" },
  };
}

import type { Node, NodeSpec } from "../../../src/api/kinds/core.js";
import type { PodDisruptionBudget } from "../../../src/api/kinds/policy.js";
import type { Pod, PodSpec, PodStatus } from "../../../src/api/kinds/pod.js";
import type { ObjectMeta } from "../../../src/api/object.js";
import { planSnapshot, type Plan, type PlanOptions } from "../../../src/scheduler/plan.js";
import { now, worldOf } from "../fixture.js";
import { node, pod } from "../objects.js";

type Given = { readonly metadata: ObjectMeta };

export interface PodGiven extends Partial<PodSpec> {
  readonly labels?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly status?: PodStatus;
  readonly created?: string;
  readonly owner?: string;
  readonly terminating?: boolean;
}

/** A Pod by what scheduling reads of it. */
export function podOf(name: string, given: PodGiven = {}): Pod {
  const { labels, namespace = "default", cpu, memory, status, created, owner, terminating, ...spec } = given;
  const requests = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
  const metadata: Partial<ObjectMeta> = {
    namespace,
    ...(labels === undefined ? {} : { labels }),
    ...(created === undefined ? {} : { creationTimestamp: created }),
    ...(terminating === true ? { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 30 } : {}),
    ...(owner === undefined
      ? {}
      : {
          ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: owner, uid: owner, controller: true }],
        }),
  };
  return pod(name, {
    metadata,
    ...(status === undefined ? {} : { status }),
    spec: { containers: [{ name: "main", image: "web:1", resources: { requests } }], ...spec },
  });
}

/** A node with these labels beside its name. */
export function nodeOf(
  name: string,
  labels: Readonly<Record<string, string>> = {},
  spec: NodeSpec = {},
  allocatable: Record<string, string> = {},
): Node {
  const plain = node(name, spec, allocatable);
  return { ...plain, metadata: { ...plain.metadata, labels: { ...plain.metadata.labels, ...labels } } };
}

export const zone = "topology.kubernetes.io/zone";
export const host = "kubernetes.io/hostname";

export function planOf(objects: readonly Given[], more: Partial<PlanOptions> = {}): Plan {
  return planSnapshot(worldOf(objects).snapshot, { now, profile: "spread", budgets: [], ...more });
}

/** Who goes where: `p1=a p2=b`, in the order of the names. */
export function placed({ bindings }: Plan): string {
  return bindings
    .map((binding) => `${binding.pod.metadata.name}=${binding.node.metadata.name}`)
    .sort()
    .join(" ");
}

/** Why the first one waits. */
export function refusal({ rejections }: Plan): string {
  return rejections[0]?.message ?? "";
}

export function budget(
  name: string,
  labels: Readonly<Record<string, string>>,
  disruptionsAllowed: number,
): PodDisruptionBudget {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name, namespace: "default", uid: `uid-${name}`, generation: 1, resourceVersion: "1" },
    spec: { selector: { matchLabels: labels }, minAvailable: 1 },
    status: { disruptionsAllowed, observedGeneration: 1, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
  };
}

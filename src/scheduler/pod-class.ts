import type { Pod, Toleration } from "../api/kinds/pod.js";
import { priorityOf, qosClassOf } from "../api/kinds/pod-resources.js";
import type { Affinity } from "../api/kinds/scheduling.js";
import { onlyNodeOf } from "../api/node-affinity.js";
import { pressureTaints } from "../api/pressure-taints.js";
import type { Labels } from "../api/selector.js";
import { hostPortsOf, type HostPort } from "./host-ports.js";
import { podTermsOf, type PodTerms } from "./pod-terms.js";
import { requestsOf, type Resources } from "./resources.js";

/** Pods that any node takes or refuses for the same reasons, and likes as much: as a rule those of one ReplicaSet. */
export interface PodClass extends PodTerms {
  readonly key: string;
  /** The same without Namespace and labels, which only rules about other Pods read. */
  readonly shape: string;
  readonly namespace: string;
  readonly labels: Labels;
  /** The uid of what manages them; "" for Pods on their own. */
  readonly owner: string;
  readonly priority: number;
  /** Whether they may push others out. */
  readonly preempts: boolean;
  readonly requests: Resources;
  readonly hostPorts: readonly HostPort[];
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly affinity: Affinity;
  /** The one node that it may be on, as for Pods of DaemonSets. */
  readonly onlyNode: string | undefined;
  readonly tolerations: readonly Toleration[];
  readonly images: readonly string[];
  /** Has rules about other Pods, which those have to be asked about too. */
  readonly hasPodTerms: boolean;
}

/** Finds each Pod's class. Pods of one owner and one template get the same object for as long as it has members. */
export class PodClasses {
  readonly #known = new Map<string, { readonly podClass: PodClass; members: number }>();

  /** The class of a Pod that is to be counted among its members until `leave`. */
  join(pod: Pod): PodClass {
    const shape = shapeOf(pod);
    const key = keyOf(pod, shape);
    let entry = this.#known.get(key);
    if (entry === undefined) this.#known.set(key, (entry = { podClass: classOf(pod, shape, key), members: 0 }));
    entry.members += 1;
    return entry.podClass;
  }

  /** Says whether it was the last member. */
  leave({ key }: PodClass): boolean {
    const entry = this.#known.get(key);
    if (entry === undefined) return false;
    entry.members -= 1;
    if (entry.members > 0) return false;
    this.#known.delete(key);
    return true;
  }
}

/** The uid of what manages the Pod; "" for a Pod on its own. */
export function ownerOf(pod: Pod): string {
  return pod.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid ?? "";
}

/**
 * What Kubernetes' admission gives to every Pod that asks for something: a node that is short of memory takes it, and would end those first that
 * ask for nothing.
 */
function impliedTolerations({ spec }: Pod): readonly Toleration[] {
  if (qosClassOf(spec) === "BestEffort") return [];
  return [{ key: pressureTaints.MemoryPressure, operator: "Exists", effect: "NoSchedule" }];
}

function keyOf({ metadata }: Pod, shape: string): string {
  return JSON.stringify([metadata.namespace, metadata.labels, shape]);
}

/** All that `classOf` reads, but for Namespace and labels, as text: stored objects have their fields in one order. */
function shapeOf(pod: Pod): string {
  const { spec } = pod;
  return JSON.stringify([
    ownerOf(pod),
    priorityOf(pod),
    spec.preemptionPolicy,
    (spec.containers ?? []).map(({ resources, ports, image }) => [resources, ports, image]),
    spec.initContainers?.map(({ resources, ports, restartPolicy }) => [resources, ports, restartPolicy]),
    spec.overhead,
    spec.hostNetwork,
    spec.nodeSelector,
    spec.affinity,
    spec.tolerations,
    spec.topologySpreadConstraints,
  ]);
}

function classOf(pod: Pod, shape: string, key: string): PodClass {
  const { spec, metadata } = pod;
  const terms = podTermsOf(pod);
  return {
    ...terms,
    key,
    shape,
    namespace: metadata.namespace ?? "",
    labels: metadata.labels ?? {},
    owner: ownerOf(pod),
    priority: priorityOf(pod),
    preempts: spec.preemptionPolicy !== "Never",
    requests: requestsOf(pod),
    hostPorts: hostPortsOf(pod),
    nodeSelector: spec.nodeSelector ?? {},
    affinity: spec.affinity ?? {},
    onlyNode: onlyNodeOf({ affinity: spec.affinity ?? {} }),
    tolerations: [...(spec.tolerations ?? []), ...impliedTolerations(pod)],
    images: (spec.containers ?? []).map(({ image }) => image),
    hasPodTerms: terms.nearTo.length + terms.awayFrom.length + terms.preferred.length > 0,
  };
}

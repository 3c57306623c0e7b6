import { canonicalJson } from "../api/json.js";
import type { Pod, Toleration } from "../api/kinds/pod.js";
import { qosClassOf } from "../api/kinds/pod-resources.js";
import { pressureTaints } from "../api/pressure-taints.js";
import { hostPortsOf, type HostPort } from "./host-ports.js";
import { requestsOf, type Resources } from "./resources.js";
import { ownerOf } from "./room.js";

/** Pods that any node takes or refuses for the same reasons: as a rule those of one ReplicaSet. */
export interface PodClass {
  readonly owner: string;
  readonly requests: Resources;
  readonly hostPorts: readonly HostPort[];
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly affinity: unknown;
  readonly tolerations: readonly Toleration[];
}

/**
 * What Kubernetes' admission gives to every Pod that asks for something: a node that is short of memory takes it, and would end those first that
 * ask for nothing.
 */
function impliedTolerations({ spec }: Pod): readonly Toleration[] {
  if (qosClassOf(spec) === "BestEffort") return [];
  return [{ key: pressureTaints.MemoryPressure, operator: "Exists", effect: "NoSchedule" }];
}

/** Finds each Pod's class; Pods of one owner and one template get the same object. */
export class PodClasses {
  readonly #known = new Map<string, PodClass>();

  of(pod: Pod): PodClass {
    const podClass: PodClass = {
      owner: ownerOf(pod),
      requests: requestsOf(pod),
      hostPorts: hostPortsOf(pod),
      nodeSelector: pod.spec.nodeSelector ?? {},
      affinity: pod.spec["affinity"],
      tolerations: [...(pod.spec.tolerations ?? []), ...impliedTolerations(pod)],
    };
    const key = canonicalJson(podClass);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, podClass);
    return podClass;
  }
}

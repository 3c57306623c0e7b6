import { canonicalJson } from "../api/json.js";
import type { Pod, Toleration } from "../api/kinds/pod.js";
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
      tolerations: pod.spec.tolerations ?? [],
    };
    const key = canonicalJson(podClass);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, podClass);
    return podClass;
  }
}

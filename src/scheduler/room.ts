import type { Node } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import type { Snapshot } from "../objects/snapshot.js";
import { hostPortsOf, type HostPort } from "./host-ports.js";
import { offeredBy, requestsOf, weightOf, type Resources } from "./resources.js";

/** One node during one pass: what it offers and what is taken, counting the bindings that the pass has chosen so far. */
export class Room {
  readonly node: Node;
  readonly offered: Resources & { readonly pods: number };
  #cpuMilli = 0;
  #memoryBytes = 0;
  #storageBytes = 0;
  #weightCpuMilli = 0;
  #weightMemoryBytes = 0;
  #pods = 0;
  readonly #hostPorts: HostPort[] = [];
  readonly #perOwner = new Map<string, number>();

  constructor(node: Node, pods: readonly Pod[]) {
    this.node = node;
    this.offered = offeredBy(node);
    for (const pod of pods)
      if (!hasEnded(pod)) this.add({ owner: ownerOf(pod), requests: requestsOf(pod), hostPorts: hostPortsOf(pod) });
  }

  get taken(): Resources & { readonly pods: number } {
    const [cpuMilli, memoryBytes, storageBytes] = [this.#cpuMilli, this.#memoryBytes, this.#storageBytes];
    return { cpuMilli, memoryBytes, storageBytes, pods: this.#pods };
  }

  /** What is taken as scoring counts it (see `weightOf`). */
  get weight(): ReturnType<typeof weightOf> {
    return { cpuMilli: this.#weightCpuMilli, memoryBytes: this.#weightMemoryBytes };
  }

  /** Those of the machine that its Pods have. */
  get hostPorts(): readonly HostPort[] {
    return this.#hostPorts;
  }

  podsOf(owner: string): number {
    return this.#perOwner.get(owner) ?? 0;
  }

  add({ owner, requests, hostPorts }: Taken): void {
    const weight = weightOf(requests);
    this.#cpuMilli += requests.cpuMilli;
    this.#memoryBytes += requests.memoryBytes;
    this.#storageBytes += requests.storageBytes;
    this.#weightCpuMilli += weight.cpuMilli;
    this.#weightMemoryBytes += weight.memoryBytes;
    this.#pods += 1;
    this.#hostPorts.push(...hostPorts);
    if (owner !== "") this.#perOwner.set(owner, this.podsOf(owner) + 1);
  }
}

/** What one Pod takes. */
export interface Taken {
  readonly owner: string;
  readonly requests: Resources;
  readonly hostPorts: readonly HostPort[];
}

export function roomsOf(snapshot: Snapshot): readonly Room[] {
  return snapshot.list<Node>("/Node").map((node) => new Room(node, snapshot.podsOnNode<Pod>(node.metadata.name)));
}

/** The uid of what manages the Pod; "" for a Pod on its own. */
export function ownerOf(pod: Pod): string {
  return pod.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid ?? "";
}

/** Its containers have ended for good. Terminating Pods still take their room. */
export function hasEnded(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

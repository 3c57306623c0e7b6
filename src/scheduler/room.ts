import type { Node, Taint } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import type { Labels } from "../api/selector.js";
import { derivedOrder } from "../objects/derived-id.js";
import type { HostPort } from "./host-ports.js";
import type { PodClass } from "./pod-class.js";
import { offeredBy, weightOf, type Resources } from "./resources.js";

/** A Pod that is bound, or waits, with what placing is about. */
export interface Member {
  readonly pod: Pod;
  readonly podClass: PodClass;
  readonly isTerminating: boolean;
}

/** What one node offers and what is taken of it. There may be Pods of a node that has no object. */
export class Room {
  readonly name: string;
  /** Tells nodes apart that are equal in all else. */
  readonly hash: number;
  readonly members = new Set<Member>();
  #node: Node | undefined;
  #offered: Resources & { readonly pods: number } = nothing;
  #ready = false;
  #taints: readonly Taint[] = [];
  #spared: readonly Taint[] = [];
  #images: ReadonlyMap<string, number> = new Map();
  #cpuMilli = 0;
  #memoryBytes = 0;
  #storageBytes = 0;
  #pods = 0;
  #weightCpuMilli = 0;
  #weightMemoryBytes = 0;
  readonly #extended = new Map<string, number>();
  readonly #hostPorts: HostPort[] = [];

  constructor(name: string) {
    this.name = name;
    this.hash = derivedOrder(name);
  }

  get node(): Node | undefined {
    return this.#node;
  }

  set node(node: Node | undefined) {
    this.#node = node;
    this.#offered = node === undefined ? nothing : offeredBy(node);
    this.#ready =
      node !== undefined &&
      node.metadata.deletionTimestamp === undefined &&
      node.status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;
    const taints = node?.spec.taints ?? [];
    this.#taints = taints.filter(({ effect }) => effect !== "PreferNoSchedule");
    this.#spared = taints.filter(({ effect }) => effect === "PreferNoSchedule");
    this.#images = new Map(
      (node?.status?.images ?? []).flatMap(({ names = [], sizeBytes = 0 }) =>
        names.map((name): [string, number] => [name, sizeBytes]),
      ),
    );
  }

  get labels(): Labels {
    return this.#node?.metadata.labels ?? {};
  }

  /** Its agent says that it can run Pods, and nobody takes it away. */
  get isReady(): boolean {
    return this.#ready;
  }

  /** Those that keep Pods off. */
  get taints(): readonly Taint[] {
    return this.#taints;
  }

  /** Those that only ask to be spared. */
  get preferTaints(): readonly Taint[] {
    return this.#spared;
  }

  get offered(): Resources & { readonly pods: number } {
    return this.#offered;
  }

  get cpuMilli(): number {
    return this.#cpuMilli;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  get storageBytes(): number {
    return this.#storageBytes;
  }

  get pods(): number {
    return this.#pods;
  }

  /** What is taken as scoring counts it (see `weightOf`). */
  get weightCpuMilli(): number {
    return this.#weightCpuMilli;
  }

  get weightMemoryBytes(): number {
    return this.#weightMemoryBytes;
  }

  extended(name: string): number {
    return this.#extended.get(name) ?? 0;
  }

  /** Those of the machine that its Pods have. */
  get hostPorts(): readonly HostPort[] {
    return this.#hostPorts;
  }

  get hasImages(): boolean {
    return this.#images.size > 0;
  }

  /** Bytes of an image that it has; 0 when it has it not. */
  imageBytes(name: string): number {
    return this.#images.get(name) ?? 0;
  }

  /** Counts a Pod of this class, or with -1 does not any more. */
  count({ requests, hostPorts }: Taken, sign: 1 | -1): void {
    const weight = weightOf(requests);
    this.#cpuMilli += sign * requests.cpuMilli;
    this.#memoryBytes += sign * requests.memoryBytes;
    this.#storageBytes += sign * requests.storageBytes;
    this.#weightCpuMilli += sign * weight.cpuMilli;
    this.#weightMemoryBytes += sign * weight.memoryBytes;
    this.#pods += sign;
    for (const name of Object.keys(requests.extended))
      this.#extended.set(name, this.extended(name) + sign * (requests.extended[name] ?? 0));
    if (sign === 1) this.#hostPorts.push(...hostPorts);
    else for (const port of hostPorts) this.#hostPorts.splice(this.#hostPorts.indexOf(port), 1);
  }
}

/** What one Pod takes. */
export type Taken = Pick<PodClass, "requests" | "hostPorts">;

const nothing = { cpuMilli: 0, memoryBytes: 0, storageBytes: 0, extended: {}, pods: 0 };

/** Its containers have ended for good. Terminating Pods still take their room. */
export function hasEnded(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

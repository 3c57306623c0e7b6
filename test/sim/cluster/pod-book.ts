import type { Node } from "../../../src/api/kinds/core.js";
import type { Pod } from "../../../src/api/kinds/pod.js";
import type { AnyObject, ObjectMeta, OwnerReference } from "../../../src/api/object.js";
import type { Truth, TruthStep } from "./truth.js";

/** What is remembered of a Pod, also when it is gone. */
export interface PodFacts {
  readonly uid: string;
  readonly name: string;
  readonly owner: OwnerReference | undefined;
  /** Of the Deployment that its ReplicaSet belonged to when it was made. */
  readonly deployment: string | undefined;
  /** Milliseconds since the world began. */
  readonly createdMs: number;
  pod: Pod;
  isTerminating: boolean;
  isGone: boolean;
  /** Its node was lost, or deleted, while it was there: nobody could confirm its end. */
  isDoubtful: boolean;
  /** Its sandbox has ended by itself. */
  hasLostSandbox: boolean;
}

/** All Pods that ever were. */
export class PodBook {
  readonly #facts = new Map<string, PodFacts>();
  readonly #truth: Truth;
  readonly #now: () => number;

  constructor(truth: Truth, now: () => number) {
    this.#truth = truth;
    this.#now = now;
    truth.listen((step) => this.#take(step));
  }

  of(uid: string): PodFacts | undefined {
    return this.#facts.get(uid);
  }

  all(): IterableIterator<PodFacts> {
    return this.#facts.values();
  }

  #take({ changes }: TruthStep): void {
    for (const { before, after } of changes) {
      if ((after ?? before)?.kind === "Pod") this.#takePod(before, after);
      else if ((after ?? before)?.kind === "Node") this.#takeNode((after ?? before)!.metadata.name, after);
    }
  }

  #takePod(before: AnyObject | undefined, after: AnyObject | undefined): void {
    if (before !== undefined && before.metadata.uid !== after?.metadata.uid) {
      const known = this.of(before.metadata.uid ?? "");
      if (known) known.isGone = true;
    }
    if (after === undefined) return;
    const pod = after as unknown as Pod;
    const { uid = "", name, deletionTimestamp } = pod.metadata;
    const known = this.of(uid);
    const facts = known ?? this.#newFacts(uid, name, pod);
    facts.pod = pod;
    facts.isTerminating = deletionTimestamp !== undefined;
    const { nodeName } = pod.spec;
    if (nodeName && isLost(this.#truth.snapshot().get<Node>("/Node", "", nodeName))) facts.isDoubtful = true;
    if (!known) this.#facts.set(uid, facts);
  }

  #newFacts(uid: string, name: string, pod: Pod): PodFacts {
    const owner = controllerOf(pod.metadata);
    const set = owner && this.#truth.snapshot().byUid(owner.uid);
    const deployment = set && controllerOf(set.metadata);
    return {
      uid,
      name,
      owner,
      deployment: deployment?.kind === "Deployment" ? deployment.uid : undefined,
      createdMs: this.#now(),
      pod,
      isTerminating: false,
      isGone: false,
      isDoubtful: false,
      hasLostSandbox: false,
    };
  }

  #takeNode(name: string, after: AnyObject | undefined): void {
    if (!isLost(after as unknown as Node | undefined)) return;
    for (const pod of this.#truth.snapshot().podsOnNode<Pod>(name)) {
      const facts = this.of(pod.metadata.uid ?? "");
      if (facts) facts.isDoubtful = true;
    }
  }
}

export function controllerOf(metadata: ObjectMeta): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** It is not there, or what runs on it is being evicted because it can't be counted on. */
export function isLost(node: Node | undefined): boolean {
  return node === undefined || (node.spec.taints ?? []).some(({ effect }) => effect === "NoExecute");
}

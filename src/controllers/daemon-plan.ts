import type { DaemonSet } from "../api/kinds/apps.js";
import type { Node } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import { failuresOf, nodeOf, suits, type Suits } from "./daemon-pods.js";
import { revisionLabel } from "./history.js";
import { createdAt, isFinished, isReady, isTerminating } from "./pod-state.js";
import { amountOf } from "./rollout.js";
import { earliest } from "./set-view.js";

/**
 * What a DaemonSet does next: Kubernetes' pkg/controller/daemon. A node gets its Pod once no other of the set is on it, terminating
 * ones included, but for the new Pods of an update with maxSurge.
 */

export interface DaemonState {
  readonly set: DaemonSet;
  readonly nodes: readonly Node[];
  /** Its Pods, terminating and finished ones among them. */
  readonly pods: readonly Pod[];
  /** The label of Pods of the present template. */
  readonly update: string;
  readonly isAvailable: (pod: Pod) => boolean;
  readonly now: number;
}

/** A Pod that is to be made. */
export interface DaemonCreate {
  readonly node: string;
  /** Of Pods before it, in a row. */
  readonly failures: number;
}

export interface DaemonPlan {
  readonly creates: readonly DaemonCreate[];
  readonly victims: readonly Pod[];
  /** Those of the victims that have failed. */
  readonly failed: readonly Pod[];
  /** When a failed Pod will be replaced. */
  readonly wakeAt: number | undefined;
}

export function planDaemonSet(state: DaemonState): DaemonPlan {
  const draft = new Draft(state);
  draft.manage();
  const isQuiet = draft.creates.length + draft.victims.length === 0;
  if (isQuiet && state.set.spec.updateStrategy?.type !== "OnDelete") draft.update();
  return draft;
}

/** A set's Pods by the node they are on or are for, those aside that have ended and are on their way out. */
export function podsByNode(pods: readonly Pod[]): ReadonlyMap<string, readonly Pod[]> {
  const found = new Map<string, Pod[]>();
  for (const pod of pods) {
    if (isTerminating(pod) && isFinished(pod)) continue;
    const node = nodeOf(pod);
    const there = found.get(node);
    if (there === undefined) found.set(node, [pod]);
    else there.push(pod);
  }
  return found;
}

/** Oldest first; of the same second those that have a node. */
export function byAge(left: Pod, right: Pod): number {
  const waits = ({ spec }: Pod): number => ((spec.nodeName ?? "") === "" ? 1 : 0);
  return (
    waits(left) - waits(right) ||
    createdAt(left) - createdAt(right) ||
    ((left.metadata.uid ?? "") < (right.metadata.uid ?? "") ? -1 : 1)
  );
}

/** From a Pod's making to its replacement, after so many failures before it; none at all for the first. */
export function failurePauseMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(pauseMsMax, pauseMs * 2 ** Math.min(failures - 1, 20));
}

const pauseMs = 1000;
const pauseMsMax = 15 * 60_000;
/** A Pod that failed later than this after its making begins a new series. */
const seriesMs = 2 * pauseMsMax;

/** A node with its Pods. */
interface Place {
  readonly node: Node;
  readonly suits: Suits;
  readonly pods: readonly Pod[];
}

class Draft implements DaemonPlan {
  readonly creates: DaemonCreate[] = [];
  readonly victims: Pod[] = [];
  readonly failed: Pod[] = [];
  wakeAt: number | undefined;
  readonly #state: DaemonState;
  readonly #places: readonly Place[];
  /** Pods of nodes that are not there. */
  readonly #astray: readonly Pod[];

  constructor(state: DaemonState) {
    const byNode = podsByNode(state.pods);
    const names = new Set(state.nodes.map(({ metadata }) => metadata.name));
    this.#state = state;
    this.#places = state.nodes.map((node) => ({
      node,
      suits: suits(state.set, node),
      pods: byNode.get(node.metadata.name) ?? [],
    }));
    this.#astray = [...byNode]
      .flatMap(([node, pods]) => (names.has(node) ? [] : pods))
      .filter((pod) => !isTerminating(pod));
  }

  /** One Pod for each node that should have one, and none elsewhere. */
  manage(): void {
    this.victims.push(...this.#astray);
    for (const place of this.#places) {
      if (place.suits.runs && place.pods.length === 0) this.#create(place, 0);
      else if (place.suits.stays) this.#keepOne(place);
      else this.victims.push(...place.pods.filter((pod) => !isTerminating(pod)));
    }
  }

  /** One step of a rolling update. Nodes that take no Pod now are left alone: theirs follow when they take one again. */
  update(): void {
    const places = this.#places.filter((place) => place.suits.runs);
    const { surge, unavailable } = this.#amounts(places.length);
    if (surge > 0) this.#surge(places, surge);
    else this.#replace(places, unavailable);
  }

  #amounts(nodes: number): { readonly surge: number; readonly unavailable: number } {
    const { maxSurge = 0, maxUnavailable = 1 } = this.#state.set.spec.updateStrategy?.rollingUpdate ?? {};
    const surge = amountOf(maxSurge, nodes, Math.ceil);
    const unavailable = amountOf(maxUnavailable, nodes, Math.ceil);
    return { surge, unavailable: surge === 0 ? Math.max(1, unavailable) : unavailable };
  }

  /** Deletes old Pods, and the next decision makes new ones: those that are not available anyway, then as many as may be missing. */
  #replace(places: readonly Place[], unavailableMax: number): void {
    const { isAvailable } = this.#state;
    let missing = 0;
    const candidates: Pod[] = [];
    for (const { pods } of places) {
      const { old, fresh } = this.#split(pods);
      if (old.length + fresh.length !== 1) missing += 1;
      else if (fresh[0] !== undefined) missing += isAvailable(fresh[0]) ? 0 : 1;
      else if (isAvailable(old[0]!)) candidates.push(old[0]!);
      else this.victims.push(old[0]!);
    }
    // Those that are replaced for not being available are missing as well, until their successors are available.
    const spare = Math.max(0, unavailableMax - missing - this.victims.length);
    this.victims.push(...candidates.slice(0, spare));
  }

  /** Makes new Pods beside the old ones, and takes those away whose successors are available. */
  #surge(places: readonly Place[], surgeMax: number): void {
    const { isAvailable } = this.#state;
    let surging = 0;
    const candidates: Place[] = [];
    for (const place of places) {
      const { old, fresh } = this.#split(place.pods);
      if (old.length > 1 || fresh.length > 1) surging += 1;
      else if (old[0] === undefined) continue;
      else if (fresh[0] !== undefined) {
        if (isAvailable(fresh[0])) this.victims.push(old[0]);
        else surging += 1;
      } else if (isAvailable(old[0])) candidates.push(place);
      else this.#create(place, 0);
    }
    for (const place of candidates.slice(0, Math.max(0, surgeMax - surging))) this.#create(place, 0);
  }

  /** The Pods that are not on their way out, by template. */
  #split(pods: readonly Pod[]): { readonly old: readonly Pod[]; readonly fresh: readonly Pod[] } {
    const there = pods.filter((pod) => !isTerminating(pod));
    return { old: there.filter((pod) => !this.#isFresh(pod)), fresh: there.filter((pod) => this.#isFresh(pod)) };
  }

  #isFresh(pod: Pod): boolean {
    return pod.metadata.labels?.[revisionLabel] === this.#state.update;
  }

  /** Replaces what has ended, and removes what is more than one; in an update with maxSurge one of each template may be there. */
  #keepOne(place: Place): void {
    const running: Pod[] = [];
    for (const pod of place.pods) {
      if (isTerminating(pod)) continue;
      if (!isFinished(pod)) running.push(pod);
      else this.#replaceFinished(place, pod);
    }
    running.sort(byAge);
    if (this.#amounts(1).surge === 0) {
      this.victims.push(...running.slice(1));
      return;
    }
    const [fresh, ...moreFresh] = running.filter((pod) => this.#isFresh(pod));
    const [old, ...moreOld] = running.filter((pod) => !this.#isFresh(pod));
    this.victims.push(...moreFresh, ...moreOld);
    if (fresh === undefined || old === undefined) return;
    if (!isReady(old) || this.#state.isAvailable(fresh)) this.victims.push(old);
  }

  /** With a pause that grows with each failure, so that a Pod that a node refuses is not made again and again. */
  #replaceFinished(place: Place, pod: Pod): void {
    const { now } = this.#state;
    const age = now - createdAt(pod);
    const failures = age > seriesMs ? 0 : failuresOf(pod);
    const at = createdAt(pod) + failurePauseMs(failures);
    if (at > now) {
      this.wakeAt = earliest(this.wakeAt, at);
      return;
    }
    this.victims.push(pod);
    if (pod.status?.phase === "Failed") this.failed.push(pod);
    const isAlone = place.pods.every((other) => other === pod);
    if (place.suits.runs && isAlone) this.#create(place, failures + 1);
  }

  #create({ node }: Place, failures: number): void {
    this.creates.push({ node: node.metadata.name, failures });
  }
}

import type { Node } from "../api/kinds/core.js";
import type { PodDisruptionBudget } from "../api/kinds/policy.js";
import type { Pod } from "../api/kinds/pod.js";
import type { Snapshot } from "../objects/snapshot.js";
import { ClassView, type PassView, type Refusal } from "./class-view.js";
import { ClusterState } from "./cluster-state.js";
import type { PodClass } from "./pod-class.js";
import { findVictims, type Candidate } from "./preemption.js";
import type { Member, Room } from "./room.js";
import type { Profile } from "./scores.js";
import { compareWaiting } from "./waiting-pods.js";
import { isWaiting, WaitingQueue } from "./waiting-queue.js";

export interface Plan {
  readonly bindings: readonly Binding[];
  readonly preemptions: readonly Preemption[];
  readonly rejections: readonly Rejection[];
  /** The pass stopped at its bound: look again when this part is done. */
  readonly more: boolean;
}

export interface Binding {
  readonly pod: Pod;
  readonly node: Node;
}

/** Pods that go so that another one fits. */
export interface Preemption {
  readonly pod: Pod;
  readonly node: Node;
  /** May be empty: all that is in the way is on its way out already. */
  readonly victims: readonly Pod[];
  /** Less important Pods that waited for room there. */
  readonly displaced: readonly Pod[];
  readonly message: string;
}

export interface Rejection {
  readonly pod: Pod;
  /** As kubectl's users know it: `0/2 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable.` */
  readonly message: string;
  /** Room is still being made for it where it was. */
  readonly waitsForRoom: boolean;
}

export interface PlanOptions {
  /** Wall time. */
  readonly now: number;
  readonly profile: Profile;
  readonly budgets: readonly PodDisruptionBudget[];
  /** How much one pass does, which has to fit one log entry and hold the process only for a moment. */
  readonly bindingsMax?: number;
}

const bindingsMaxDefault = 250;
/** Each costs a try on a hundred nodes and more. */
const preemptionsMax = 16;
const rejectionsMax = 200;
const retoldMax = 100;
/** Nodes times classes looked at: some tenths of a second. */
const looksMax = 400_000;

/** Places the Pods of a snapshot that wait for a node, from scratch: the same Pods go to the same nodes whoever asks. */
export function planSnapshot(snapshot: Snapshot, options: PlanOptions): Plan {
  const queue = new WaitingQueue();
  const state = ClusterState.of(snapshot, (member) => isWaiting(member) && queue.add(member));
  return plan(state, queue, options);
}

/**
 * Places the Pods that wait for a node, as far as the bounds of one pass let it. A function of the state alone, which it leaves as it was;
 * of the queue it sets classes aside that no node takes.
 */
export function plan(state: ClusterState, queue: WaitingQueue, options: PlanOptions): Plan {
  return new Pass(state, queue, options).run();
}

class Pass {
  readonly #state: ClusterState;
  readonly #queue: WaitingQueue;
  readonly #options: PlanOptions;
  readonly #view: PassView;
  readonly #views = new Map<string, Look>();
  /** What this pass has put on nodes, in order; taken off again at its end. */
  readonly #placed: Placement[] = [];
  readonly #refused = new Set<PodClass>();
  readonly #bindings: Binding[] = [];
  readonly #preemptions: Preemption[] = [];
  readonly #rejections: Rejection[] = [];
  readonly #displaced = new Set<Pod>();
  readonly #leaving = new Set<Member>();
  #more = false;
  /** Something is decided, so that the next pass finds another state. */
  #progressed = false;

  constructor(state: ClusterState, queue: WaitingQueue, options: PlanOptions) {
    this.#state = state;
    this.#queue = queue;
    this.#options = options;
    const places = new Map(state.rooms.map((room, place) => [room, place] as const));
    this.#view = { state, profile: options.profile, places };
  }

  run(): Plan {
    const bindingsMax = this.#options.bindingsMax ?? bindingsMaxDefault;
    const looks = Math.max(8, Math.floor(looksMax / Math.max(1, this.#state.rooms.length)));
    try {
      for (const member of this.#candidates(bindingsMax)) {
        if (this.#bindings.length >= bindingsMax || this.#views.size > looks) {
          this.#more = true;
          break;
        }
        this.#try(member);
      }
    } finally {
      for (const { member, room } of this.#placed.reverse()) this.#state.count(member, room, -1);
    }
    return {
      bindings: this.#bindings,
      preemptions: this.#preemptions,
      rejections: this.#rejections,
      more: this.#more && this.#progressed,
    };
  }

  /** In the order of the queue, as many of each class as may be placed. */
  #candidates(eachMax: number): readonly Member[] {
    const all = new Set(this.#queue.nominated());
    for (const { pods } of this.#queue.due(this.#options.now)) {
      let left = eachMax;
      for (const member of pods) {
        if (left === 0) {
          this.#more = true;
          break;
        }
        all.add(member);
        left -= 1;
      }
    }
    return [...all].sort(compareWaiting);
  }

  #try(member: Member): void {
    const { podClass, pod } = member;
    if (this.#displaced.has(pod)) return;
    const nominated = this.#state.room(pod.status?.nominatedNodeName ?? "");
    if (this.#refused.has(podClass) && nominated === undefined) return;
    const look = this.#lookAt(podClass);
    const { view } = look;
    const room = nominated !== undefined && view.takes(nominated) ? nominated : view.choose();
    if (room?.node === undefined) return this.#makeRoom(member, look, nominated);
    this.#bindings.push({ pod, node: room.node });
    this.#place(member, room);
    this.#queue.placed(podClass);
    this.#progressed = true;
  }

  /** No node takes it as things are. */
  #makeRoom(member: Member, look: Look, nominated: Room | undefined): void {
    const { podClass } = member;
    look.refusal ??= look.view.explain();
    const { message } = look.refusal;
    if (nominated !== undefined && isBeingFreed(nominated, member)) {
      this.#place(member, nominated);
      this.#reject(member, message, true);
      return;
    }
    const mayTry = !this.#refused.has(podClass);
    if (mayTry && this.#preemptions.length >= preemptionsMax) {
      this.#more = true;
      return;
    }
    const candidate = mayTry ? findVictims(look.view, this.#state, this.#options.budgets, this.#leaving) : undefined;
    if (candidate !== undefined) return this.#preempt(member, candidate, message);
    if (mayTry) this.#park(podClass, look.refusal);
    if (nominated !== undefined) this.#reject(member, message, false);
  }

  #preempt(member: Member, { room, victims }: Candidate, message: string): void {
    if (room.node === undefined) return;
    const displaced = this.#queue
      .nominated()
      .filter(({ pod }) => pod.status?.nominatedNodeName === room.name)
      .filter(({ podClass }) => podClass.priority < member.podClass.priority)
      .map(({ pod }) => pod);
    for (const pod of displaced) this.#displaced.add(pod);
    for (const victim of victims) this.#leaving.add(victim);
    const gone = victims.map(({ pod }) => pod);
    this.#preemptions.push({ pod: member.pod, node: room.node, victims: gone, displaced, message });
    this.#place(member, room);
    this.#progressed = true;
  }

  /** Room only gets less within a pass: what refused one Pod of a class refuses the rest of it. */
  #park(podClass: PodClass, { message, isAboutOthers }: Refusal): void {
    this.#refused.add(podClass);
    this.#progressed = true;
    for (const member of this.#queue.park(podClass, this.#options.now, isAboutOthers)) {
      const told = toldOf(member.pod);
      if (told === message || (member.pod.status?.nominatedNodeName ?? "") !== "") continue;
      if (this.#rejections.length < (told === undefined ? rejectionsMax : retoldMax))
        this.#rejections.push({ pod: member.pod, message, waitsForRoom: false });
      // Nobody waits without being told why; that what was told has changed is told as far as there is room.
      else if (told === undefined) return this.#queue.tellLater(podClass);
    }
  }

  /** Tells a Pod for which room was being made. */
  #reject({ pod }: Member, message: string, waitsForRoom: boolean): void {
    if (waitsForRoom && toldOf(pod) === message) return;
    this.#rejections.push({ pod, message, waitsForRoom });
  }

  #place(member: Member, room: Room): void {
    this.#state.count(member, room, 1);
    this.#placed.push({ member, room });
  }

  /** Classes that differ in what only rules about other Pods read share a view while there are no such rules. */
  #lookAt(podClass: PodClass): Look {
    const isAlone =
      !podClass.hasPodTerms &&
      podClass.spread.length === 0 &&
      podClass.preferredSpread.length === 0 &&
      this.#state.placedWithTerms.size === 0;
    const key = isAlone ? podClass.shape : podClass.key;
    let look = this.#views.get(key);
    if (look === undefined) {
      look = {
        view: new ClassView(podClass, this.#view, this.#queue.waiting(podClass)),
        told: this.#placed.length,
        refusal: undefined,
      };
      this.#views.set(key, look);
    }
    for (; look.told < this.#placed.length; look.told += 1) {
      const { member, room } = this.#placed[look.told] as Placement;
      look.view.changed(member.podClass, room, 1);
    }
    return look;
  }
}

interface Placement {
  readonly member: Member;
  readonly room: Room;
}

interface Look {
  readonly view: ClassView;
  /** How many of the pass's placements it knows of. */
  told: number;
  refusal: Refusal | undefined;
}

/** What the Pod says already of why it waits. */
function toldOf({ status }: Pod): string | undefined {
  const present = status?.conditions?.find(({ type }) => type === "PodScheduled");
  return present?.status === "False" && present.reason === "Unschedulable" ? (present.message ?? "") : undefined;
}

/** A less important Pod is on its way out there. */
function isBeingFreed(room: Room, { podClass }: Member): boolean {
  return [...room.members].some((one) => one.isTerminating && one.podClass.priority < podClass.priority);
}

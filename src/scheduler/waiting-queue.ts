import { hasRoomFor, isSuitable } from "./filters.js";
import type { PodClass } from "./pod-class.js";
import type { Member, Room } from "./room.js";
import { WaitingPods } from "./waiting-pods.js";

/** A class that no node took. */
interface Parked {
  readonly at: number;
  /** Refusals in a row. */
  attempts: number;
  /** Pods on other nodes had a part in it. */
  readonly isAboutOthers: boolean;
  /** Wall time of the next try. */
  retryAt: number;
}

export interface ClassQueue {
  readonly podClass: PodClass;
  readonly pods: WaitingPods;
  parked: Parked | undefined;
}

/** Kubernetes' podInitialBackoffSeconds and podMaxBackoffSeconds. */
const backoffMs = 1000;
const backoffMsMax = 10_000;
/** Whatever happens or does not, each class is tried again after this time (podMaxInUnschedulablePodsDuration). */
const flushMs = 5 * 60_000;

/** Whether the scheduler is to find a node for it. */
export function isWaiting({ pod, isTerminating }: Member): boolean {
  return !isTerminating && (pod.spec.nodeName ?? "") === "" && (pod.spec.schedulingGates ?? []).length === 0;
}

/**
 * Who waits for a node, by class. A class that was refused is set aside until something happens that may change that: room on a node
 * that would take it, at once; changes that may matter, such as of Pods that its rules are about, after a pause that
 * doubles from 1 to 10 s.
 */
export class WaitingQueue {
  readonly #classes = new Map<PodClass, ClassQueue>();
  /** By node: who waits for room that is being made there. */
  readonly #nominated = new Map<string, Set<Member>>();

  /** A Pod that is new, or has become another. */
  add(member: Member): void {
    const queue = this.#queueOf(member.podClass);
    queue.pods.add(member);
    queue.parked = undefined;
    this.#nominate(member);
  }

  /** The same Pod with another status. */
  replace(was: Member, is: Member): void {
    this.#queueOf(is.podClass).pods.add(is);
    this.remove(was);
    this.#nominate(is);
  }

  remove(member: Member): void {
    const queue = this.#classes.get(member.podClass);
    queue?.pods.remove(member);
    if (queue?.pods.size === 0) this.#classes.delete(member.podClass);
    const node = member.pod.status?.nominatedNodeName ?? "";
    const there = this.#nominated.get(node);
    there?.delete(member);
    if (there?.size === 0) this.#nominated.delete(node);
  }

  /** How many of the class wait. */
  waiting(podClass: PodClass): number {
    return this.#classes.get(podClass)?.pods.size ?? 0;
  }

  /** Classes to be tried now. */
  due(now: number): readonly ClassQueue[] {
    return [...this.#classes.values()].filter(({ parked }) => parked === undefined || parked.retryAt <= now);
  }

  /** Pods that wait for room that is being made for them: looked at in every pass, since their room has to be kept. */
  nominated(): readonly Member[] {
    return [...this.#nominated.values()].flatMap((members) => Array.from(members));
  }

  /** No node took the class. Gives its Pods. */
  park(podClass: PodClass, now: number, isAboutOthers: boolean): Iterable<Member> {
    const queue = this.#classes.get(podClass);
    if (queue === undefined) return [];
    const attempts = (queue.parked?.attempts ?? 0) + 1;
    queue.parked = { at: now, attempts, isAboutOthers, retryAt: now + flushMs };
    return queue.pods;
  }

  /** Not all Pods of a class that was set aside could be told: the class is looked at again at once. */
  tellLater(podClass: PodClass): void {
    const parked = this.#classes.get(podClass)?.parked;
    if (parked === undefined) return;
    parked.retryAt = 0;
    parked.attempts -= 1;
  }

  /** One of the class was placed: the next refusal is a first one. */
  placed(podClass: PodClass): void {
    const queue = this.#classes.get(podClass);
    if (queue !== undefined) queue.parked = undefined;
  }

  /** Something of a node has come free, or the node offers something else (`isChanged`). Gives when a pass is due, if one is. */
  wakeForRoom(room: Room, isChanged: boolean): number | undefined {
    let due = this.#nominated.has(room.name) ? 0 : undefined;
    for (const { podClass, parked } of this.#classes.values()) {
      if (parked === undefined || parked.retryAt === 0) continue;
      const fits = isSuitable(podClass, room) && hasRoomFor(podClass, room);
      if (fits && !parked.isAboutOthers) parked.retryAt = 0;
      // What is told of the nodes may have become wrong.
      else if (isChanged || (fits && parked.isAboutOthers)) retryAfterPause(parked);
      else continue;
      due = Math.min(due ?? parked.retryAt, parked.retryAt);
    }
    return due;
  }

  /** Pods came, went or changed their labels, or a Namespace did. */
  wakeForOthers(): number | undefined {
    let due: number | undefined;
    for (const { parked } of this.#classes.values()) {
      if (parked?.isAboutOthers !== true) continue;
      retryAfterPause(parked);
      due = Math.min(due ?? parked.retryAt, parked.retryAt);
    }
    return due;
  }

  /** A node is gone, and what is told of the nodes may have become wrong. */
  wakeAfterPause(): number | undefined {
    for (const { parked } of this.#classes.values()) if (parked !== undefined) retryAfterPause(parked);
    return this.retryAt();
  }

  /** Wall time of the next try of a class that was set aside; undefined when there is none. */
  retryAt(): number | undefined {
    let due: number | undefined;
    for (const { parked } of this.#classes.values())
      if (parked !== undefined) due = Math.min(due ?? parked.retryAt, parked.retryAt);
    return due;
  }

  #queueOf(podClass: PodClass): ClassQueue {
    let queue = this.#classes.get(podClass);
    if (queue === undefined)
      this.#classes.set(podClass, (queue = { podClass, pods: new WaitingPods(), parked: undefined }));
    return queue;
  }

  #nominate(member: Member): void {
    const node = member.pod.status?.nominatedNodeName ?? "";
    if (node === "") return;
    const there = this.#nominated.get(node);
    if (there === undefined) this.#nominated.set(node, new Set([member]));
    else there.add(member);
  }
}

function retryAfterPause(parked: Parked): void {
  const pause = Math.min(backoffMsMax, backoffMs * 2 ** Math.min(parked.attempts - 1, 10));
  parked.retryAt = Math.min(parked.retryAt, parked.at + pause);
}

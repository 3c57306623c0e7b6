import type { Node } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import type { Labels } from "../api/selector.js";
import type { Snapshot } from "../objects/snapshot.js";
import { PodClasses, type PodClass } from "./pod-class.js";
import { hasEnded, Room, type Member } from "./room.js";

/** How many Pods of a class a node has. */
export interface Count {
  pods: number;
  /** Of these, those on their way out. */
  terminating: number;
}

/**
 * What the scheduler knows of the cluster, kept up to date by changes: what is free on each node, where Pods of each class are, and who
 * waits. Only a copy: the same as if it were made anew from a snapshot.
 */
export class ClusterState {
  /** Of the nodes that there are, by name. */
  readonly rooms: Room[] = [];
  readonly #byName = new Map<string, Room>();
  readonly #classes = new PodClasses();
  readonly #members = new Map<string, Member>();
  readonly #where = new Map<PodClass, Map<Room, Count>>();
  readonly #byOwner = new Map<string, Set<PodClass>>();
  readonly #withTerms = new Set<PodClass>();
  readonly #namespaces = new Map<string, Labels>();
  readonly #values = new Map<string, { readonly values: ReadonlySet<string>; readonly nodes: number }>();

  readonly #imageShares = new Map<string, number>();

  /** `onPod` gets each Pod. */
  static of(snapshot: Snapshot, onPod: (member: Member) => void): ClusterState {
    const state = new ClusterState();
    for (const namespace of snapshot.list("/Namespace")) state.take(undefined, namespace);
    for (const node of snapshot.list("/Node")) state.take(undefined, node);
    for (const pod of snapshot.list("/Pod")) {
      const { is } = state.take(undefined, pod);
      if (is !== undefined) onPod(is);
    }
    return state;
  }

  /** Takes a change in. Gives the Pod as a member before and after it, when it is about one. */
  take(
    before: AnyObject | undefined,
    after: AnyObject | undefined,
  ): { readonly was?: Member | undefined; readonly is?: Member | undefined } {
    const object = after ?? before;
    switch (object && groupKindOfObject(object)) {
      case "/Pod":
        return this.#takePod(before as Pod | undefined, after as Pod | undefined);
      case "/Node":
        this.#takeNode((object as AnyObject).metadata.name, after as Node | undefined);
        return {};
      case "/Namespace":
        if (after === undefined) this.#namespaces.delete((object as AnyObject).metadata.name);
        else this.#namespaces.set(after.metadata.name, after.metadata.labels ?? {});
        return {};
      default:
        return {};
    }
  }

  room(name: string): Room | undefined {
    return this.#byName.get(name);
  }

  readonly namespaceLabels = (namespace: string): Labels => this.#namespaces.get(namespace) ?? {};

  /** The nodes with Pods of a class. */
  where(podClass: PodClass): ReadonlyMap<Room, Count> {
    return this.#where.get(podClass) ?? noRooms;
  }

  /** Classes with Pods on nodes. */
  placedClasses(): Iterable<PodClass> {
    return this.#where.keys();
  }

  placedClassesOf(owner: string): Iterable<PodClass> {
    return this.#byOwner.get(owner) ?? [];
  }

  /** Those that have rules about other Pods. */
  get placedWithTerms(): ReadonlySet<PodClass> {
    return this.#withTerms;
  }

  /** Whether no two nodes have the same value of this label. */
  isPerNode(label: string): boolean {
    const { values, nodes } = this.#valuesOf(label);
    return values.size === nodes;
  }

  /** All values that nodes have of this label. */
  valuesOf(label: string): ReadonlySet<string> {
    return this.#valuesOf(label).values;
  }

  /** On which part of all nodes an image is: 0 to 1. */
  readonly imageShare = (image: string): number => {
    let share = this.#imageShares.get(image);
    if (share === undefined) {
      const holders = this.rooms.filter((room) => room.imageBytes(image) > 0);
      this.#imageShares.set(image, (share = holders.length / Math.max(1, this.rooms.length)));
    }
    return share;
  };

  /** Counts a Pod on a node, or with -1 does not any more: also for a while, for what is planned. */
  count(member: Member, room: Room, sign: 1 | -1): void {
    const { podClass, isTerminating } = member;
    room.count(podClass, sign);
    if (sign === 1) room.members.add(member);
    else room.members.delete(member);
    let rooms = this.#where.get(podClass);
    if (rooms === undefined) {
      this.#where.set(podClass, (rooms = new Map()));
      if (podClass.hasPodTerms) this.#withTerms.add(podClass);
      if (podClass.owner !== "") addTo(this.#byOwner, podClass.owner, podClass);
    }
    let count = rooms.get(room);
    if (count === undefined) rooms.set(room, (count = { pods: 0, terminating: 0 }));
    count.pods += sign;
    if (isTerminating) count.terminating += sign;
    if (count.pods === 0) rooms.delete(room);
    if (rooms.size > 0) return;
    this.#where.delete(podClass);
    this.#withTerms.delete(podClass);
    removeFrom(this.#byOwner, podClass.owner, podClass);
  }

  #takeNode(name: string, node: Node | undefined): void {
    const room = this.#roomNamed(name);
    const isNew = room.node === undefined;
    room.node = node;
    this.#values.clear();
    this.#imageShares.clear();
    const at = placeOf(this.rooms, name);
    if (node !== undefined && isNew) this.rooms.splice(at, 0, room);
    if (node === undefined && !isNew) this.rooms.splice(at, 1);
    this.#forget(room);
  }

  #valuesOf(label: string): { readonly values: ReadonlySet<string>; readonly nodes: number } {
    let known = this.#values.get(label);
    if (known === undefined) {
      const all = this.rooms.flatMap((room) => room.labels[label] ?? []);
      this.#values.set(label, (known = { values: new Set(all), nodes: all.length }));
    }
    return known;
  }

  #takePod(before: Pod | undefined, after: Pod | undefined): { was?: Member | undefined; is?: Member | undefined } {
    const was = this.#members.get(before?.metadata.uid ?? "");
    const is = after && !hasEnded(after) ? this.#memberOf(after) : undefined;
    if (was !== undefined) {
      this.#members.delete(was.pod.metadata.uid ?? "");
      const room = this.#byName.get(was.pod.spec.nodeName ?? "");
      if (room !== undefined) {
        this.count(was, room, -1);
        this.#forget(room);
      }
      this.#classes.leave(was.podClass);
    }
    if (is !== undefined) {
      this.#members.set(is.pod.metadata.uid ?? "", is);
      const nodeName = is.pod.spec.nodeName ?? "";
      if (nodeName !== "") this.count(is, this.#roomNamed(nodeName), 1);
    }
    return { was, is };
  }

  #memberOf(pod: Pod): Member {
    return { pod, podClass: this.#classes.join(pod), isTerminating: pod.metadata.deletionTimestamp !== undefined };
  }

  #roomNamed(name: string): Room {
    let room = this.#byName.get(name);
    if (room === undefined) this.#byName.set(name, (room = new Room(name)));
    return room;
  }

  /** A room without node and Pods is not kept. */
  #forget(room: Room): void {
    if (room.node === undefined && room.members.size === 0) this.#byName.delete(room.name);
  }
}

const noRooms: ReadonlyMap<Room, Count> = new Map();

/** Where a room of this name is, or belongs. */
function placeOf(rooms: readonly Room[], name: string): number {
  let [low, high] = [0, rooms.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rooms[middle] as Room).name < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

function addTo<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}

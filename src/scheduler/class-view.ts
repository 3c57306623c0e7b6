import { derivedOrder } from "../objects/derived-id.js";
import type { ClusterState } from "./cluster-state.js";
import { hasRoomFor, isSuitable } from "./filters.js";
import type { PodClass } from "./pod-class.js";
import { RankedRooms } from "./ranked-rooms.js";
import type { Room } from "./room.js";
import { likingOf, nodeScore, weights, type Liking, type LikingMost, type Profile } from "./scores.js";
import { Topology } from "./topology.js";
import { verdictOn } from "./verdict.js";

/** What one pass shares among the classes that it looks at. */
export interface PassView {
  readonly state: ClusterState;
  readonly profile: Profile;
  /** Each node's place in `state.rooms`, which stand still during a pass. */
  readonly places: ReadonlyMap<Room, number>;
}

/**
 * One class in one pass: nodes are filtered and scored once, then kept in order while Pods are placed. Pods of any class that come to a node
 * have to be told by `changed`. Of many nodes only some are looked at, from another one on for each class, and more when none of those will do.
 */
export class ClassView {
  readonly podClass: PodClass;
  readonly topology: Topology;
  readonly #pass: PassView;
  readonly #ranked: RankedRooms;
  /** Of nodes that were looked at; undefined for the others, and those that a filter of nodes refuses. */
  readonly #likings: (Liking | undefined)[];
  readonly #most: LikingMost = { unwanted: 0, preferred: 0 };
  readonly #seed: number;
  readonly #lookMax: number;
  #looked = 0;
  #keys: readonly string[];

  /** `waiting`: for how many Pods of the class nodes are wanted. */
  constructor(podClass: PodClass, pass: PassView, waiting: number) {
    const { rooms } = pass.state;
    this.podClass = podClass;
    this.#pass = pass;
    this.#seed = derivedOrder(podClass.shape);
    this.#lookMax = Math.max(nodesToScore(rooms.length), waiting * 4);
    this.topology = new Topology(podClass, pass.state);
    this.#keys = this.topology.keys;
    this.#ranked = new RankedRooms(rooms.length);
    this.#likings = Array.from<Liking | undefined>({ length: rooms.length });
    if (podClass.onlyNode === undefined) this.#look();
    else this.#lookAtOnly(podClass.onlyNode);
  }

  /** The node that suits the class best now; undefined: none does. */
  choose(): Room | undefined {
    const { rooms } = this.#pass.state;
    for (;;) {
      const best = this.#best();
      if (best !== undefined) return rooms[best];
      if (this.#looked >= rooms.length) return undefined;
      this.#look();
    }
  }

  #best(): number | undefined {
    let best: number | undefined;
    let bestScore = 0;
    for (const { top, score } of this.#scoredGroups()) {
      const total = score + this.#ranked.rank(top);
      if (best !== undefined && (total < bestScore || (total === bestScore && !this.#precedes(top, best)))) continue;
      best = top;
      bestScore = total;
    }
    return best;
  }

  /** Whether this node would take one more of the class. */
  takes(room: Room): boolean {
    return isSuitable(this.podClass, room) && this.wouldTake(room);
  }

  /** As `takes`, of a node that suits the class. */
  wouldTake(room: Room): boolean {
    return hasRoomFor(this.podClass, room) && this.topology.refusal(room) === undefined;
  }

  changed(other: PodClass, room: Room, sign: 1 | -1): void {
    this.topology.changed(other, room, sign);
    if (this.topology.keys === this.#keys) return this.#place(room, this.#pass.places.get(room));
    // A rule about this class that there was not before: nodes that were alike are not any more.
    this.#keys = this.topology.keys;
    this.#placeAll();
  }

  /** A node's total, for people; undefined: it does not take the class. */
  scoreOf(room: Room): number | undefined {
    const place = this.#pass.places.get(room);
    if (place === undefined || !this.#ranked.has(place)) return undefined;
    const group = this.topology.group(room);
    const found = this.#scoredGroups().find(({ key }) => key === group);
    return found === undefined ? undefined : found.score + this.#ranked.rank(place);
  }

  /** Why no node takes the class. */
  explain(): Refusal {
    const { rooms } = this.#pass.state;
    if (rooms.length === 0) return { message: "no nodes available to schedule pods", isAboutOthers: false };
    const reasons = new Map<string, number>();
    let isAboutOthers = false;
    for (const room of rooms) {
      const verdict = verdictOn(this.podClass, room, this.topology);
      isAboutOthers ||= verdict?.isAboutOthers === true;
      for (const reason of verdict?.reasons ?? []) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    const parts = [...reasons].map(([reason, times]) => `${times} ${reason}`).sort();
    return { message: `0/${rooms.length} nodes are available: ${parts.join(", ")}.`, isAboutOthers };
  }

  /** Each group's best node, with what the other Pods add to the score of the group; without groups that they refuse. */
  #scoredGroups(): readonly ScoredGroup[] {
    const { rooms } = this.#pass.state;
    const { topology } = this;
    const found: (ScoredGroup & { spread: number | undefined; pods: number })[] = [];
    let [spreadLeast, spreadMost] = [Number.POSITIVE_INFINITY, 0];
    let [podsLeast, podsMost] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const [key, heap] of this.#ranked.groups) {
      const top = heap[0] as number;
      const room = rooms[top] as Room;
      if (topology.refusal(room) !== undefined) continue;
      const spread = topology.spreadScore(room, this.#ranked.size);
      const pods = topology.podScore(room);
      if (spread !== undefined) {
        spreadLeast = Math.min(spreadLeast, spread);
        spreadMost = Math.max(spreadMost, spread);
      }
      podsLeast = Math.min(podsLeast, pods);
      podsMost = Math.max(podsMost, pods);
      found.push({ key, top, score: 0, spread, pods });
    }
    if (!topology.hasScores) return found;
    for (const one of found) {
      if (topology.hasSpreadScores) {
        const within =
          spreadMost === 0
            ? 100
            : one.spread === undefined
              ? 0
              : Math.floor((100 * (spreadMost + spreadLeast - one.spread)) / spreadMost);
        one.score += weights.PodTopologySpread * within;
      }
      if (podsMost > podsLeast)
        one.score += weights.InterPodAffinity * Math.floor((100 * (one.pods - podsLeast)) / (podsMost - podsLeast));
    }
    return found;
  }

  #precedes(left: number, right: number): boolean {
    const [a, b] = [this.#ranked.order(left), this.#ranked.order(right)];
    return a === b ? left < right : a < b;
  }

  #lookAtOnly(name: string): void {
    const { rooms } = this.#pass.state;
    const room = this.#pass.state.room(name);
    const place = room && this.#pass.places.get(room);
    this.#looked = rooms.length;
    if (room === undefined || place === undefined || !isSuitable(this.podClass, room)) return;
    this.#likings[place] = likingOf(this.podClass, room, this.#pass.state.imageShare);
    this.#place(room, place);
  }

  /** Looks at nodes until so many will do, or all were looked at. */
  #look(): void {
    const { rooms } = this.#pass.state;
    const found: number[] = [];
    const { unwanted, preferred } = this.#most;
    const begin = rooms.length === 0 ? 0 : this.#seed % rooms.length;
    for (; this.#looked < rooms.length && found.length < this.#lookMax; this.#looked += 1) {
      const place = (begin + this.#looked) % rooms.length;
      const room = rooms[place] as Room;
      if (!isSuitable(this.podClass, room)) continue;
      const liking = likingOf(this.podClass, room, this.#pass.state.imageShare);
      this.#likings[place] = liking;
      if (!hasRoomFor(this.podClass, room)) continue;
      this.#most.unwanted = Math.max(this.#most.unwanted, liking.unwanted);
      this.#most.preferred = Math.max(this.#most.preferred, liking.preferred);
      found.push(place);
    }
    const isSame = unwanted === this.#most.unwanted && preferred === this.#most.preferred;
    if (isSame) for (const place of found) this.#place(rooms[place] as Room, place);
    // What the others were scored in proportion to has changed.
    else this.#placeAll();
  }

  #placeAll(): void {
    for (const [place, room] of this.#pass.state.rooms.entries()) this.#place(room, place);
  }

  #place(room: Room, place: number | undefined): void {
    const liking = place === undefined ? undefined : this.#likings[place];
    if (place === undefined || liking === undefined) return;
    if (!hasRoomFor(this.podClass, room)) {
      this.#ranked.remove(place);
      return;
    }
    const rank = nodeScore(this.podClass, room, liking, this.#most, this.#pass.profile);
    this.#ranked.put(place, this.topology.group(room), rank, mixed(this.#seed, room.hash));
  }
}

/** How many of so many nodes Kubernetes scores: all below 100, then ever less, down to a twentieth. */
function nodesToScore(nodes: number): number {
  if (nodes < 100) return nodes;
  return Math.max(100, Math.floor((nodes * Math.max(5, 50 - nodes / 125)) / 100));
}

export interface Refusal {
  /** As kubectl's users know it: `0/2 nodes are available: 1 Insufficient memory, …`. */
  readonly message: string;
  /** Pods on other nodes have a part in it. */
  readonly isAboutOthers: boolean;
}

interface ScoredGroup {
  readonly key: string;
  readonly top: number;
  score: number;
}

/** The order of nodes that are equal for this class: as good as chance, and the same for whoever asks. */
function mixed(seed: number, hash: number): number {
  let value = Math.imul(seed ^ hash, 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

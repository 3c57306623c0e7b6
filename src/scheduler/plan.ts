import type { Node } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import { priorityOf } from "../api/kinds/pod-resources.js";
import { derivedOrder } from "../objects/derived-id.js";
import type { Snapshot } from "../objects/snapshot.js";
import { nodeFilters, roomFilters } from "./filters.js";
import { PodClasses, type PodClass } from "./pod-class.js";
import { hasEnded, roomsOf, type Room } from "./room.js";
import { scoreRooms } from "./scores.js";

export interface Plan {
  readonly bindings: readonly Binding[];
  readonly rejections: readonly Rejection[];
  /** The pass stopped at its bound: look again when the bindings are made. */
  readonly more: boolean;
}

export interface Binding {
  readonly pod: Pod;
  readonly node: Node;
}

export interface Rejection {
  readonly pod: Pod;
  /** As kubectl's users know it: `0/2 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable.` */
  readonly message: string;
}

/**
 * Places the Pods that wait for a node. A function of the snapshot alone: equal nodes are told apart by a hash of Pod and
 * node, so that a new leader, a simulation and a what-if question come to the same plan.
 */
export function plan(snapshot: Snapshot, bindingsMax = bindingsPerPassMax): Plan {
  const waiting = snapshot.podsOnNode<Pod>("").filter(isWaiting);
  if (waiting.length === 0) return { bindings: [], rejections: [], more: false };
  const rooms = roomsOf(snapshot);
  const classes = new PodClasses();
  const views = new Map<PodClass, ClassView>();
  const bindings: Binding[] = [];
  const rejections: Rejection[] = [];
  for (const pod of [...waiting].sort(byPriority)) {
    if (bindings.length >= bindingsMax) return { bindings, rejections, more: true };
    const podClass = classes.of(pod);
    let view = views.get(podClass);
    if (view === undefined) views.set(podClass, (view = viewOf(podClass, rooms)));
    const room = view.refusal === undefined ? choose(pod, podClass, view) : undefined;
    if (room === undefined) {
      // Room only gets less within a pass: what refused one Pod of a class refuses the rest of it.
      view.refusal ??= explain(podClass, view, rooms.length);
      rejections.push({ pod, message: view.refusal });
    } else {
      room.add(podClass);
      bindings.push({ pod, node: room.node });
    }
  }
  return { bindings, rejections, more: false };
}

const bindingsPerPassMax = 250;

/** What is known of one class in one pass. */
interface ClassView {
  /** Nodes that pass the filters that do not depend on room. */
  readonly candidates: readonly Room[];
  /** How many nodes were refused for which reason. */
  readonly refused: ReadonlyMap<string, number>;
  refusal: string | undefined;
}

function isWaiting(pod: Pod): boolean {
  const gates = pod.spec["schedulingGates"];
  return pod.metadata.deletionTimestamp === undefined && !hasEnded(pod) && !(Array.isArray(gates) && gates.length > 0);
}

/** Higher priority first, then older, then by key: the list is in key order and sorting is stable. */
function byPriority(left: Pod, right: Pod): number {
  const [a, b] = [left.metadata.creationTimestamp ?? "", right.metadata.creationTimestamp ?? ""];
  return priorityOf(right) - priorityOf(left) || (a < b ? -1 : a > b ? 1 : 0);
}

function viewOf(podClass: PodClass, rooms: readonly Room[]): ClassView {
  const candidates: Room[] = [];
  const refused = new Map<string, number>();
  for (const room of rooms) {
    const filter = nodeFilters.find((one) => !one.check(podClass, room));
    if (filter === undefined) candidates.push(room);
    else count(refused, filter.explain(podClass, room));
  }
  return { candidates, refused, refusal: undefined };
}

function choose(pod: Pod, podClass: PodClass, view: ClassView): Room | undefined {
  const fitting = view.candidates.filter((room) => roomFilters.every((one) => one.check(podClass, room)));
  const scores = scoreRooms(podClass, fitting);
  let best: { readonly room: Room; readonly score: number; readonly order: number } | undefined;
  for (const [at, room] of fitting.entries()) {
    const score = scores[at] ?? 0;
    if (best !== undefined && score < best.score) continue;
    const order = derivedOrder(pod.metadata.uid ?? "", room.node.metadata.name);
    if (best === undefined || score > best.score || order < best.order) best = { room, score, order };
  }
  return best?.room;
}

function explain(podClass: PodClass, view: ClassView, nodes: number): string {
  if (nodes === 0) return "no nodes available to schedule pods";
  const reasons = new Map(view.refused);
  for (const room of view.candidates) {
    const filter = roomFilters.find((one) => !one.check(podClass, room));
    if (filter !== undefined) count(reasons, filter.explain(podClass, room));
  }
  const parts = [...reasons].map(([reason, times]) => `${times} ${reason}`).sort();
  return `0/${nodes} nodes are available: ${parts.join(", ")}.`;
}

function count(reasons: Map<string, number>, more: readonly string[]): void {
  for (const reason of more) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
}

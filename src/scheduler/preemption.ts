import type { PodDisruptionBudget } from "../api/kinds/policy.js";
import { fromTimestamp } from "../api/time.js";
import { matchesSelector } from "../api/selector.js";
import type { ClassView } from "./class-view.js";
import type { ClusterState } from "./cluster-state.js";
import { couldFit, isSuitable } from "./filters.js";
import type { Member, Room } from "./room.js";
import { topologyVerdicts } from "./verdict.js";

/** Who would have to go from one node. */
export interface Candidate {
  readonly room: Room;
  /** The most important first. */
  readonly victims: readonly Member[];
  /** Of these, how many more go than budgets allow. */
  readonly violations: number;
}

/** Nodes that are tried: a tenth of all, and at least so many (Kubernetes' minCandidateNodes…). */
const candidatesMin = 100;
const candidatesShare = 0.1;

/**
 * Where a Pod of the class would fit if Pods of lower priority went, and which of them: Kubernetes' DefaultPreemption. Nodes are tried on the
 * counts of `state` itself, which are put back. Pods that are on their way out already, or are `leaving` by a decision of the same pass, are
 * counted as gone, and are no victims.
 */
export function findVictims(
  view: ClassView,
  state: ClusterState,
  budgets: readonly PodDisruptionBudget[],
  leaving: ReadonlySet<Member>,
): Candidate | undefined {
  const { podClass } = view;
  if (!podClass.preempts) return undefined;
  const wanted = Math.max(candidatesMin, Math.floor(state.rooms.length * candidatesShare));
  const found: Candidate[] = [];
  for (const room of state.rooms) {
    if (![...room.members].some((member) => member.podClass.priority < podClass.priority)) continue;
    if (!mayEverTake(view, room)) continue;
    const candidate = tryRoom(view, state, room, budgets, leaving);
    if (candidate !== undefined) found.push(candidate);
    if (found.length >= wanted && found.some(({ violations }) => violations === 0)) break;
  }
  return found.reduce<Candidate | undefined>(
    (best, one) => (best === undefined || isBetter(one, best) ? one : best),
    undefined,
  );
}

/** Whether what stands in the way is of the kind that goes with other Pods. */
function mayEverTake({ podClass, topology }: ClassView, room: Room): boolean {
  if (!isSuitable(podClass, room) || !couldFit(podClass, room)) return false;
  const refusal = topology.refusal(room);
  return refusal === undefined || topologyVerdicts[refusal].resolvable;
}

function tryRoom(
  view: ClassView,
  state: ClusterState,
  room: Room,
  budgets: readonly PodDisruptionBudget[],
  leaving: ReadonlySet<Member>,
): Candidate | undefined {
  const { podClass, topology } = view;
  const move = (member: Member, sign: 1 | -1): void => {
    state.count(member, room, sign);
    topology.changed(member.podClass, room, sign);
  };
  const lower = [...room.members].filter((member) => member.podClass.priority < podClass.priority);
  for (const member of lower) move(member, -1);
  const away = new Set(lower);
  try {
    if (!view.wouldTake(room)) return undefined;
    const stays = (member: Member): boolean => {
      move(member, 1);
      if (view.wouldTake(room)) {
        away.delete(member);
        return true;
      }
      move(member, -1);
      return false;
    };
    const stillThere = (one: Member): boolean => !one.isTerminating && !leaving.has(one);
    // Those whose going a budget forbids are spared first, and of each kind the most important.
    const { violating, others } = byBudget(lower.filter(stillThere).sort(byImportance), budgets);
    const forced = violating.filter((member) => !stays(member));
    const chosen = others.filter((member) => !stays(member));
    return { room, victims: [...forced, ...chosen].sort(byImportance), violations: forced.length };
  } finally {
    for (const member of away) move(member, 1);
  }
}

/** Which of the Pods, asked in this order, go beyond what the budgets allow. */
function byBudget(
  members: readonly Member[],
  budgets: readonly PodDisruptionBudget[],
): { readonly violating: readonly Member[]; readonly others: readonly Member[] } {
  const left = budgets.map(({ status }) => status?.disruptionsAllowed ?? 0);
  const violating: Member[] = [];
  const others: Member[] = [];
  for (const member of members) {
    let violates = false;
    for (const [at, budget] of budgets.entries()) {
      if (!covers(budget, member) || budget.status?.disruptedPods?.[member.pod.metadata.name] !== undefined) continue;
      left[at] = (left[at] ?? 0) - 1;
      if ((left[at] ?? 0) < 0) violates = true;
    }
    (violates ? violating : others).push(member);
  }
  return { violating, others };
}

function covers({ metadata, spec }: PodDisruptionBudget, { pod }: Member): boolean {
  return (
    spec.selector !== undefined &&
    metadata.namespace === pod.metadata.namespace &&
    matchesSelector(spec.selector, pod.metadata.labels)
  );
}

/** Higher priority first, then those that have run for longer. */
function byImportance(left: Member, right: Member): number {
  return (
    right.podClass.priority - left.podClass.priority ||
    startOf(left) - startOf(right) ||
    (left.pod.metadata.name < right.pod.metadata.name ? -1 : 1)
  );
}

/** One that has not started yet counts as the latest. */
function startOf({ pod }: Member): number {
  return fromTimestamp(pod.status?.startTime ?? "") ?? Number.MAX_SAFE_INTEGER;
}

/**
 * Kubernetes' order: fewest violations, the lowest priority of the most important victim, the smallest sum of priorities, the fewest
 * victims, the latest start of the most important ones; then the first node by name.
 */
function isBetter(left: Candidate, right: Candidate): boolean {
  const [a, b] = [ranked(left), ranked(right)];
  for (const [at, value] of a.entries()) if (value !== b[at]) return value < (b[at] as number);
  return false;
}

function ranked({ victims, violations }: Candidate): readonly number[] {
  const highest = victims[0]?.podClass.priority ?? Number.NEGATIVE_INFINITY;
  // Kubernetes adds 2^31 to each, so that more victims are never better for having negative priorities.
  const sum = victims.reduce((total, { podClass }) => total + podClass.priority + 2 ** 31, 0);
  const earliest = Math.min(
    Number.MAX_SAFE_INTEGER,
    ...victims.filter(({ podClass }) => podClass.priority === highest).map(startOf),
  );
  return [violations, highest, sum, victims.length, -earliest];
}

import type { PodDisruptionBudget } from "../api/kinds/policy.js";
import type { Pod } from "../api/kinds/pod.js";
import { budgetsOf } from "../objects/evict-pod.js";
import type { Explanation, ExplanationTable, Explainer } from "../objects/explanation.js";
import type { Snapshot } from "../objects/snapshot.js";
import { ClassView } from "./class-view.js";
import { ClusterState } from "./cluster-state.js";
import { findVictims } from "./preemption.js";
import type { Member, Room } from "./room.js";
import type { SchedulerSettings } from "./scheduler.js";
import { verdictOn, type Verdict } from "./verdict.js";
import { isWaiting } from "./waiting-queue.js";

/** Runs the scheduler's filters and scores for one Pod on the state as it is, and says what each node says. */
export function podExplainer(settings: SchedulerSettings): Explainer {
  return (object, snapshot) => explainPod(object as unknown as Pod, snapshot, settings);
}

function explainPod(pod: Pod, snapshot: Snapshot, settings: SchedulerSettings): Explanation {
  const found: { member?: Member } = {};
  const state = ClusterState.of(snapshot, (member) => {
    if (member.pod.metadata.uid === pod.metadata.uid) found.member = member;
  });
  const { member } = found;
  if (member === undefined)
    return { verdict: `It has ended (${pod.status?.phase}): its containers do not run again.`, tables: [], hints: [] };
  const own = state.room(pod.spec.nodeName ?? "");
  // As if it were to be placed now: it does not stand in its own way.
  if (own !== undefined) state.count(member, own, -1);
  const view = viewOf(member, state, settings);
  const looks = state.rooms.map((room): Look => ({
    room,
    verdict: verdictOn(member.podClass, room, view.topology),
    score: view.scoreOf(room),
  }));
  const tables = [nodeTable(looks, own), ...budgetTables(pod, snapshot)];
  if (own !== undefined) return { verdict: verdictOfBound(pod, own, looks), tables, hints: [] };
  if (member.isTerminating)
    return { verdict: "It is being deleted, and was never placed on a node.", tables, hints: [] };
  return { ...verdictOfWaiting(member, looks, view, state, snapshot), tables };
}

interface Look {
  readonly room: Room;
  readonly verdict: Verdict | undefined;
  readonly score: number | undefined;
}

function viewOf({ podClass }: Member, state: ClusterState, { profile }: SchedulerSettings): ClassView {
  const places = new Map(state.rooms.map((room, place) => [room, place] as const));
  return new ClassView(podClass, { state, profile, places }, state.rooms.length);
}

function nodeTable(looks: readonly Look[], own: Room | undefined): ExplanationTable {
  // Those that take it first, the best first; then by name.
  const ordered = [...looks].sort((left, right) => (right.score ?? -1) - (left.score ?? -1));
  return {
    title: own === undefined ? "What each node says" : "What each node would say now",
    columns: ["NODE", "VERDICT", "DECIDED BY", "WHY", "SCORE"],
    rows: ordered.map(({ room, verdict, score }) => [
      room.name,
      verdict === undefined
        ? room === own
          ? "takes it (is there)"
          : "takes it"
        : room === own
          ? "refuses (is there)"
          : "refuses",
      verdict?.filter ?? "-",
      verdict === undefined ? "-" : `${verdict.reasons.join(", ")}: ${verdict.detail()}`,
      score === undefined ? "-" : String(score),
    ]),
  };
}

function verdictOfBound(pod: Pod, own: Room, looks: readonly Look[]): string {
  const verdict = looks.find(({ room }) => room === own)?.verdict;
  const where = `It is on node ${own.name}`;
  if (pod.metadata.deletionTimestamp !== undefined) return `${where}, and is being deleted${whyGoes(pod)}.`;
  if (verdict === undefined) return `${where}, which would take it again.`;
  return `${where}. Placed anew, ${verdict.filter} would keep it off (${verdict.reasons.join(", ")}); Pods that run are not moved for that.`;
}

/** Evictions and preemptions say so in a condition. */
function whyGoes(pod: Pod): string {
  const target = pod.status?.conditions?.find(({ type, status }) => type === "DisruptionTarget" && status === "True");
  return target === undefined ? "" : ` (${target.reason}: ${target.message ?? ""})`;
}

function verdictOfWaiting(
  member: Member,
  looks: readonly Look[],
  view: ClassView,
  state: ClusterState,
  snapshot: Snapshot,
): Omit<Explanation, "tables"> {
  const { pod } = member;
  if (!isWaiting(member)) {
    const gates = (pod.spec.schedulingGates ?? []).map(({ name }) => name).join(", ");
    return {
      verdict: `It is not to be placed yet: scheduling gates ${gates}.`,
      hints: ["whoever set a gate takes it from spec.schedulingGates"],
    };
  }
  const best = view.choose();
  if (best !== undefined)
    return {
      verdict: `Node ${best.name} would be chosen now; the scheduler has not come to it yet.`,
      hints: ["if it stays so, see whether there is a leader: ikada cluster status"],
    };
  const nominated = pod.status?.nominatedNodeName ?? "";
  const budgets = snapshot.list<PodDisruptionBudget>("policy/PodDisruptionBudget");
  const candidate = nominated === "" ? findVictims(view, state, budgets, new Set()) : undefined;
  const preemption =
    nominated !== ""
      ? ` Room is being made for it on node ${nominated}.`
      : candidate === undefined
        ? ""
        : ` On node ${candidate.room.name} ${candidate.victims.length} less important Pods would go for it.`;
  return { verdict: `${view.explain().message}${preemption}`, hints: hintsOf(looks) };
}

/** Of the filters that decided, the commonest first. */
function hintsOf(looks: readonly Look[]): readonly string[] {
  if (looks.length === 0) return ["let a machine join: docs/operations.md"];
  const counts = new Map<string, { hint: string; nodes: number }>();
  for (const { verdict } of looks) {
    if (verdict === undefined) continue;
    const entry = counts.get(verdict.hint) ?? { hint: `${verdict.filter}: ${verdict.hint}`, nodes: 0 };
    entry.nodes += 1;
    counts.set(verdict.hint, entry);
  }
  return [...counts.values()].sort((left, right) => right.nodes - left.nodes).map(({ hint }) => hint);
}

/** Whether it may be evicted. */
function budgetTables(pod: Pod, snapshot: Snapshot): readonly ExplanationTable[] {
  const namespace = pod.metadata.namespace ?? "";
  const budgets = budgetsOf(pod, snapshot.list<PodDisruptionBudget>("policy/PodDisruptionBudget", namespace));
  if (budgets.length === 0) return [];
  return [
    {
      title: "Disruption budgets",
      columns: ["NAME", "ALLOWED", "HEALTHY", "NEEDED", "EXPECTED"],
      rows: budgets.map(({ metadata, status = {} }) => {
        const { disruptionsAllowed = 0, currentHealthy = 0, desiredHealthy = 0, expectedPods = 0 } = status;
        const counts = [disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods];
        return [metadata.name].concat(counts.map(String));
      }),
    },
  ];
}

import type { Node, Taint } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import { sameJson } from "../api/json.js";
import { pressureTaints } from "../api/pressure-taints.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import { toTimestamp } from "../api/time.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import { isEmpty, noChanges } from "../objects/transaction.js";
import { objectsPerDecisionMax } from "./bounds.js";
import { withCondition } from "./conditions.js";
import type { Controller, Decision, DecisionEvent, World } from "./controller.js";
import { asObject, condition, isTerminating, notReadyTaint, unreachableTaint } from "./pod-state.js";
import type { ControllerSettings } from "./settings.js";

/**
 * Keeps each Node's Ready condition in step with whether its agent is heard of, the taints in step with the condition,
 * and the Ready conditions of its Pods: what runs on a silent node is not to be counted on.
 *
 * When no node at all is ready, nobody is evicted: more likely the control plane is cut off than every node dead
 * (Kubernetes' full disruption). The NoExecute taints are taken away, and set anew, with the whole time before
 * them, on what is still silent when the first node is back.
 */
export function nodeLifecycleController(settings: ControllerSettings): Controller {
  return {
    name: "node-lifecycle",
    wakes: nodesConcerned,
    keys: (snapshot) => snapshot.list("/Node").map(keyOfObject),
    reconcile(key: ObjectKey, world: World): Decision {
      const node = world.snapshot.get<Node>("/Node", "", key.name);
      return node === undefined || isTerminating(node) ? {} : decide(node, world, settings);
    },
  };
}

/** Reason of a condition that this controller, and not the agent, set. */
export const silentReason = "NodeStatusUnknown";
const podReason = "NodeNotReady";

function decide(node: Node, world: World, settings: ControllerSettings): Decision {
  const { snapshot, now } = world;
  const { heard, wakeInMs } = hearing(node, world, settings);
  const before = readyStatus(node);
  const status = heard === "no" ? "Unknown" : heard === "yes" && isOurs(node) ? "True" : before;

  const anyReady = snapshot.list<Node>("/Node").some((other) => isUsable(other, world, settings));
  const said = withReady(node, status, now);
  const updated = withTaints(said, [...taintsFor(status, anyReady), ...pressureTaintsFor(said)], now);
  const pods = podsToMark(node, status, snapshot, now);
  const changed = !sameJson(updated, node);
  const changes = {
    ...noChanges,
    updates: [...(changed ? [asObject(updated)] : []), ...pods.map(asObject)],
    unchanged: changed
      ? []
      : [{ ...keyOfObject(asObject(node)), resourceVersion: node.metadata.resourceVersion ?? "" }],
  };
  return {
    ...(isEmpty(changes) ? {} : { changes }),
    wakeAt: now + wakeInMs,
    events: status === before ? [] : tellings(node, status),
  };
}

interface Hearing {
  /** "not yet": this leader has not listened for long enough to say; what the Node object says stands. */
  readonly heard: "yes" | "no" | "not yet";
  /** When that may change. */
  readonly wakeInMs: number;
}

function hearing(node: Node, world: World, settings: ControllerSettings): Hearing {
  const silentMs = world.nodeSilentMs(node.metadata.name);
  const heardLeftMs = settings.nodeNotReadyAfterMs - (silentMs ?? Number.POSITIVE_INFINITY);
  if (heardLeftMs > 0) return { heard: "yes", wakeInMs: Math.ceil(heardLeftMs) };
  const graceLeftMs = settings.newLeaderGraceMs - world.leaderForMs;
  if (graceLeftMs > 0)
    return { heard: "not yet", wakeInMs: Math.ceil(Math.min(graceLeftMs, settings.silentNodePollMs)) };
  return { heard: "no", wakeInMs: settings.silentNodePollMs };
}

/** Ready, or about to be said so. */
function isUsable(node: Node, world: World, settings: ControllerSettings): boolean {
  const status = readyStatus(node);
  const { heard } = hearing(node, world, settings);
  return heard === "yes" ? status === "True" || isOurs(node) : heard === "not yet" && status === "True";
}

type ReadyStatus = "True" | "False" | "Unknown" | undefined;

function readyStatus(node: Node): ReadyStatus {
  return condition(node.status?.conditions, "Ready")?.status;
}

function isOurs(node: Node): boolean {
  return condition(node.status?.conditions, "Ready")?.reason === silentReason;
}

function withReady(node: Node, status: ReadyStatus, now: number): Node {
  if (status === readyStatus(node) || status === undefined) return node;
  const verdict =
    status === "Unknown"
      ? { type: "Ready", status, reason: silentReason, message: "The node's agent has not been heard of." }
      : { type: "Ready", status, reason: "AgentHeard", message: "The node's agent is heard of again." };
  const told = withCondition(node.status?.conditions ?? [], verdict, now);
  // Nobody knows what a silent node is short of. Its agent says it again with its first word.
  const conditions =
    status !== "Unknown"
      ? told
      : Object.keys(pressureTaints).reduce((all, type) => {
          if (condition(all, type) === undefined) return all;
          return withCondition(all, { ...verdict, type }, now);
        }, told);
  return { ...node, status: { ...node.status, conditions } };
}

function taintsFor(status: ReadyStatus, evicts: boolean): readonly Pick<Taint, "key" | "effect">[] {
  if (status !== "Unknown" && status !== "False") return [];
  const key = status === "Unknown" ? unreachableTaint : notReadyTaint;
  return evicts
    ? [
        { key, effect: "NoSchedule" },
        { key, effect: "NoExecute" },
      ]
    : [{ key, effect: "NoSchedule" }];
}

function pressureTaintsFor(node: Node): readonly Pick<Taint, "key" | "effect">[] {
  return Object.entries(pressureTaints).flatMap(([type, key]) =>
    condition(node.status?.conditions, type)?.status === "True" ? [{ key, effect: "NoSchedule" as const }] : [],
  );
}

function withTaints(node: Node, wanted: readonly Pick<Taint, "key" | "effect">[], now: number): Node {
  const isManaged = (taint: Taint): boolean => managedKeys.has(taint.key) && taint.effect !== "PreferNoSchedule";
  const present = node.spec.taints ?? [];
  const managed = wanted.map(
    ({ key, effect }): Taint =>
      present.find((taint) => taint.key === key && taint.effect === effect) ?? {
        key,
        effect,
        timeAdded: toTimestamp(now),
      },
  );
  const others = present.filter((taint) => !isManaged(taint));
  const taints = [...others, ...managed];
  const kept = present.filter(isManaged);
  if (managed.length === kept.length && managed.every((taint) => kept.includes(taint))) return node;
  const generation = (node.metadata.generation ?? 0) + 1;
  return { ...node, metadata: { ...node.metadata, generation }, spec: { ...node.spec, taints } };
}

const managedKeys: ReadonlySet<string> = new Set([unreachableTaint, notReadyTaint, ...Object.values(pressureTaints)]);

/**
 * Pods whose Ready condition this node's silence, or its end, changes. After a short silence the agent may have nothing new
 * to say of a Pod, so what it said last is put back from the containers' own statuses.
 */
function podsToMark(node: Node, status: ReadyStatus, snapshot: Snapshot, now: number): readonly Pod[] {
  const marked: Pod[] = [];
  for (const pod of snapshot.podsOnNode<Pod>(node.metadata.name)) {
    if (marked.length >= objectsPerDecisionMax) break;
    const ready = condition(pod.status?.conditions, "Ready");
    const containers = pod.status?.containerStatuses ?? [];
    if (status === "Unknown" && ready?.status === "True")
      marked.push(
        withPodReady(pod, { status: "False", reason: podReason, message: "The Pod's node is not heard of." }, now),
      );
    else if (
      status === "True" &&
      ready?.reason === podReason &&
      containers.length > 0 &&
      containers.every((one) => one.ready)
    )
      marked.push(withPodReady(pod, { status: "True", reason: "", message: "" }, now));
  }
  return marked;
}

function withPodReady(
  pod: Pod,
  verdict: { readonly status: "True" | "False"; readonly reason: string; readonly message: string },
  now: number,
): Pod {
  const { reason, message, status } = verdict;
  const others = (pod.status?.conditions ?? []).filter((one) => one.type !== "Ready");
  const ready = {
    type: "Ready",
    status,
    lastTransitionTime: toTimestamp(now),
    ...(reason === "" ? {} : { reason, message }),
  };
  return { ...pod, status: { ...pod.status, conditions: [...others, ready] } };
}

function tellings(node: Node, status: ReadyStatus): readonly DecisionEvent[] {
  const reason = status === "True" ? "NodeReady" : "NodeNotReady";
  return [
    {
      object: asObject(node),
      type: status === "True" ? "Normal" : "Warning",
      reason,
      message: `Node ${node.metadata.name} status is now: ${reason}`,
    },
  ];
}

/** The node itself; all nodes when one turned, since evictions depend on whether any is ready; a silent node whose Pod says Ready. */
function nodesConcerned(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  snapshot: Snapshot,
): readonly ObjectKey[] {
  const object = now ?? before;
  if (object === undefined) return [];
  if (groupKindOfObject(object) === "/Node") {
    const turned = readyOf(before) !== readyOf(now);
    return turned ? snapshot.list("/Node").map(keyOfObject) : [keyOfObject(object)];
  }
  if (groupKindOfObject(object) !== "/Pod" || now === undefined) return [];
  const node = snapshot.get<Node>("/Node", "", (now as unknown as Pod).spec.nodeName ?? "");
  return node !== undefined && readyStatus(node) === "Unknown" ? [keyOfObject(asObject(node))] : [];
}

function readyOf(object: AnyObject | undefined): ReadyStatus {
  return object === undefined ? undefined : readyStatus(object as unknown as Node);
}

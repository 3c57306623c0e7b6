import { sameJson } from "../api/json.js";
import type { Node } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import type { AnyObject, Condition } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import { toTimestamp } from "../api/time.js";
import type { Changes } from "../objects/changes.js";
import { keyOfObject } from "../objects/keys.js";
import type { Snapshot } from "../objects/snapshot.js";
import { noChanges } from "../objects/transaction.js";
import { plan, type Binding, type Rejection } from "./plan.js";
import { hasEnded } from "./room.js";

/** One binding or one explanation, a transaction for itself. Fits the controllers' Decision. */
export interface SchedulingDecision {
  readonly changes: Changes;
  readonly events: readonly {
    readonly object: AnyObject;
    readonly type: "Normal" | "Warning";
    readonly reason: string;
    readonly message: string;
  }[];
}

/**
 * The scheduler as a pass over everything, to be run by the controllers' Runner: one pass plans all waiting Pods, and its
 * bindings are one log entry.
 */
export const scheduler = {
  name: "scheduler",

  /** A Pod that waits, room that came free, a node that offers something else. */
  concerns(before: AnyObject | undefined, now: AnyObject | undefined): boolean {
    const object = now ?? before;
    if (object === undefined) return false;
    if (groupKindOfObject(object) === "/Pod") return podConcerns(before as Pod | undefined, now as Pod | undefined);
    if (groupKindOfObject(object) !== "/Node") return false;
    return !sameJson(offerOf(before as Node | undefined), offerOf(now as Node | undefined));
  },

  pass(world: { readonly snapshot: Snapshot; readonly now: number }): {
    readonly decisions: readonly SchedulingDecision[];
    readonly wakeAt?: number;
  } {
    const { bindings, rejections, more } = plan(world.snapshot);
    const decisions = [
      ...bindings.map((binding) => bind(binding, world.now)),
      ...rejections.flatMap((rejection) => explain(rejection, world.now) ?? []),
    ];
    return more ? { decisions, wakeAt: world.now } : { decisions };
  },
};

function podConcerns(before: Pod | undefined, now: Pod | undefined): boolean {
  if (now === undefined) return isBound(before);
  if (isBound(now)) return hasEnded(now) && before !== undefined && !hasEnded(before);
  return before === undefined || !sameJson(before.spec, now.spec);
}

function isBound(pod: Pod | undefined): boolean {
  return (pod?.spec.nodeName ?? "") !== "";
}

/** What the plan reads of a node. */
function offerOf(node: Node | undefined): unknown {
  if (node === undefined) return undefined;
  const { spec, status, metadata } = node;
  const ready = status?.conditions?.find((one) => one.type === "Ready")?.status;
  return [spec, status?.allocatable, status?.capacity, metadata.labels, metadata.deletionTimestamp, ready];
}

function bind({ pod, node }: Binding, now: number): SchedulingDecision {
  const { name, namespace = "" } = pod.metadata;
  const bound: Pod = {
    ...pod,
    spec: { ...pod.spec, nodeName: node.metadata.name },
    status: { ...pod.status, conditions: withScheduled(pod, { status: "True" }, now) },
  };
  const guard = { ...keyOfObject(asObject(node)), resourceVersion: node.metadata.resourceVersion ?? "" };
  return {
    // A node that was cordoned, tainted or deleted meanwhile refuses the binding.
    changes: { ...noChanges, updates: [asObject(bound)], unchanged: [guard] },
    events: [
      {
        object: asObject(pod),
        type: "Normal",
        reason: "Scheduled",
        message: `Successfully assigned ${namespace}/${name} to ${node.metadata.name}`,
      },
    ],
  };
}

/** Tells why a Pod waits, when that is not what it says already. */
function explain({ pod, message }: Rejection, now: number): SchedulingDecision | undefined {
  const present = pod.status?.conditions?.find((one) => one.type === scheduled);
  if (present?.status === "False" && present.reason === unschedulable && present.message === message) return undefined;
  const conditions = withScheduled(pod, { status: "False", reason: unschedulable, message }, now);
  const explained: Pod = { ...pod, status: { ...pod.status, conditions } };
  return {
    changes: { ...noChanges, updates: [asObject(explained)] },
    events: [{ object: asObject(pod), type: "Warning", reason: "FailedScheduling", message }],
  };
}

const scheduled = "PodScheduled";
const unschedulable = "Unschedulable";

function withScheduled(pod: Pod, verdict: Omit<Condition, "type">, now: number): readonly Condition[] {
  const present = pod.status?.conditions ?? [];
  const before = present.find((one) => one.type === scheduled);
  const time = before?.status === verdict.status ? before.lastTransitionTime : undefined;
  const condition: Condition = { type: scheduled, ...verdict, lastTransitionTime: time ?? toTimestamp(now) };
  return [...present.filter((one) => one.type !== scheduled), condition];
}

function asObject(object: Pod | Node): AnyObject {
  return object as unknown as AnyObject;
}

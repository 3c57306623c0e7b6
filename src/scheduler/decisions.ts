import { without } from "../api/json.js";
import type { Node } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import type { AnyObject, Condition } from "../api/object.js";
import { toTimestamp } from "../api/time.js";
import type { Changes } from "../objects/changes.js";
import { deletePod } from "../objects/delete-object.js";
import { keyOfObject } from "../objects/keys.js";
import { noChanges } from "../objects/transaction.js";
import type { Binding, Preemption, Rejection } from "./plan.js";

/** One binding, one making of room or one explanation, a transaction for itself. Fits the controllers' Decision. */
export interface SchedulingDecision {
  readonly changes: Changes;
  readonly events: readonly SchedulingEvent[];
}

interface SchedulingEvent {
  readonly object: AnyObject;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

export function bindingDecision({ pod, node }: Binding, now: number): SchedulingDecision {
  const { name, namespace = "" } = pod.metadata;
  const status = nominatedTo(withCondition(pod.status, scheduledCondition({ status: "True" }), now), undefined);
  const bound: Pod = { ...pod, spec: { ...pod.spec, nodeName: node.metadata.name }, status };
  const message = `Successfully assigned ${namespace}/${name} to ${node.metadata.name}`;
  return {
    // A node that was cordoned, tainted or deleted meanwhile refuses the binding.
    changes: { ...noChanges, updates: [asObject(bound)], unchanged: [guard(node)] },
    events: [{ object: asObject(pod), type: "Normal", reason: "Scheduled", message }],
  };
}

/** The victims go gracefully, and the Pod that they go for is nominated: all of it or nothing. */
export function preemptionDecision(preemption: Preemption, now: number): SchedulingDecision {
  const { pod, node, victims, displaced, message } = preemption;
  const told = withCondition(pod.status, unschedulable(message), now);
  const nominated: Pod = { ...pod, status: nominatedTo(told, node.metadata.name) };
  const lowered = displaced.map((one): Pod => Object.assign({}, one, { status: nominatedTo(one.status, undefined) }));
  const going = victims.map((victim) => {
    const marked: Pod = { ...victim, status: withCondition(victim.status, disruptionTarget, now) };
    return deletePod(asObject(marked), {}, now).changes;
  });
  return {
    changes: {
      ...noChanges,
      updates: [...[nominated, ...lowered].map(asObject), ...going.flatMap(({ updates }) => updates)],
      removes: going.flatMap(({ removes }) => removes),
      unchanged: [guard(node)],
    },
    events: [
      { object: asObject(pod), type: "Warning", reason: "FailedScheduling", message },
      ...victims.map((victim): SchedulingEvent => ({
        object: asObject(victim),
        type: "Normal",
        reason: "Preempted",
        message: `Preempted by pod ${pod.metadata.namespace}/${pod.metadata.name} (${pod.metadata.uid}) on node ${node.metadata.name}`,
      })),
    ],
  };
}

/** Tells why a Pod waits. */
export function rejectionDecision({ pod, message, waitsForRoom }: Rejection, now: number): SchedulingDecision {
  const told = withCondition(pod.status, unschedulable(message), now);
  const status = waitsForRoom ? told : nominatedTo(told, undefined);
  return {
    changes: { ...noChanges, updates: [asObject({ ...pod, status } satisfies Pod)] },
    events: [{ object: asObject(pod), type: "Warning", reason: "FailedScheduling", message }],
  };
}

const disruptionTarget: Condition = {
  type: "DisruptionTarget",
  status: "True",
  reason: "PreemptionByScheduler",
  message: "default-scheduler: preempting to accommodate a higher priority pod",
};

function unschedulable(message: string): Condition {
  return scheduledCondition({ status: "False", reason: "Unschedulable", message });
}

function scheduledCondition(verdict: Omit<Condition, "type">): Condition {
  return { type: "PodScheduled", ...verdict };
}

/** The status with this condition in it; its time is that of the last change of its status. */
function withCondition(status: Pod["status"], verdict: Condition, now: number): NonNullable<Pod["status"]> {
  const present = status?.conditions ?? [];
  const before = present.find(({ type }) => type === verdict.type);
  const time = before?.status === verdict.status ? before.lastTransitionTime : undefined;
  const condition: Condition = { ...verdict, lastTransitionTime: time ?? toTimestamp(now) };
  return { ...status, conditions: [...present.filter(({ type }) => type !== verdict.type), condition] };
}

function nominatedTo(status: Pod["status"], nodeName: string | undefined): NonNullable<Pod["status"]> {
  const rest = without(status ?? {}, "nominatedNodeName");
  return nodeName === undefined ? rest : { ...rest, nominatedNodeName: nodeName };
}

function guard(node: Node): Changes["unchanged"][number] {
  return { ...keyOfObject(asObject(node)), resourceVersion: node.metadata.resourceVersion ?? "" };
}

function asObject(object: Pod | Node): AnyObject {
  return object as unknown as AnyObject;
}

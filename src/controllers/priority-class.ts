import { systemClasses, type PriorityClass } from "../api/kinds/priority.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import { toTimestamp } from "../api/time.js";
import { derivedUid } from "../objects/derived-id.js";
import type { ObjectKey } from "../objects/snapshot.js";
import { noChanges } from "../objects/transaction.js";
import type { Controller, Decision, World } from "./controller.js";
import { priorityClasses } from "./new-pod.js";
import { asObject } from "./pod-state.js";

/** Sees to it that the classes of the system are there: made at the first start, and again when somebody deletes one. */
export const priorityClassController: Controller = {
  name: "priority-class",
  wakes: (before, now) =>
    now === undefined && before !== undefined && groupKindOfObject(before) === priorityClasses
      ? [keyOfClass(before.metadata.name)]
      : [],
  keys: () => systemClasses.map(({ name }) => keyOfClass(name)),
  reconcile({ name }: ObjectKey, { snapshot, now }: World): Decision {
    const wanted = systemClasses.find((one) => one.name === name);
    if (wanted === undefined || snapshot.get(priorityClasses, "", name) !== undefined) return {};
    return { changes: { ...noChanges, creates: [make(wanted, now)] } };
  },
};

function make({ name, value, description }: (typeof systemClasses)[number], now: number): AnyObject {
  const made: PriorityClass = {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name, uid: derivedUid("PriorityClass", name, now), creationTimestamp: toTimestamp(now) },
    value,
    description,
    preemptionPolicy: "PreemptLowerPriority",
  };
  return asObject(made);
}

function keyOfClass(name: string): ObjectKey {
  return { groupKind: priorityClasses, namespace: "", name };
}

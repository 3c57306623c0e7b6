import type { AnyObject, LabelSelector, ObjectMeta, OwnerReference } from "../api/object.js";
import { matchesSelector } from "../api/selector.js";
import { controllerOf, isTerminating } from "./pod-state.js";

interface Owned {
  readonly metadata: ObjectMeta;
}

/** An object that manages others. */
export interface Owner extends Owned {
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * Who belongs to `owner`, as Kubernetes' ControllerRefManager decides it: objects that match the selector (and `belongs`) and have no
 * controller are adopted, owned ones that stopped matching are released. Gives the changed objects.
 */
export function claim<T extends Owned>(
  owner: Owner,
  selector: LabelSelector,
  candidates: readonly T[],
  belongs: (candidate: T) => boolean = () => true,
): readonly AnyObject[] {
  if (isTerminating(owner)) return [];
  const changed: T[] = [];
  for (const candidate of candidates) {
    if (isTerminating(candidate)) continue;
    const controller = controllerOf(candidate);
    if (controller !== undefined && controller.uid !== owner.metadata.uid) continue;
    const matches = matchesSelector(selector, candidate.metadata.labels ?? {}) && belongs(candidate);
    if (matches === (controller !== undefined)) continue;
    const others = (candidate.metadata.ownerReferences ?? []).filter((one) => one.uid !== owner.metadata.uid);
    const ownerReferences = matches ? [...others, controllerReference(owner)] : others;
    changed.push({ ...candidate, metadata: { ...candidate.metadata, ownerReferences } });
  }
  return changed as readonly unknown[] as readonly AnyObject[];
}

/** The reference of an object to the one that manages it. */
export function controllerReference(owner: Owner): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}

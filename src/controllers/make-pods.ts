import type { Pod, PodTemplateSpec } from "../api/kinds/pod.js";
import { limits } from "../base/limits.js";
import type { Snapshot } from "../objects/snapshot.js";
import { controllerReference, type Owner } from "./claims.js";
import { derivedUid, generatedName } from "../objects/derived-id.js";
import { newPod } from "./new-pod.js";

/** How many Pods this owner has made so far. Kept on it, so that no name and no uid is given twice. */
export const madeAnnotation = "ikada.dev/pods-made";

/** A Pod that is to be made. */
export interface WantedPod {
  readonly template: PodTemplateSpec;
  /** One that no other Pod has now; when absent one is made. */
  readonly name?: string;
  /** What a name that is made begins with; the owner's name when absent. */
  readonly prefix?: string;
  readonly finalizers?: readonly string[];
}

export interface MadePods {
  readonly pods: readonly Pod[];
  /** The owner's annotations with the new count; undefined when nothing was made. */
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/**
 * The wanted Pods, or the first of them that fit one log entry. Uids, and names that are not given, follow from the owner's uid and
 * the number of the Pod among all that the owner has made.
 */
export function makePods(owner: Owner, wanted: readonly WantedPod[], snapshot: Snapshot, now: number): MadePods {
  const pods: Pod[] = [];
  const uid = owner.metadata.uid ?? "";
  const namespace = owner.metadata.namespace ?? "";
  const isTaken = (name: string): boolean =>
    snapshot.get("/Pod", namespace, name) !== undefined || pods.some((pod) => pod.metadata.name === name);
  let number = Number(owner.metadata.annotations?.[madeAnnotation] ?? 0) || 0;
  let left = bytesMax;
  for (const one of wanted) {
    const { prefix = `${owner.metadata.name}-`, finalizers } = one;
    const nameOf = (): string => one.name ?? generatedName(prefix, uid, number);
    while (one.name === undefined && isTaken(nameOf())) number += 1;
    const identity = {
      name: nameOf(),
      namespace,
      uid: derivedUid(uid, "Pod", number),
      owner: controllerReference(owner),
      ...(finalizers === undefined ? {} : { finalizers }),
    };
    const pod = newPod(one.template, identity, snapshot, now);
    // Three bytes at most for each UTF-16 code unit.
    left -= JSON.stringify(pod).length * 3;
    if (left < 0 && pods.length > 0) break;
    pods.push(pod);
    number += 1;
  }
  if (pods.length === 0) return { pods, annotations: undefined };
  return { pods, annotations: { ...owner.metadata.annotations, [madeAnnotation]: String(number) } };
}

/** Leaves room in the entry for the owner itself, events and envelopes. */
const bytesMax = limits.entryBytesMax / 2;

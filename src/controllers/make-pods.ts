import type { ReplicaSet } from "../api/kinds/apps.js";
import type { Pod } from "../api/kinds/pod.js";
import { limits } from "../base/limits.js";
import type { Snapshot } from "../objects/snapshot.js";
import { controllerReference } from "./claims.js";
import { derivedUid, generatedName } from "../objects/derived-id.js";
import { newPod } from "./new-pod.js";

/** How many Pods this set has made so far. Kept on the set, so that no name and no uid is given twice. */
export const madeAnnotation = "ikada.dev/pods-made";

export interface MadePods {
  readonly pods: readonly Pod[];
  /** The set's annotations with the new count; undefined when nothing was made. */
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/**
 * `count` Pods from the set's template, or as many as fit one log entry. Names follow from the set's uid and the number
 * of the Pod among all that the set has made.
 */
export function makePods(set: ReplicaSet, count: number, snapshot: Snapshot, now: number): MadePods {
  const pods: Pod[] = [];
  const uid = set.metadata.uid ?? "";
  const namespace = set.metadata.namespace ?? "";
  let number = Number(set.metadata.annotations?.[madeAnnotation] ?? 0) || 0;
  let left = bytesMax;
  while (pods.length < count) {
    const name = generatedName(`${set.metadata.name}-`, uid, number);
    const taken = snapshot.get("/Pod", namespace, name) !== undefined || pods.some((pod) => pod.metadata.name === name);
    if (!taken) {
      const pod = newPod(
        set.spec.template,
        { name, namespace, uid: derivedUid(uid, "Pod", number), owner: controllerReference(set) },
        now,
      );
      // Three bytes at most for each UTF-16 code unit.
      left -= JSON.stringify(pod).length * 3;
      if (left < 0 && pods.length > 0) break;
      pods.push(pod);
    }
    number += 1;
  }
  if (pods.length === 0) return { pods, annotations: undefined };
  return { pods, annotations: { ...set.metadata.annotations, [madeAnnotation]: String(number) } };
}

/** Leaves room in the entry for the set itself, events and envelopes. */
const bytesMax = limits.entryBytesMax / 2;

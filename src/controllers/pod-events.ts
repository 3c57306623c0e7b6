import type { Pod } from "../api/kinds/pod.js";
import type { ObjectMeta } from "../api/object.js";
import type { DecisionEvent } from "./controller.js";
import { asObject } from "./pod-state.js";

/** What owners tell of Pods that they make and take away. */

/** Pods named one by one in the events of one decision. */
const eventsMax = 10;

/** What is said of one Pod, by its name. */
export type PodSaying = (name: string) => string;

export const createdPod: PodSaying = (name) => `Created pod: ${name}`;
export const deletedPod: PodSaying = (name) => `Deleted pod: ${name}`;

/** One event for each Pod; of many only how many more. */
export function podEvents(
  owner: { readonly metadata: ObjectMeta },
  pods: readonly Pod[],
  reason: string,
  say: PodSaying,
): readonly DecisionEvent[] {
  const tell = (message: string): DecisionEvent => ({ object: asObject(owner), type: "Normal", reason, message });
  const events = pods.slice(0, eventsMax).map((pod) => tell(say(pod.metadata.name)));
  return pods.length > eventsMax ? [...events, tell(say(`${pods.length - eventsMax} more`))] : events;
}

/** Why Pods are missing. */
export function failedCreate(owner: { readonly metadata: ObjectMeta }, message: string): DecisionEvent {
  return { object: asObject(owner), type: "Warning", reason: "FailedCreate", message };
}

/** Pods that have found other bytes for a tag than the first one of their revision. */
export function strayedPods(pods: readonly Pod[]): readonly DecisionEvent[] {
  const message = "found other bytes for a tag than its revision runs, and is started again with those of its revision";
  return pods
    .slice(0, eventsMax)
    .map((pod) => ({ object: asObject(pod), type: "Warning", reason: "ImageMoved", message }));
}

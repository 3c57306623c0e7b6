import { encodePins, imagePins, imagePinsAnnotation, isMovable, isPinOf, pinsImages } from "../api/image-pins.js";
import type { ImagePins } from "../api/image-pins.js";
import type { ReplicaSet } from "../api/kinds/apps.js";
import type { Pod, PodSpec } from "../api/kinds/pod.js";
import type { ObjectMeta } from "../api/object.js";
import { createdAt } from "./pod-state.js";
import { earliest } from "./set-view.js";

/** What is to be written about the images of a ReplicaSet. */
export interface PinDecision {
  /** With the pins that are new. */
  readonly set: ReplicaSet;
  /** Pods that are to be told the set's pins. */
  readonly pods: readonly Pod[];
  /** Those among them that run other bytes. */
  readonly strayed: readonly Pod[];
  /** When a Pod that has said nothing yet is to be told. */
  readonly wakeAt: number | undefined;
}

/**
 * A set's Pods run the same bytes (decision 0007): what the first of them has found for an image is the set's pin from then on, and goes with
 * every Pod that it makes later. Of those that are there already one that has found something else is told at once, and starts its
 * containers again; one that has found nothing yet is told when it takes long, so that the many that start together cost no further write.
 */
export function pinImages(set: ReplicaSet, active: readonly Pod[], now: number): PinDecision {
  if (!pinsImages(set.spec.template.metadata?.annotations)) return { set, pods: [], strayed: [], wakeAt: undefined };
  const known = pinsOfSet(set);
  const pins = new Map(known);
  const byName = [...active].sort((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1));
  for (const image of imagesOf(set.spec.template.spec)) {
    if (!isMovable(image) || pins.has(image)) continue;
    const found = byName.flatMap((pod) => foundFor(image, pod)).find((imageID) => isPinOf(image, imageID));
    if (found !== undefined) pins.set(image, found);
  }
  const dueOf = new Map(byName.map((pod) => [pod, toldAt(pod, pins)]));
  const due = byName.filter((pod) => (dueOf.get(pod) ?? Infinity) <= now);
  return {
    set: pins.size === known.size ? set : { ...set, metadata: withPins(set.metadata, pins) },
    pods: due.map((pod) => ({ ...pod, metadata: withPins(pod.metadata, pins) })),
    strayed: due.filter((pod) => dueOf.get(pod) === 0),
    wakeAt: earliest(...[...dueOf.values()].filter((at) => at !== undefined && at > now)),
  };
}

/** Those that its template brings along hold in front of those that its Pods have found. */
export function pinsOfSet({ metadata, spec }: ReplicaSet): ImagePins {
  return new Map([...imagePins(metadata.annotations), ...imagePins(spec.template.metadata?.annotations)]);
}

export function withPins<T extends Pick<ObjectMeta, "annotations">>(metadata: T, pins: ImagePins): T {
  return { ...metadata, annotations: { ...metadata.annotations, [imagePinsAnnotation]: encodePins(pins) } };
}

/** Wall milliseconds, 0 when it runs other bytes; undefined: never. */
function toldAt(pod: Pod, pins: ImagePins): number | undefined {
  const { annotations } = pod.metadata;
  if (pins.size === 0 || !pinsImages(annotations)) return undefined;
  const told = imagePins(annotations);
  let at: number | undefined;
  for (const image of imagesOf(pod.spec)) {
    const pin = pins.get(image);
    if (pin === undefined || told.get(image) === pin) continue;
    const found = foundFor(image, pod);
    if (found.some((imageID) => imageID !== "" && imageID !== pin)) return 0;
    if (found.includes("")) at = createdAt(pod) + silentMsMax;
  }
  return at;
}

function imagesOf({ initContainers = [], containers }: PodSpec): ReadonlySet<string> {
  return new Set([...initContainers, ...containers].map(({ image }) => image));
}

/** What a Pod's containers with this image run; "" for one that has not been made yet. */
function foundFor(image: string, { spec, status }: Pod): readonly string[] {
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return [...(spec.initContainers ?? []), ...spec.containers]
    .filter((container) => container.image === image)
    .map(({ name }) => statuses.find((one) => one.name === name && one.image === image)?.imageID ?? "");
}

/** A Pod whose image is not there by then gets its set's pins. */
const silentMsMax = 10_000;

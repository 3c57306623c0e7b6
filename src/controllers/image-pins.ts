import { encodePins, imagePins, imagePinsAnnotation, isMovable, isPinOf, pinsImages } from "../api/image-pins.js";
import type { ImagePins } from "../api/image-pins.js";
import type { Pod, PodSpec, PodTemplateSpec } from "../api/kinds/pod.js";
import type { ObjectMeta } from "../api/object.js";
import { createdAt } from "./pod-state.js";
import { earliest } from "./set-view.js";

/** What stands for a revision: a ReplicaSet or a ControllerRevision. */
interface Pinned {
  readonly metadata: ObjectMeta;
}

/** What is to be written about the images of one revision. */
export interface PinDecision<T extends Pinned> {
  /** With the pins that are new. */
  readonly owner: T;
  /** Pods that are to be told its pins. */
  readonly pods: readonly Pod[];
  /** Those among them that run other bytes. */
  readonly strayed: readonly Pod[];
  /** When a Pod that has said nothing yet is to be told. */
  readonly wakeAt: number | undefined;
}

/**
 * A revision's Pods run the same bytes (decision 0007): what the first of them has found for an image is its pin from then on, and goes with
 * every Pod that is made of it later. Of those that are there already one that has found something else is told at once, and starts its
 * containers again; one that has found nothing yet is told when it takes long, so that the many that start together cost no further write.
 */
export function pinImages<T extends Pinned>(
  owner: T,
  template: PodTemplateSpec,
  active: readonly Pod[],
  now: number,
): PinDecision<T> {
  if (!pinsImages(template.metadata?.annotations)) return { owner, pods: [], strayed: [], wakeAt: undefined };
  const known = pinsOf(owner, template);
  const pins = new Map(known);
  const byName = [...active].sort((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1));
  for (const image of imagesOf(template.spec)) {
    if (!isMovable(image) || pins.has(image)) continue;
    const found = byName.flatMap((pod) => foundFor(image, pod)).find((imageID) => isPinOf(image, imageID));
    if (found !== undefined) pins.set(image, found);
  }
  const dueOf = new Map(byName.map((pod) => [pod, toldAt(pod, pins)]));
  const due = byName.filter((pod) => (dueOf.get(pod) ?? Infinity) <= now);
  return {
    owner: pins.size === known.size ? owner : { ...owner, metadata: withPins(owner.metadata, pins) },
    pods: due.map((pod) => ({ ...pod, metadata: withPins(pod.metadata, pins) })),
    strayed: due.filter((pod) => dueOf.get(pod) === 0),
    wakeAt: earliest(...[...dueOf.values()].filter((at) => at !== undefined && at > now)),
  };
}

/** The template with the pins of its revision: Pods that are made of it have them. */
export function pinnedTemplate(owner: Pinned, template: PodTemplateSpec): PodTemplateSpec {
  const pins = pinsOf(owner, template);
  return pins.size === 0 ? template : { ...template, metadata: withPins(template.metadata ?? {}, pins) };
}

/** Those that its template brings along hold in front of those that its Pods have found. */
function pinsOf({ metadata }: Pinned, template: PodTemplateSpec): ImagePins {
  return new Map([...imagePins(metadata.annotations), ...imagePins(template.metadata?.annotations)]);
}

function withPins<T extends Pick<ObjectMeta, "annotations">>(metadata: T, pins: ImagePins): T {
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

/** A Pod whose image is not there by then gets its revision's pins. */
const silentMsMax = 10_000;

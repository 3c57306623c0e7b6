import { imagePins, isMovable, isPinOf, pinsImages } from "../../src/api/image-pins.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { allContainers } from "./container-role.js";
import type { PodRecord } from "./pod-record.js";
import type { ContainerInfo } from "./runtime.js";
import { specHash } from "./spec-hash.js";

/**
 * The bytes that alone will do for an image of a Pod: those of its revision, which a server tells, or else those that the Pod itself was
 * begun with. Undefined: what the tag stands for now.
 */
export function wantedPin(pod: Pod, record: Pick<PodRecord, "images"> | undefined, image: string): string | undefined {
  const { annotations } = pod.metadata;
  if (!pinsImages(annotations) || !isMovable(image)) return undefined;
  return imagePins(annotations).get(image) ?? valueOf(record?.images, image);
}

/** The record with what the Pod's containers were made from. The first word stands for as long as the Pod names the image. */
export function withImages(record: PodRecord, pod: Pod | undefined, observed: readonly ContainerInfo[]): PodRecord {
  if (pod === undefined || !pinsImages(pod.metadata.annotations)) return record;
  const images = new Map<string, string>();
  for (const container of allContainers(pod)) {
    const { name, image } = container;
    const known = images.get(image) ?? valueOf(record.images, image);
    const info = observed.find(
      (one) =>
        one.role === "container" &&
        one.containerName === name &&
        one.attempt === record.containers[name]?.attempt &&
        one.specHash === specHash(container),
    );
    const found = info !== undefined && isPinOf(image, info.image) ? info.image : undefined;
    const pin = known ?? found;
    if (pin !== undefined) images.set(image, pin);
  }
  if (images.size === 0 && record.images === undefined) return record;
  return { ...record, images: Object.fromEntries(images) };
}

/** A record is a stored object, and an image may be named as something that every object has. */
function valueOf(images: PodRecord["images"], image: string): string | undefined {
  return images !== undefined && Object.hasOwn(images, image) ? images[image] : undefined;
}

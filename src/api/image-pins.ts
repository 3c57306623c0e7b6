import type { FieldFault } from "../base/errors.js";
import { parseImageReference } from "./image-reference.js";

/**
 * On a ReplicaSet and on its Pods: which bytes an image of theirs stands for, as JSON from the image's text in the template to its pin. A pin
 * is `repository@sha256:…` of the same repository or, for what no registry gave, an image's id `sha256:…`.
 */
export const imagePinsAnnotation = "ikada.dev/image-digests";

/** On a Pod or a template: `"false"` looks a tag up at each start of a container, as Kubernetes does. */
export const pinImagesAnnotation = "ikada.dev/pin-images";

export type ImagePins = ReadonlyMap<string, string>;

type Annotations = Readonly<Record<string, string>> | undefined;

const noPins: ImagePins = new Map();

/** What is no pin of its image is left out: a node's word goes no further than to other bytes of the same repository. */
export function imagePins(annotations: Annotations): ImagePins {
  const text = annotations?.[imagePinsAnnotation];
  if (text === undefined || !pinsImages(annotations)) return noPins;
  return new Map(storedPins(text)?.filter(([image, pin]) => isPinOf(image, pin)));
}

/** Undefined when the text is no JSON object of texts. */
function storedPins(text: string): readonly (readonly [image: string, pin: string])[] | undefined {
  try {
    const stored: unknown = JSON.parse(text);
    if (typeof stored !== "object" || stored === null || Array.isArray(stored)) return undefined;
    const entries = Object.entries(stored);
    return entries.every((entry): entry is [string, string] => typeof entry[1] === "string") ? entries : undefined;
  } catch {
    return undefined;
  }
}

/** What people may write there, at `path` of an object. */
export function imagePinRules(annotations: Annotations, path: string, faults: FieldFault[]): void {
  const fault = (name: string, message: string): void =>
    void faults.push({ field: `${path}.annotations[${name}]`, reason: "Invalid", message });
  const choice = annotations?.[pinImagesAnnotation];
  if (choice !== undefined && choice !== "true" && choice !== "false")
    fault(pinImagesAnnotation, `must be "true" or "false", not ${JSON.stringify(choice)}`);
  const text = annotations?.[imagePinsAnnotation];
  if (text === undefined) return;
  const pins = storedPins(text);
  if (pins === undefined)
    fault(imagePinsAnnotation, 'must be a JSON object of texts, for example {"web:1":"web@sha256:…"}');
  for (const [image, pin] of pins ?? [])
    if (!isPinOf(image, pin))
      fault(
        imagePinsAnnotation,
        `${JSON.stringify(pin)} is no digest of the repository of ${JSON.stringify(image)} and no image id`,
      );
}

/** The annotation's text: the same for the same pins. */
export function encodePins(pins: ImagePins): string {
  return JSON.stringify(Object.fromEntries([...pins].sort(([left], [right]) => (left < right ? -1 : 1))));
}

export function pinsImages(annotations: Annotations): boolean {
  return annotations?.[pinImagesAnnotation] !== "false";
}

/** Whether `image` leaves open which bytes it stands for: it has neither digest nor id. */
export function isMovable(image: string): boolean {
  const parsed = parseImageReference(image);
  return parsed !== undefined && parsed.digest === undefined && !isImageId(image);
}

export function isPinOf(image: string, pin: string): boolean {
  if (!isMovable(image)) return false;
  if (isImageId(pin)) return true;
  const [wanted, given] = [parseImageReference(image), parseImageReference(pin)];
  return (
    given?.digest !== undefined &&
    given.tag === undefined &&
    given.registry === wanted?.registry &&
    given.path === wanted.path
  );
}

/** Of an image's content, as an engine names it. */
export function isImageId(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** The pin for `image` when an engine has found it as the image `id` with these `repository@digest`. */
export function pinOf(image: string, found: { readonly id: string; readonly digests: readonly string[] }): string {
  return found.digests.filter((digest) => isPinOf(image, digest)).sort()[0] ?? found.id;
}

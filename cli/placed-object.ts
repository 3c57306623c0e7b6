import { decodeObject } from "../src/api/decode.js";
import { withDefaults } from "../src/api/defaults.js";
import { invalidError } from "../src/api/faults.js";
import type { KindDefinition } from "../src/api/kind.js";
import type { AnyObject } from "../src/api/object.js";
import { kindOf } from "../src/api/registry.js";
import { matchesSelector, parseLabelSelector } from "../src/api/selector.js";
import { validateObject } from "../src/api/validate.js";
import { IkadaError } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { readManifests, type ManifestObject } from "./manifest.js";
import { shortName } from "./session.js";

/** An object of a manifest with its kind, its namespace, and the way back to its lines. */
export interface PlacedObject {
  readonly kind: KindDefinition;
  readonly object: AnyObject;
  readonly locate: ManifestObject["locate"];
  /** `deployment.apps/web` */
  readonly name: string;
}

/**
 * Reads the objects of files and folders; those of a namespaced kind without a namespace get `namespace`.
 * @throws IkadaError Invalid or UnknownKind with file:line:column for what is no object, or stands there twice
 */
export function readObjects(paths: readonly string[], recursive: boolean, namespace: string): PlacedObject[] {
  if (paths.filter((path) => path === "-").length > 1)
    throw new IkadaError("BadRequest", "standard input can be read only once; give -f - once");
  const objects = paths
    .flatMap((path) => readManifests(path, recursive))
    .map((manifest) => placeObject(manifest, namespace));
  if (objects.length === 0) throw new IkadaError("NotFound", `no objects in ${paths.join(", ")}`);
  checkDuplicates(objects);
  return objects;
}

/**
 * Those with the labels of a selector; all of them without one.
 * @throws IkadaError BadRequest with the place of a fault in it, NotFound when none has them
 */
export function selectObjects(objects: readonly PlacedObject[], selector: string | undefined): readonly PlacedObject[] {
  if (selector === undefined) return objects;
  const labels = parseLabelSelector(selector);
  const selected = objects.filter(({ object }) => matchesSelector(labels, object.metadata.labels));
  if (selected.length > 0) return selected;
  throw new IkadaError("NotFound", `none of the ${objects.length} objects has the labels ${selector}`, {
    hint: "-l looks at the labels in the manifests",
  });
}

/** @throws IkadaError Invalid, UnknownKind */
export function placeObject({ value, locate }: ManifestObject, namespace: string): PlacedObject {
  for (const field of ["apiVersion", "kind"]) {
    if (typeof value[field] !== "string")
      throw new IkadaError("Invalid", `${locate(field)}: ${field}: is missing, or no text`);
  }
  const metadata = value["metadata"];
  if (typeof metadata !== "object" || metadata === null || typeof (metadata as { name?: unknown }).name !== "string") {
    throw new IkadaError("Invalid", `${locate("metadata.name")}: metadata.name: is missing, or no text`);
  }
  const sizeBytes = Buffer.byteLength(JSON.stringify(value));
  if (sizeBytes > limits.objectBytesMax)
    throw new IkadaError(
      "TooLarge",
      `${locate("")}: an object of ${sizeBytes} bytes; ${limits.objectBytesMax} is the most`,
    );
  const object = value as AnyObject;
  let kind: KindDefinition;
  try {
    kind = kindOf(object);
  } catch (caught) {
    const { reason, message, details } = IkadaError.from(caught);
    throw new IkadaError(reason, `${locate("kind")}: kind: ${message}`, details, caught);
  }
  const placed =
    kind.namespaced && object.metadata.namespace === undefined
      ? { ...object, metadata: { ...object.metadata, namespace } }
      : object;
  return { kind, object: placed, locate, name: shortName(kind, object.metadata.name) };
}

/** The second of two would silently undo the first. */
function checkDuplicates(objects: readonly PlacedObject[]): void {
  const places = new Map<string, string>();
  for (const { object, locate, name } of objects) {
    const identity = JSON.stringify([name, object.metadata.namespace]);
    const place = locate("metadata.name");
    const first = places.get(identity);
    if (first !== undefined) {
      throw new IkadaError("Invalid", `${place}: metadata.name: ${name} stands at ${first} already`, {
        hint: "rename one of them, or remove it",
      });
    }
    places.set(identity, place);
  }
}

/** What a server checks of a new object before it stores it, for objects whose Namespace is not there yet. @throws IkadaError Invalid */
export function checkNewObject({ kind, object }: PlacedObject): void {
  const decoded = decodeObject(object, { mode: "applied" });
  const faults = decoded.object ? validateObject(withDefaults(decoded.object)) : decoded.faults;
  if (faults.length > 0) throw invalidError(kind, object.metadata.name, faults);
}

/** The error with the line of each faulty field before its message: `file:line:column: field: what is wrong`. */
export function atPlace(error: IkadaError, { locate, name }: PlacedObject): IkadaError {
  const faults = error.details.faults ?? [];
  if (faults.length === 0)
    return new IkadaError(error.reason, `${locate("metadata.name")}: ${name}: ${error.message}`, error.details, error);
  const lines = faults.map(({ field, message }) => `${locate(field)}: ${field === "" ? name : field}: ${message}`);
  // The hint of an invalid object says no more than the lines do.
  const { hint } = error.details;
  const details = hint === undefined || error.reason === "Invalid" ? {} : { hint };
  return new IkadaError(error.reason, `${name} is refused\n  ${lines.join("\n  ")}`, details, error);
}

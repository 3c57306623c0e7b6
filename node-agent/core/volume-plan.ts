import { decodeBase64 } from "../../src/api/base64.js";
import type { DownwardFile, KeyToPath, Pod, ProjectedSource, Volume } from "../../src/api/kinds/pod.js";
import { namedVolumesDriver } from "../../src/api/kinds/csi-drivers.js";
import { unitsOf } from "../../src/api/quantity.js";
import { allContainers } from "./container-role.js";
import { fieldOf, type EnvironmentSources } from "./environment.js";
import { resourceField } from "./resource-field.js";

/** A file of a volume. */
export interface VolumeFile {
  /** Below the volume, with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}

/** What a machine has to have for one volume of a Pod. */
export type VolumePlan =
  /** Exactly these files; a change of them is seen as a whole. */
  | {
      readonly kind: "files";
      readonly name: string;
      readonly files: readonly VolumeFile[];
      readonly group: number | undefined;
    }
  /** An empty folder, which lives as long as the Pod. */
  | {
      readonly kind: "folder";
      readonly name: string;
      readonly medium: "disk" | "memory";
      /** Of memory: more does not fit. */
      readonly sizeLimitBytes: number | undefined;
      readonly group: number | undefined;
    }
  /** Something of the machine's own. */
  | { readonly kind: "host"; readonly name: string; readonly path: string; readonly type: string }
  /** A volume that the engine keeps, which outlives Pods. */
  | { readonly kind: "named"; readonly name: string; readonly volume: NamedVolume; readonly group: number | undefined };

/** An engine's volume as Pods name it: those of another cluster or namespace are others. */
export interface NamedVolume {
  readonly namespace: string;
  readonly name: string;
}

/** Where the content of volumes comes from. */
export type VolumeSources = Pick<EnvironmentSources, "pod" | "nodeName" | "allocatable" | "configMap" | "secret">;

/** A source that can't be used; the message has Kubernetes' words and holds no value. */
class Refusal extends Error {}

/** A kind of volume: the plan for one of it. `source` is what stands in the volume under the kind's name. */
type VolumeKind = (volume: Volume, sources: VolumeSources) => VolumePlan;

/**
 * All kinds that this version knows. One more needs an entry here and, when it is neither files, an empty folder, a part of the
 * machine nor a volume of the engine, a kind of `VolumePlan` that `VolumeHost` carries out.
 */
const kinds: Readonly<Record<string, VolumeKind>> = {
  emptyDir: ({ name, emptyDir = {} }, { pod }) => ({
    kind: "folder",
    name,
    medium: emptyDir.medium === "Memory" ? "memory" : "disk",
    sizeLimitBytes: emptyDir.sizeLimit === undefined ? undefined : unitsOf(emptyDir.sizeLimit) || undefined,
    group: groupOf(pod),
  }),
  hostPath: ({ name, hostPath }) => ({
    kind: "host",
    name,
    path: hostPath?.path ?? "",
    type: hostPath?.type ?? "",
  }),
  configMap: ({ name, configMap = {} }, sources) => filesPlan(name, sources, [{ configMap }], configMap.defaultMode),
  secret: ({ name, secret = {} }, sources) =>
    filesPlan(name, sources, [{ secret: { ...secret, name: secret.secretName ?? "" } }], secret.defaultMode),
  downwardAPI: ({ name, downwardAPI = {} }, sources) =>
    filesPlan(name, sources, [{ downwardAPI }], downwardAPI.defaultMode),
  projected: ({ name, projected = {} }, sources) =>
    filesPlan(name, sources, projected.sources ?? [], projected.defaultMode),
  csi: (volume, { pod }) => {
    const driver = volume.csi?.driver ?? "";
    const plan = Object.hasOwn(drivers, driver) ? drivers[driver] : undefined;
    if (plan !== undefined) return plan(volume, pod);
    throw new Refusal(
      `driver name ${driver} not found in the list of registered CSI drivers (${Object.keys(drivers).join(", ")})`,
    );
  },
};

/**
 * What `csi.driver` may name. One more needs an entry here, its attributes in src/api/kinds/csi-drivers.ts and, when it is none of the kinds of
 * `VolumePlan`, one of those.
 */
const drivers: Readonly<Record<string, (volume: Volume, pod: Pod) => VolumePlan>> = {
  [namedVolumesDriver]: (volume, pod) => ({
    kind: "named",
    name: volume.name,
    volume: namedVolumeOf(pod, volume) ?? { namespace: "", name: "" },
    group: groupOf(pod),
  }),
};

/** Undefined for a volume of another kind. */
export function namedVolumeOf({ metadata }: Pod, { csi }: Volume): NamedVolume | undefined {
  if (csi?.driver !== namedVolumesDriver) return undefined;
  return { namespace: metadata.namespace ?? "default", name: csi.volumeAttributes?.["name"] ?? "" };
}

/** Under which name a volume's source stands. One without a source is an emptyDir, as in Kubernetes. */
export function sourceOf(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== "name" && volume[key] !== undefined) ?? "emptyDir";
}

/** What the machine has to have for this volume; a string says why it can't be known, in Kubernetes' words. */
export function planVolume(volume: Volume, sources: VolumeSources): VolumePlan | string {
  const source = sourceOf(volume);
  const kind = Object.hasOwn(kinds, source) ? kinds[source] : undefined;
  if (kind === undefined) return setUpFailed(volume.name, `this version of Ikada has no volumes of the kind ${source}`);
  try {
    return kind(volume, sources);
  } catch (error) {
    if (error instanceof Refusal) return setUpFailed(volume.name, error.message);
    throw error;
  }
}

export function setUpFailed(volume: string, why: string): string {
  return `MountVolume.SetUp failed for volume "${volume}" : ${why}`;
}

/** Later sources win over earlier ones, as in Kubernetes. */
function filesPlan(
  name: string,
  sources: VolumeSources,
  from: readonly ProjectedSource[],
  defaultMode = 0o644,
): VolumePlan {
  const files = new Map<string, VolumeFile>();
  for (const source of from) for (const file of filesOf(source, sources, defaultMode)) files.set(file.path, file);
  for (const path of files.keys())
    for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1))
      if (files.has(path.slice(0, at)))
        throw new Refusal(`"${path.slice(0, at)}" is both a file and a folder of "${path}"`);
  const sorted = [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { kind: "files", name, files: sorted, group: groupOf(sources.pod) };
}

function filesOf(source: ProjectedSource, sources: VolumeSources, mode: number): readonly VolumeFile[] {
  const { configMap, secret, downwardAPI, ...others } = source;
  const namespace = sources.pod.metadata.namespace ?? "default";
  if (configMap !== undefined) {
    const { name = "", items, optional = false } = configMap;
    const object = sources.configMap(namespace, name);
    const data = object && { ...mapped(object.data, utf8), ...mapped(object.binaryData, fromBase64) };
    return selected(data, { what: `configmap "${name}"`, reference: `${namespace}/${name}`, items, optional, mode });
  }
  if (secret !== undefined) {
    const { name = "", items, optional = false } = secret;
    const object = sources.secret(namespace, name);
    const data = object && mapped(object.data, fromBase64);
    return selected(data, { what: `secret "${name}"`, reference: `${namespace}/${name}`, items, optional, mode });
  }
  if (downwardAPI !== undefined)
    return (downwardAPI.items ?? []).map((item) => ({
      path: safePath(item.path),
      bytes: utf8(downwardText(item, sources)),
      mode: item.mode ?? mode,
    }));
  throw new Refusal(`this version of Ikada does not project ${Object.keys(others).join(", ") || "nothing"}`);
}

interface Selection {
  readonly what: string;
  readonly reference: string;
  readonly items: readonly KeyToPath[] | undefined;
  readonly optional: boolean;
  readonly mode: number;
}

function selected(data: Readonly<Record<string, Uint8Array>> | undefined, from: Selection): readonly VolumeFile[] {
  const { what, reference, items, optional, mode } = from;
  if (data === undefined) {
    if (optional) return [];
    throw new Refusal(`${what} not found`);
  }
  if (items === undefined || items.length === 0)
    return Object.entries(data).map(([key, bytes]) => ({ path: safePath(key), bytes, mode }));
  return items.flatMap((item) => {
    const bytes = Object.hasOwn(data, item.key) ? data[item.key] : undefined;
    if (bytes !== undefined) return [{ path: safePath(item.path), bytes, mode: item.mode ?? mode }];
    if (optional) return [];
    throw new Refusal(`references non-existent key "${item.key}" of ${what} (${reference})`);
  });
}

/** Validation has said it before; a path that leads out of its volume is not written whatever a server sends. */
function safePath(path: string): string {
  const parts = path.split("/");
  const wrong =
    path === "" || path.includes("\0") || parts.some((part) => part === "" || part === "." || part === "..");
  if (wrong || parts[0]?.startsWith("..")) throw new Refusal(`"${path}" is no path of a file below the volume`);
  return path;
}

function downwardText(item: DownwardFile, sources: VolumeSources): string {
  const { pod } = sources;
  const { fieldRef, resourceFieldRef } = item;
  if (resourceFieldRef !== undefined) {
    const container = allContainers(pod).find(({ name }) => name === resourceFieldRef.containerName);
    const amount = container && resourceField(resourceFieldRef, pod, container, sources.allocatable);
    if (amount !== undefined) return amount;
    throw new Refusal(
      `there is no ${resourceFieldRef.resource} of container "${resourceFieldRef.containerName ?? ""}"`,
    );
  }
  const path = fieldRef?.fieldPath ?? "";
  if (path === "metadata.labels") return quotedLines(pod.metadata.labels);
  if (path === "metadata.annotations") return quotedLines(pod.metadata.annotations);
  const value = path.startsWith("metadata.") ? fieldOf(path, { ...sources, podIP: "", hostIP: "" }) : undefined;
  if (typeof value === "string") return value;
  throw new Refusal(`unsupported fieldPath: ${path}`);
}

/** `key="value"` by key, as Kubernetes writes them (pkg/fieldpath FormatMap). */
function quotedLines(map: Readonly<Record<string, string>> = {}): string {
  const keys = Object.keys(map).sort();
  return keys.map((key) => `${key}=${JSON.stringify(map[key])}`).join("\n");
}

function mapped(
  data: Readonly<Record<string, string>> | undefined,
  decode: (text: string) => Uint8Array,
): Readonly<Record<string, Uint8Array>> {
  return Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [key, decode(value)]));
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function fromBase64(text: string): Uint8Array {
  return decodeBase64(text) ?? new Uint8Array();
}

function groupOf(pod: Pod): number | undefined {
  return pod.spec.securityContext?.fsGroup;
}

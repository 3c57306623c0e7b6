import type { FieldFault } from "../../base/errors.js";
import { parseQuantity } from "../quantity.js";
import { csiRules } from "./csi-drivers.js";
import type { Container, DownwardFile, KeyToPath, PodSpec, ProjectedSource, Volume, VolumeMount } from "./pod.js";

type Say = (field: string, message: string, reason?: FieldFault["reason"]) => void;

/** Rules across the volumes of a Pod's or a template's spec at `path`, and their mounts. */
export function volumeRules(spec: PodSpec, path: string, faults: FieldFault[]): void {
  const say: Say = (field, message, reason = "Invalid") => faults.push({ field, reason, message });
  for (const [at, volume] of (spec.volumes ?? []).entries()) sourceRules(volume, `${path}.volumes[${at}]`, say);
  const names = new Set((spec.volumes ?? []).map(({ name }) => name));
  const containers = { containers: spec.containers, initContainers: spec.initContainers ?? [] };
  for (const [field, list] of Object.entries(containers))
    for (const [at, container] of list.entries()) mountRules(container, names, `${path}.${field}[${at}]`, say);
}

function sourceRules(volume: Volume, path: string, say: Say): void {
  const given = Object.keys(volume).filter((key) => key !== "name" && volume[key] !== undefined);
  if (given.length > 1) say(path, `may have one source, not ${given.join(" and ")}`);
  const { hostPath, configMap, secret, downwardAPI, projected, csi, emptyDir } = volume;
  if (csi !== undefined) csiRules(csi, `${path}.csi`, say);
  if ((parseQuantity(emptyDir?.sizeLimit ?? "0")?.nanos ?? 0n) < 0n)
    say(`${path}.emptyDir.sizeLimit`, "must not be negative");
  if (hostPath !== undefined) {
    if (!hostPath.path.startsWith("/")) say(`${path}.hostPath.path`, "must be an absolute path");
    if (hostPath.path.split("/").includes("..")) say(`${path}.hostPath.path`, 'must not contain ".."');
  }
  if (configMap !== undefined) {
    if (!configMap.name) say(`${path}.configMap.name`, "is required", "Required");
    itemRules(configMap.items, `${path}.configMap.items`, say);
    modeRule(configMap.defaultMode, `${path}.configMap.defaultMode`, say);
  }
  if (secret !== undefined) {
    if (!secret.secretName) say(`${path}.secret.secretName`, "is required", "Required");
    itemRules(secret.items, `${path}.secret.items`, say);
    modeRule(secret.defaultMode, `${path}.secret.defaultMode`, say);
  }
  if (downwardAPI !== undefined) {
    downwardRules(downwardAPI.items, `${path}.downwardAPI.items`, say);
    modeRule(downwardAPI.defaultMode, `${path}.downwardAPI.defaultMode`, say);
  }
  for (const [at, source] of (projected?.sources ?? []).entries())
    projectionRules(source, `${path}.projected.sources[${at}]`, say);
  modeRule(projected?.defaultMode, `${path}.projected.defaultMode`, say);
}

function projectionRules(source: ProjectedSource, path: string, say: Say): void {
  const given = Object.keys(source).filter((key) => source[key] !== undefined);
  if (given.length !== 1) say(path, "must have exactly one source");
  for (const kind of ["configMap", "secret"] as const) {
    const part = source[kind];
    if (part === undefined) continue;
    if (!part.name) say(`${path}.${kind}.name`, "is required", "Required");
    itemRules(part.items, `${path}.${kind}.items`, say);
  }
  downwardRules(source.downwardAPI?.items, `${path}.downwardAPI.items`, say);
}

function itemRules(items: readonly KeyToPath[] = [], path: string, say: Say): void {
  for (const [at, item] of items.entries()) {
    filePathRule(item.path, `${path}[${at}].path`, say);
    modeRule(item.mode, `${path}[${at}].mode`, say);
  }
}

function downwardRules(items: readonly DownwardFile[] = [], path: string, say: Say): void {
  for (const [at, item] of items.entries()) {
    const field = `${path}[${at}]`;
    filePathRule(item.path, `${field}.path`, say);
    modeRule(item.mode, `${field}.mode`, say);
    const { fieldRef, resourceFieldRef } = item;
    if ((fieldRef === undefined) === (resourceFieldRef === undefined))
      say(field, "must have exactly one of fieldRef and resourceFieldRef");
    if (fieldRef !== undefined && !isShown(fieldRef.fieldPath))
      say(
        `${field}.fieldRef.fieldPath`,
        `"${fieldRef.fieldPath}" is not a field that a volume can show`,
        "NotSupported",
      );
    if (resourceFieldRef !== undefined && !resourceFieldRef.containerName)
      say(`${field}.resourceFieldRef.containerName`, "is required", "Required");
  }
}

function isShown(path: string): boolean {
  return /^metadata\.(name|namespace|uid|labels|annotations|(labels|annotations)\['[^']+'\])$/.test(path);
}

/** A file below the volume, and not one of those by which it is changed at once. */
function filePathRule(path: string, field: string, say: Say): void {
  const parts = path.split("/");
  if (path.startsWith("/")) say(field, "must be a relative path");
  else if (parts.some((part) => part === "" || part === "." || part === "..") || path.includes("\0"))
    say(field, 'must not have empty parts, "." or ".."');
  else if (path.startsWith("..")) say(field, 'must not start with ".."');
}

function modeRule(mode: number | undefined, field: string, say: Say): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) say(field, "must be from 0 to 0777 (octal)");
}

function mountRules({ volumeMounts = [] }: Container, names: ReadonlySet<string>, path: string, say: Say): void {
  for (const [at, mount] of volumeMounts.entries()) {
    const field = `${path}.volumeMounts[${at}]`;
    if (!names.has(mount.name)) say(`${field}.name`, `there is no volume "${mount.name}"`, "Invalid");
    targetRules(mount, field, say);
    if (mount.subPath && mount.subPathExpr) say(`${field}.subPathExpr`, "may not be given beside subPath");
    for (const name of ["subPath", "subPathExpr"] as const) {
      const part = mount[name] ?? "";
      if (part.startsWith("/")) say(`${field}.${name}`, "must be a relative path");
      if (part.split("/").includes("..") || part.includes("\0")) say(`${field}.${name}`, 'must not contain ".."');
    }
  }
}

function targetRules({ mountPath }: VolumeMount, field: string, say: Say): void {
  const parts = mountPath.split("/");
  if (!mountPath.startsWith("/")) say(`${field}.mountPath`, "must be an absolute path");
  else if (parts.every((part) => part === "")) say(`${field}.mountPath`, "must not be the root");
  else if (parts.includes("..") || mountPath.includes("\0")) say(`${field}.mountPath`, 'must not contain ".."');
  if (mountPath.includes(":")) say(`${field}.mountPath`, 'must not contain ":"');
}

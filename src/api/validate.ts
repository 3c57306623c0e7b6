import type { FieldFault } from "../base/errors.js";
import { checkImmutable, checkValue } from "./check-value.js";
import { Faults } from "./faults.js";
import { formats } from "./format.js";
import type { KindDefinition } from "./kind.js";
import type { AnyObject } from "./object.js";
import { kindOf } from "./registry.js";

/**
 * Every fault of an object that is decoded and defaulted: its table's rules first and, when nothing required is missing, the
 * rules across fields. Empty when it may be stored.
 */
export function validateObject(object: AnyObject): readonly FieldFault[] {
  const kind = kindOf(object);
  const faults = new Faults();
  checkValue(object, kind.schema, "", faults);
  checkMetadata(object, kind, faults);
  if (isWhole(faults)) addRules(faults, (found) => kind.rules?.(object, found));
  return faults.list;
}

/** Every fault of replacing `before` by `after`: what may not change, and all that validateObject finds in `after`. */
export function validateChange(before: AnyObject, after: AnyObject): readonly FieldFault[] {
  const kind = kindOf(after);
  const faults = new Faults();
  for (const fault of validateObject(after)) faults.add(fault.field, fault.reason, fault.message);
  checkImmutable(before, after, kind.schema, "", faults);
  checkFinalizers(before, after, faults);
  if (isWhole(faults)) addRules(faults, (found) => kind.updateRules?.(before, after, found));
  return faults.list;
}

function isWhole(faults: Faults): boolean {
  return !faults.list.some((fault) => fault.reason === "Required");
}

function addRules(faults: Faults, run: (found: FieldFault[]) => void): void {
  const found: FieldFault[] = [];
  run(found);
  for (const fault of found) faults.add(fault.field, fault.reason, fault.message);
}

function checkMetadata({ metadata }: AnyObject, kind: KindDefinition, faults: Faults): void {
  const { name, generateName = "", namespace = "" } = metadata;
  if (name === undefined || name === "") {
    if (generateName === "") faults.add("metadata.name", "Required", "name or generateName is required");
    else checkName("metadata.generateName", `${generateName.replace(/-$/, "")}-x`, kind, faults);
  } else checkName("metadata.name", name, kind, faults);
  if (kind.namespaced) {
    const wrong = formats.dnsLabel(namespace);
    if (namespace === "") faults.add("metadata.namespace", "Required", `a ${kind.kind} lives in a Namespace`);
    else if (wrong !== undefined) faults.add("metadata.namespace", "Invalid", wrong);
  } else if (namespace !== "") faults.add("metadata.namespace", "Invalid", `a ${kind.kind} lives in no Namespace`);
  checkAnnotationsSize(metadata.annotations ?? {}, faults);
  const controllers = (metadata.ownerReferences ?? []).filter((owner) => owner.controller === true);
  if (controllers.length > 1)
    faults.add("metadata.ownerReferences", "Invalid", "only one owner may be the controller of an object");
  for (const [at, finalizer] of (metadata.finalizers ?? []).entries())
    if (!finalizer.includes("/") && !ownFinalizers.has(finalizer))
      faults.add(`metadata.finalizers[${at}]`, "Invalid", "must have a domain as prefix, such as example.com/cleanup");
}

const ownFinalizers = new Set(["orphan", "foregroundDeletion", "kubernetes"]);

function checkName(field: string, name: string, kind: KindDefinition, faults: Faults): void {
  const wrong = formats[kind.nameFormat](name);
  if (wrong !== undefined) faults.add(field, "Invalid", wrong);
}

/** Together 256 KiB, as in Kubernetes. */
function checkAnnotationsSize(annotations: Readonly<Record<string, string>>, faults: Faults): void {
  let size = 0;
  for (const [key, value] of Object.entries(annotations))
    size += encoder.encode(key).length + encoder.encode(value).length;
  if (size > annotationsBytesMax)
    faults.add(
      "metadata.annotations",
      "TooLong",
      `${size} bytes are more than the ${annotationsBytesMax} allowed together`,
    );
}

const annotationsBytesMax = 256 * 1024;
const encoder = new TextEncoder();

/** What is already being deleted takes no new reasons to stay. */
function checkFinalizers(before: AnyObject, after: AnyObject, faults: Faults): void {
  if (before.metadata.deletionTimestamp === undefined) return;
  const known = new Set(before.metadata.finalizers);
  for (const [at, finalizer] of (after.metadata.finalizers ?? []).entries())
    if (!known.has(finalizer))
      faults.add(
        `metadata.finalizers[${at}]`,
        "Invalid",
        "no finalizer may be added to an object that is being deleted",
      );
}

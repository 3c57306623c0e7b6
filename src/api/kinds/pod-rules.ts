import type { FieldFault } from "../../base/errors.js";
import { imagePinRules } from "../image-pins.js";
import { sameJson, without } from "../json.js";
import type { AnyObject } from "../object.js";
import { affinityRules } from "./affinity-rules.js";
import { containerRules } from "./container-rules.js";
import { fencingLeaseRules, fencingLeaseUpdateRules, isLeaseRevoked, leaseRevokedType } from "./fencing-lease.js";
import { podSecurityRules } from "./security-rules.js";
import { volumeRules } from "./volume-rules.js";
import { formats } from "../format.js";
import type { Container, Pod, PodSpec, Toleration } from "./pod.js";

/** Rules across a Pod's fields. */
export function podRules(pod: AnyObject, faults: FieldFault[]): void {
  podSpecRules((pod as unknown as Pod).spec, "spec", faults);
  imagePinRules(pod.metadata.annotations, "metadata", faults);
  fencingLeaseRules(pod.metadata.annotations, "metadata.annotations", faults);
}

/** A Pod's spec stays as it was created, but for images and added tolerations; the node is the scheduler's to set. */
export function podUpdateRules(before: AnyObject, after: AnyObject, faults: FieldFault[]): void {
  const was = (before as unknown as Pod).spec;
  const is = (after as unknown as Pod).spec;
  for (const name of new Set([...Object.keys(was), ...Object.keys(is)])) {
    const field = `spec.${name}`;
    if (name === "tolerations") tolerationsOnlyAdded(was.tolerations ?? [], is.tolerations ?? [], faults);
    else if (name === "containers" || name === "initContainers")
      onlyImagesChanged(was[name] ?? [], is[name] ?? [], field, faults);
    else if (name === "schedulingGates") gatesOnlyRemoved(was.schedulingGates ?? [], is.schedulingGates ?? [], faults);
    else if (name !== "activeDeadlineSeconds" && !sameJson(was[name], is[name])) faults.push(fixed(field));
  }
  fencingLeaseUpdateRules(before, after, faults);
  if (isLeaseRevoked(before as unknown as Pod) && !isLeaseRevoked(after as unknown as Pod))
    faults.push({
      field: "status.conditions",
      reason: "Immutable",
      message: `the condition ${leaseRevokedType} may not be taken back: the Pod is about to be replaced`,
    });
}

/** Whoever waits for something before the Pod may be placed takes its own gate away. */
function gatesOnlyRemoved(was: Gates, is: Gates, faults: FieldFault[]): void {
  if (is.every(({ name }) => was.some((gate) => gate.name === name))) return;
  faults.push({ field: "spec.schedulingGates", reason: "Immutable", message: "may only be taken from" });
}

type Gates = NonNullable<PodSpec["schedulingGates"]>;

/** Rules across the fields of a Pod's or a template's spec at `path`. */
export function podSpecRules(spec: PodSpec, path: string, faults: FieldFault[]): void {
  const names = new Set(spec.containers.map((container) => container.name));
  for (const [at, container] of spec.containers.entries()) {
    const field = `${path}.containers[${at}]`;
    containerRules(container, spec, field, faults);
    if (container.restartPolicy !== undefined)
      faults.push({
        field: `${field}.restartPolicy`,
        reason: "NotSupported",
        message: "only init containers have one of their own; the Pod's restartPolicy holds here",
      });
  }
  for (const [at, container] of (spec.initContainers ?? []).entries()) {
    const field = `${path}.initContainers[${at}]`;
    if (names.has(container.name))
      faults.push({ field: `${field}.name`, reason: "Duplicate", message: `"${container.name}" is a container too` });
    containerRules(container, spec, field, faults);
    initContainerRules(container, field, faults);
  }
  podSecurityRules(spec, path, faults);
  volumeRules(spec, path, faults);
  dnsRules(spec, path, faults);
  affinityRules(spec, path, faults);
  for (const [at, toleration] of (spec.tolerations ?? []).entries())
    tolerationRules(toleration, `${path}.tolerations[${at}]`, faults);
}

/** What is asked of a container that runs on makes no sense of one that ends. */
function initContainerRules(container: Container, path: string, faults: FieldFault[]): void {
  if (container.restartPolicy === "Always") return;
  for (const name of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const)
    if (container[name] !== undefined)
      faults.push({
        field: `${path}.${name}`,
        reason: "Invalid",
        message: "may only be given to an init container with restartPolicy Always",
      });
}

function dnsRules(spec: PodSpec, path: string, faults: FieldFault[]): void {
  const { nameservers = [], searches = [] } = spec.dnsConfig ?? {};
  if (spec.dnsPolicy === "None" && nameservers.length === 0)
    faults.push({
      field: `${path}.dnsConfig.nameservers`,
      reason: "Required",
      message: "must have one for dnsPolicy None",
    });
  const tooMany = (field: string, max: number): number =>
    faults.push({ field: `${path}.dnsConfig.${field}`, reason: "Invalid", message: `must not have more than ${max}` });
  if (nameservers.length > nameserversMax) tooMany("nameservers", nameserversMax);
  if (searches.length > searchesMax) tooMany("searches", searchesMax);
  for (const [at, address] of nameservers.entries())
    addressRule(address, `${path}.dnsConfig.nameservers[${at}]`, faults);
  for (const [at, { ip }] of (spec.hostAliases ?? []).entries())
    addressRule(ip, `${path}.hostAliases[${at}].ip`, faults);
}

function addressRule(address: string, field: string, faults: FieldFault[]): void {
  const fault = formats.ipAddress(address);
  if (fault !== undefined) faults.push({ field, reason: "Invalid", message: fault });
}

/** What the C library's resolver takes, and Kubernetes with it. */
const nameserversMax = 3;
const searchesMax = 32;

function tolerationRules(toleration: Toleration, path: string, faults: FieldFault[]): void {
  const { key = "", operator = "Equal", value = "", effect, tolerationSeconds } = toleration;
  if (key === "" && operator !== "Exists")
    faults.push({ field: `${path}.operator`, reason: "Invalid", message: "must be Exists when there is no key" });
  if (operator === "Exists" && value !== "")
    faults.push({ field: `${path}.value`, reason: "Invalid", message: "must be empty when the operator is Exists" });
  if (tolerationSeconds !== undefined && effect !== "NoExecute")
    faults.push({
      field: `${path}.effect`,
      reason: "Invalid",
      message: "must be NoExecute when tolerationSeconds is given",
    });
}

function tolerationsOnlyAdded(was: readonly Toleration[], is: readonly Toleration[], faults: FieldFault[]): void {
  const kept = was.every((old) =>
    is.some((now) => sameJson(without(old, "tolerationSeconds"), without(now, "tolerationSeconds"))),
  );
  if (!kept) faults.push({ field: "spec.tolerations", reason: "Immutable", message: "may only be added to" });
}

function onlyImagesChanged(
  was: readonly Container[],
  is: readonly Container[],
  path: string,
  faults: FieldFault[],
): void {
  if (was.length !== is.length) {
    faults.push({
      field: path,
      reason: "Immutable",
      message: "containers may not be added or removed in a Pod that exists",
    });
    return;
  }
  for (const [at, now] of is.entries()) {
    const old = was[at] ?? now;
    for (const name of new Set([...Object.keys(old), ...Object.keys(now)]))
      if (name !== "image" && !sameJson(old[name], now[name])) faults.push(fixed(`${path}[${at}].${name}`));
  }
}

function fixed(field: string): FieldFault {
  return {
    field,
    reason: "Immutable",
    message: "may not be changed in a Pod that exists; only images and added tolerations may",
  };
}

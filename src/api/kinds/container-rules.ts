import type { FieldFault } from "../../base/errors.js";
import { compareQuantities } from "../quantity.js";
import type { IntOrString } from "../object.js";
import type { Container, EnvFromSource, EnvVar, Probe } from "./pod.js";

/** Rules across the fields of one container at `path`. */
export function containerRules(container: Container, path: string, faults: FieldFault[]): void {
  if (container.image !== container.image.trim())
    faults.push({ field: `${path}.image`, reason: "Invalid", message: "must not have spaces around it" });
  for (const [at, variable] of (container.env ?? []).entries()) envRules(variable, `${path}.env[${at}]`, faults);
  for (const [at, source] of (container.envFrom ?? []).entries())
    envFromRules(source, `${path}.envFrom[${at}]`, faults);
  portRules(container, `${path}.ports`, faults);
  resourceRules(container, `${path}.resources`, faults);
  for (const name of ["readinessProbe", "livenessProbe", "startupProbe"] as const) {
    const probe = container[name];
    if (probe === undefined) continue;
    probeRules(probe, container, `${path}.${name}`, faults);
    if (name !== "readinessProbe" && (probe.successThreshold ?? 1) !== 1)
      faults.push({
        field: `${path}.${name}.successThreshold`,
        reason: "Invalid",
        message: "must be 1 for this probe",
      });
  }
}

/** Fields of the Pod that an environment variable may show; labels and annotations one by one. */
const fieldPaths: readonly string[] = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "status.hostIP",
  "status.podIP",
  "status.hostIPs",
  "status.podIPs",
];

function envRules(variable: EnvVar, path: string, faults: FieldFault[]): void {
  const { value, valueFrom } = variable;
  if (valueFrom === undefined) return;
  const field = `${path}.valueFrom`;
  if (value !== undefined && value !== "")
    faults.push({ field, reason: "Invalid", message: "may not be given beside value" });
  const { configMapKeyRef, secretKeyRef, fieldRef } = valueFrom;
  exactlyOne([configMapKeyRef, secretKeyRef, fieldRef], field, "of configMapKeyRef, secretKeyRef and fieldRef", faults);
  const shown = fieldRef?.fieldPath;
  if (shown !== undefined && !fieldPaths.includes(shown) && !/^metadata\.(labels|annotations)\['[^']+'\]$/.test(shown))
    faults.push({
      field: `${field}.fieldRef.fieldPath`,
      reason: "NotSupported",
      message: `must be one of ${fieldPaths.join(", ")}, metadata.labels['key'], metadata.annotations['key']`,
    });
}

function envFromRules(source: EnvFromSource, path: string, faults: FieldFault[]): void {
  exactlyOne([source.configMapRef, source.secretRef], path, "of configMapRef and secretRef", faults);
  if (source.prefix !== undefined && !/^[ -<>-~]*$/.test(source.prefix))
    faults.push({ field: `${path}.prefix`, reason: "Invalid", message: "must be printable ASCII without '='" });
}

function portRules(container: Container, path: string, faults: FieldFault[]): void {
  const names = new Set<string>();
  for (const [at, { name = "" }] of (container.ports ?? []).entries()) {
    if (name === "") continue;
    if (names.has(name))
      faults.push({ field: `${path}[${at}].name`, reason: "Duplicate", message: `"${name}" is there twice` });
    names.add(name);
  }
}

function resourceRules(container: Container, path: string, faults: FieldFault[]): void {
  const { requests = {}, limits = {} } = container.resources ?? {};
  for (const [part, amounts] of Object.entries({ requests, limits }))
    for (const [name, amount] of Object.entries(amounts)) {
      const field = `${path}.${part}[${name}]`;
      if (compareQuantities(amount, "0") < 0)
        faults.push({ field, reason: "Invalid", message: "must not be negative" });
      if (
        !name.includes("/") &&
        !["cpu", "memory", "ephemeral-storage"].includes(name) &&
        !name.startsWith("hugepages-")
      )
        faults.push({ field, reason: "NotSupported", message: "a resource is cpu, memory or has a domain before it" });
    }
  for (const [name, amount] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit !== undefined && compareQuantities(amount, limit) > 0)
      faults.push({
        field: `${path}.requests[${name}]`,
        reason: "Invalid",
        message: `must not be more than the limit: ${amount} is more than ${limit}`,
      });
  }
}

function probeRules(probe: Probe, container: Container, path: string, faults: FieldFault[]): void {
  exactlyOne([probe.exec, probe.httpGet, probe.tcpSocket], path, "of exec, httpGet and tcpSocket", faults);
  if (probe.exec !== undefined && (probe.exec.command ?? []).length === 0)
    faults.push({ field: `${path}.exec.command`, reason: "Required", message: "is required" });
  if (probe.httpGet !== undefined) probePortRules(probe.httpGet.port, container, `${path}.httpGet.port`, faults);
  if (probe.tcpSocket !== undefined) probePortRules(probe.tcpSocket.port, container, `${path}.tcpSocket.port`, faults);
}

/** A number, or the name of one of the container's own ports. */
function probePortRules(port: IntOrString, container: Container, field: string, faults: FieldFault[]): void {
  if (typeof port === "number") {
    if (port < 1 || port > 65_535) faults.push({ field, reason: "Invalid", message: "must be from 1 to 65535" });
  } else if (!(container.ports ?? []).some((known) => known.name === port))
    faults.push({ field, reason: "Invalid", message: `"${port}" is not the name of one of the container's ports` });
}

function exactlyOne(given: readonly unknown[], field: string, of: string, faults: FieldFault[]): void {
  const count = given.filter((part) => part !== undefined).length;
  if (count === 0) faults.push({ field, reason: "Required", message: `must have one ${of}` });
  if (count > 1) faults.push({ field, reason: "Invalid", message: `must have only one ${of}` });
}

import type { FieldFault } from "../../base/errors.js";
import { compareQuantities } from "../quantity.js";
import type { IntOrString } from "../object.js";
import type {
  Container,
  EnvFromSource,
  EnvVar,
  LifecycleHandler,
  PodSpec,
  Probe,
  ResourceFieldSelector,
} from "./pod.js";
import { containerSecurityRules } from "./security-rules.js";
import { stopSignals } from "./safe-lists.js";

/** Rules across the fields of one container at `path`. */
export function containerRules(container: Container, spec: PodSpec, path: string, faults: FieldFault[]): void {
  if (container.image !== container.image.trim())
    faults.push({ field: `${path}.image`, reason: "Invalid", message: "must not have spaces around it" });
  for (const [at, variable] of (container.env ?? []).entries()) envRules(variable, spec, `${path}.env[${at}]`, faults);
  for (const [at, source] of (container.envFrom ?? []).entries())
    envFromRules(source, `${path}.envFrom[${at}]`, faults);
  portRules(container, spec, `${path}.ports`, faults);
  hookRules(container, path, faults);
  containerSecurityRules(container.securityContext, `${path}.securityContext`, faults);
  const { terminationMessagePath = "/" } = container;
  if (!terminationMessagePath.startsWith("/"))
    faults.push({
      field: `${path}.terminationMessagePath`,
      reason: "Invalid",
      message: `must be an absolute path, not "${terminationMessagePath}"`,
    });
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
    if (name === "readinessProbe" && probe.terminationGracePeriodSeconds !== undefined)
      faults.push({
        field: `${path}.${name}.terminationGracePeriodSeconds`,
        reason: "Invalid",
        message: "must not be set: readiness ends no container",
      });
  }
}

/** Fields of the Pod that an environment variable may show; labels and annotations one by one. */
const fieldPaths: readonly string[] = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.podIP",
  "status.hostIPs",
  "status.podIPs",
];

function envRules(variable: EnvVar, spec: PodSpec, path: string, faults: FieldFault[]): void {
  const { value, valueFrom } = variable;
  if (valueFrom === undefined) return;
  const field = `${path}.valueFrom`;
  if (value !== undefined && value !== "")
    faults.push({ field, reason: "Invalid", message: "may not be given beside value" });
  const { configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef } = valueFrom;
  exactlyOne(
    [configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef],
    field,
    "of configMapKeyRef, secretKeyRef, fieldRef and resourceFieldRef",
    faults,
  );
  if (resourceFieldRef !== undefined) resourceFieldRules(resourceFieldRef, spec, `${field}.resourceFieldRef`, faults);
  const shown = fieldRef?.fieldPath;
  if (shown !== undefined && !fieldPaths.includes(shown) && !/^metadata\.(labels|annotations)\['[^']+'\]$/.test(shown))
    faults.push({
      field: `${field}.fieldRef.fieldPath`,
      reason: "NotSupported",
      message: `must be one of ${fieldPaths.join(", ")}, metadata.labels['key'], metadata.annotations['key']`,
    });
}

function resourceFieldRules(
  { resource, containerName, divisor = "0" }: ResourceFieldSelector,
  spec: PodSpec,
  path: string,
  faults: FieldFault[],
): void {
  if (!isShownResource(resource))
    faults.push({
      field: `${path}.resource`,
      reason: "NotSupported",
      message: "must be limits or requests, a dot, and cpu, memory, ephemeral-storage or a kind of huge pages",
    });
  if (compareQuantities(divisor, "0") < 0)
    faults.push({ field: `${path}.divisor`, reason: "Invalid", message: "must not be negative" });
  const names = [...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name);
  if (containerName !== undefined && !names.includes(containerName))
    faults.push({
      field: `${path}.containerName`,
      reason: "Invalid",
      message: `"${containerName}" is no container of this Pod`,
    });
}

function isShownResource(resource: string): boolean {
  return /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/.test(resource);
}

function envFromRules(source: EnvFromSource, path: string, faults: FieldFault[]): void {
  exactlyOne([source.configMapRef, source.secretRef], path, "of configMapRef and secretRef", faults);
  if (source.prefix !== undefined && !/^[ -<>-~]*$/.test(source.prefix))
    faults.push({ field: `${path}.prefix`, reason: "Invalid", message: "must be printable ASCII without '='" });
}

function portRules(container: Container, spec: PodSpec, path: string, faults: FieldFault[]): void {
  const names = new Set<string>();
  for (const [at, { name = "", containerPort, hostPort = 0 }] of (container.ports ?? []).entries()) {
    if (spec.hostNetwork === true && hostPort !== 0 && hostPort !== containerPort)
      faults.push({
        field: `${path}[${at}].hostPort`,
        reason: "Invalid",
        message: `must be the containerPort ${containerPort} in the node's own network`,
      });
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
  const { exec, httpGet, tcpSocket, grpc } = probe;
  exactlyOne([exec, httpGet, tcpSocket, grpc], path, "of exec, httpGet, tcpSocket and grpc", faults);
  if (probe.exec !== undefined && (probe.exec.command ?? []).length === 0)
    faults.push({ field: `${path}.exec.command`, reason: "Required", message: "is required" });
  if (probe.httpGet !== undefined) probePortRules(probe.httpGet.port, container, `${path}.httpGet.port`, faults);
  if (probe.tcpSocket !== undefined) probePortRules(probe.tcpSocket.port, container, `${path}.tcpSocket.port`, faults);
}

function hookRules(container: Container, path: string, faults: FieldFault[]): void {
  const { postStart, preStop, stopSignal } = container.lifecycle ?? {};
  if (stopSignal !== undefined && !stopSignals.includes(stopSignal))
    faults.push({
      field: `${path}.lifecycle.stopSignal`,
      reason: "NotSupported",
      message: `must be a signal such as SIGTERM, SIGINT or SIGUSR1, not "${stopSignal}"`,
    });
  for (const [name, handler] of Object.entries({ postStart, preStop }))
    if (handler !== undefined) handlerRules(handler, container, `${path}.lifecycle.${name}`, faults);
}

function handlerRules(handler: LifecycleHandler, container: Container, path: string, faults: FieldFault[]): void {
  const { exec, httpGet, sleep } = handler;
  exactlyOne([exec, httpGet, sleep], path, "of exec, httpGet and sleep", faults);
  if (exec !== undefined && (exec.command ?? []).length === 0)
    faults.push({ field: `${path}.exec.command`, reason: "Required", message: "is required" });
  if (httpGet !== undefined) probePortRules(httpGet.port, container, `${path}.httpGet.port`, faults);
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

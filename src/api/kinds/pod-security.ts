import type { FieldFault } from "../../base/errors.js";
import { listAt, textAt, valueAt } from "../path.js";
import type { Container, LifecycleHandler, PodSpec, Probe, SecurityContext } from "./pod.js";
import { restrictedFaults } from "./pod-security-restricted.js";
import { baselineCapabilities, safeSysctls } from "./safe-lists.js";
import { capabilityName, containersAt, type Forbid, type SecuredPod } from "./secured-pod.js";

/** Kubernetes' Pod Security Standards (kubernetes.io/docs/concepts/security/pod-security-standards), from the widest to the narrowest. */
export const podSecurityLevels = ["privileged", "baseline", "restricted"] as const;
export type PodSecurityLevel = (typeof podSecurityLevels)[number];

/** What a Namespace's labels ask of its Pods: `enforce` refuses them, `warn` tells, `audit` is only kept. */
export const podSecurityLabels = {
  enforce: "pod-security.kubernetes.io/enforce",
  warn: "pod-security.kubernetes.io/warn",
  audit: "pod-security.kubernetes.io/audit",
} as const;

/** The level a label names; `otherwise` when it is absent or names none. */
export function podSecurityLevel(
  labels: Readonly<Record<string, string>> | undefined,
  label: keyof typeof podSecurityLabels,
  otherwise: PodSecurityLevel,
): PodSecurityLevel {
  return podSecurityLevels.find((level) => level === labels?.[podSecurityLabels[label]]) ?? otherwise;
}

/** Each field that `level` does not allow, with what it may be. */
export function podSecurityFaults(level: PodSecurityLevel, pod: SecuredPod): readonly FieldFault[] {
  if (level === "privileged") return [];
  const faults: FieldFault[] = [];
  const forbid: Forbid = (field, message) =>
    faults.push({ field, reason: "Invalid", message: `${message} (pod security level ${level})` });
  baselineFaults(pod, forbid);
  if (level === "restricted") restrictedFaults(pod, forbid);
  return faults;
}

function baselineFaults(pod: SecuredPod, forbid: Forbid): void {
  const { spec, path, annotations = {} } = pod;
  for (const name of ["hostNetwork", "hostPID", "hostIPC"] as const)
    if (spec[name] === true) forbid(`${path}.${name}`, "must not be true");
  for (const [at, volume] of (spec.volumes ?? []).entries())
    if (volume["hostPath"] !== undefined) forbid(`${path}.volumes[${at}].hostPath`, "is not allowed");
  for (const [at, { name }] of (spec.securityContext?.sysctls ?? []).entries())
    if (!safeSysctls.has(name))
      forbid(`${path}.securityContext.sysctls[${at}].name`, `"${name}" is not one of the safe sysctls`);
  sharedContextFaults(spec.securityContext, `${path}.securityContext`, forbid);
  for (const [key, value] of Object.entries(annotations))
    if (key.startsWith(appArmorAnnotation) && value !== "runtime/default" && !value.startsWith("localhost/"))
      forbid(`metadata.annotations[${key}]`, `must be runtime/default or localhost/…, not "${value}"`);
  for (const [container, at] of containersAt(pod)) containerFaults(container, at, forbid);
}

const appArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/";

function containerFaults(container: Container, path: string, forbid: Forbid): void {
  const context: SecurityContext = container.securityContext ?? {};
  const at = `${path}.securityContext`;
  if (context.privileged === true) forbid(`${at}.privileged`, "must not be true");
  for (const [index, name] of (context.capabilities?.add ?? []).entries())
    if (!baselineCapabilities.has(capabilityName(name)))
      forbid(`${at}.capabilities.add[${index}]`, `"${name}" is not one of the capabilities that may be added`);
  if ((context.procMount ?? "Default") !== "Default") forbid(`${at}.procMount`, "must be Default");
  for (const [index, { hostPort = 0 }] of (container.ports ?? []).entries())
    if (hostPort !== 0) forbid(`${path}.ports[${index}].hostPort`, "is not allowed");
  sharedContextFaults(context, at, forbid);
  hostFaults(container, path, forbid);
}

/** What stands in a Pod's and a container's context alike. */
function sharedContextFaults(context: object | undefined, path: string, forbid: Forbid): void {
  if (context === undefined) return;
  if (valueAt(context, "windowsOptions", "hostProcess") === true)
    forbid(`${path}.windowsOptions.hostProcess`, "must not be true");
  if (textAt(context, ["appArmorProfile", "type"]) === "Unconfined")
    forbid(`${path}.appArmorProfile.type`, "must not be Unconfined");
  if (textAt(context, ["seccompProfile", "type"]) === "Unconfined")
    forbid(`${path}.seccompProfile.type`, "must not be Unconfined");
  if (!seLinuxTypes.has(textAt(context, ["seLinuxOptions", "type"])))
    forbid(`${path}.seLinuxOptions.type`, `must be one of ${[...seLinuxTypes].filter(Boolean).join(", ")}`);
  for (const name of ["user", "role"])
    if (textAt(context, ["seLinuxOptions", name]) !== "") forbid(`${path}.seLinuxOptions.${name}`, "is not allowed");
}

const seLinuxTypes: ReadonlySet<string> = new Set([
  "",
  "container_t",
  "container_init_t",
  "container_kvm_t",
  "container_engine_t",
]);

/** A probe or hook that names its own host would let the node ask things of others for the Pod. */
function hostFaults(container: Container, path: string, forbid: Forbid): void {
  const { livenessProbe, readinessProbe, startupProbe, lifecycle = {} } = container;
  const asked: Readonly<Record<string, Probe | LifecycleHandler | undefined>> = {
    livenessProbe,
    readinessProbe,
    startupProbe,
    "lifecycle.postStart": lifecycle.postStart,
    "lifecycle.preStop": lifecycle.preStop,
  };
  for (const [name, handler] of Object.entries(asked))
    for (const means of ["httpGet", "tcpSocket"])
      if (textAt(handler, [means, "host"]) !== "") forbid(`${path}.${name}.${means}.host`, "is not allowed");
}

/** For kinds that hold a template that one, at `spec.template` or in a Job's template; undefined for those without Pods. */
export function securedPodOf(object: object): SecuredPod | undefined {
  const containers = listAt(object, "spec", "containers");
  const inJob = valueAt(object, "spec", "jobTemplate", "spec", "template");
  const template = inJob ?? valueAt(object, "spec", "template");
  if (containers.length > 0)
    return {
      annotations: valueAt(object, "metadata", "annotations") as SecuredPod["annotations"],
      spec: valueAt(object, "spec") as PodSpec,
      path: "spec",
    };
  if (listAt(template, "spec", "containers").length === 0) return undefined;
  return {
    annotations: valueAt(template, "metadata", "annotations") as SecuredPod["annotations"],
    spec: valueAt(template, "spec") as PodSpec,
    path: inJob === undefined ? "spec.template.spec" : "spec.jobTemplate.spec.template.spec",
  };
}

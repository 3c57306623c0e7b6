import type { FieldFault } from "../../base/errors.js";
import { capabilities } from "./safe-lists.js";
import { capabilityName } from "./secured-pod.js";
import type { PodSecurityContext, PodSpec, SeccompProfile, SecurityContext } from "./pod.js";

/** Rules of a container's security context at `path`. */
export function containerSecurityRules(context: SecurityContext | undefined, path: string, faults: FieldFault[]): void {
  if (context === undefined) return;
  const { privileged, allowPrivilegeEscalation, procMount = "Default", capabilities: caps = {} } = context;
  if (procMount !== "Default")
    faults.push({
      field: `${path}.procMount`,
      reason: "NotSupported",
      message: "/proc is always masked: leave it out",
    });
  if (privileged === true && allowPrivilegeEscalation === false)
    faults.push({
      field: `${path}.allowPrivilegeEscalation`,
      reason: "Invalid",
      message: "must not be false for a privileged container",
    });
  for (const [list, names] of Object.entries({ add: caps.add ?? [], drop: caps.drop ?? [] }))
    for (const [at, name] of names.entries())
      if (capabilityName(name) !== "ALL" && !capabilities.includes(capabilityName(name)))
        faults.push({
          field: `${path}.capabilities.${list}[${at}]`,
          reason: "NotSupported",
          message: `"${name}" is no capability of Linux`,
        });
  seccompRules(context.seccompProfile, `${path}.seccompProfile`, faults);
}

/** Rules of a Pod's security context and of what it shares with its node. */
export function podSecurityRules(spec: PodSpec, path: string, faults: FieldFault[]): void {
  const context: PodSecurityContext = spec.securityContext ?? {};
  const field = `${path}.securityContext`;
  seccompRules(context.seccompProfile, `${field}.seccompProfile`, faults);
  for (const [at, { name }] of (context.sysctls ?? []).entries()) {
    const [group] = name.split(".", 1);
    const shared = (group === "net" && spec.hostNetwork === true) || (group === "kernel" && spec.hostIPC === true);
    if (!/^(net\..+|kernel\.(shm|msg|sem).*|fs\.mqueue\..+)$/.test(name))
      faults.push({
        field: `${field}.sysctls[${at}].name`,
        reason: "NotSupported",
        message: `"${name}" is not of a Pod's own network or inter-process communication`,
      });
    else if (shared)
      faults.push({
        field: `${field}.sysctls[${at}].name`,
        reason: "Invalid",
        message: `"${name}" would be set on the node, which this Pod shares`,
      });
  }
  if (spec.shareProcessNamespace === true && spec.hostPID === true)
    faults.push({
      field: `${path}.shareProcessNamespace`,
      reason: "Invalid",
      message: "must not be true beside hostPID",
    });
}

function seccompRules(profile: SeccompProfile | undefined, path: string, faults: FieldFault[]): void {
  if (profile === undefined) return;
  const { type, localhostProfile = "" } = profile;
  const field = `${path}.localhostProfile`;
  if (type !== "Localhost" && localhostProfile !== "")
    faults.push({ field, reason: "Invalid", message: "must only be given for type Localhost" });
  if (type !== "Localhost") return;
  if (localhostProfile === "") faults.push({ field, reason: "Required", message: "is required for type Localhost" });
  else if (localhostProfile.startsWith("/") || localhostProfile.split("/").includes(".."))
    faults.push({ field, reason: "Invalid", message: "must be a path within the node's folder of profiles" });
}

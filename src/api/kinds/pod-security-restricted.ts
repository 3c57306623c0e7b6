import { textAt } from "../path.js";
import { capabilityName, containersAt, type Forbid, type SecuredPod } from "./secured-pod.js";

/** What the restricted level asks beyond baseline. */
export function restrictedFaults(pod: SecuredPod, forbid: Forbid): void {
  const { spec, path } = pod;
  for (const [at, volume] of (spec.volumes ?? []).entries())
    for (const source of Object.keys(volume))
      // The host's files are told of by baseline.
      if (source !== "name" && source !== "hostPath" && !volumeSources.has(source))
        forbid(`${path}.volumes[${at}].${source}`, `is not one of ${[...volumeSources].join(", ")}`);
  const shared = spec.securityContext ?? {};
  if (shared.runAsUser === 0) forbid(`${path}.securityContext.runAsUser`, "must not be 0");
  for (const [container, at] of containersAt(pod)) {
    const context = container.securityContext ?? {};
    const field = `${at}.securityContext`;
    if (context.allowPrivilegeEscalation !== false) forbid(`${field}.allowPrivilegeEscalation`, "must be false");
    if ((context.runAsNonRoot ?? shared.runAsNonRoot) !== true) forbid(`${field}.runAsNonRoot`, "must be true");
    if (context.runAsUser === 0) forbid(`${field}.runAsUser`, "must not be 0");
    const seccomp = context.seccompProfile ?? shared.seccompProfile;
    // Unconfined is told of by baseline.
    if (textAt(seccomp, ["type"]) === "")
      forbid(`${field}.seccompProfile.type`, "must be RuntimeDefault or Localhost, here or for the whole Pod");
    const { add = [], drop = [] } = context.capabilities ?? {};
    if (!drop.some((name) => capabilityName(name) === "ALL")) forbid(`${field}.capabilities.drop`, "must have ALL");
    for (const [index, name] of add.entries())
      if (capabilityName(name) !== "NET_BIND_SERVICE")
        forbid(`${field}.capabilities.add[${index}]`, `only NET_BIND_SERVICE may be added, not "${name}"`);
  }
}

const volumeSources: ReadonlySet<string> = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
]);

import { atomicList, boolean, int64, object, refused, required, string } from "../schema.js";

const appArmorProfile = object({ localhostProfile: string(), type: required(string()) });
const seccompProfile = object({ localhostProfile: string(), type: required(string()) });
const seLinuxOptions = object({ level: string(), role: string(), type: string(), user: string() });
const windowsOptions = object({
  gmsaCredentialSpec: string(),
  gmsaCredentialSpecName: string(),
  hostProcess: boolean(),
  runAsUserName: string(),
});

/** core/v1 SecurityContext of a container: kept, not acted on, but never privileged. */
export const securityContext = object({
  allowPrivilegeEscalation: boolean(),
  appArmorProfile,
  capabilities: object({ add: atomicList(string()), drop: atomicList(string()) }),
  privileged: refused(boolean(), "containers are never privileged in Ikada"),
  procMount: string(),
  readOnlyRootFilesystem: boolean(),
  runAsGroup: int64(),
  runAsNonRoot: boolean(),
  runAsUser: int64(),
  seLinuxOptions,
  seccompProfile,
  windowsOptions,
});

/** core/v1 PodSecurityContext: kept, not acted on. */
export const podSecurityContext = object({
  appArmorProfile,
  fsGroup: int64(),
  fsGroupChangePolicy: string(),
  runAsGroup: int64(),
  runAsNonRoot: boolean(),
  runAsUser: int64(),
  seLinuxChangePolicy: string(),
  seLinuxOptions,
  seccompProfile,
  supplementalGroups: atomicList(int64()),
  supplementalGroupsPolicy: string(),
  sysctls: atomicList(object({ name: required(string()), value: string() })),
  windowsOptions,
});

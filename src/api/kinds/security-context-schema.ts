import { atomicList, boolean, int64, kept, object, oneOf, required, string } from "../schema.js";

const profileTypes = ["RuntimeDefault", "Unconfined", "Localhost"];
const appArmorProfile = kept(object({ localhostProfile: string(), type: required(oneOf(profileTypes)) }));
const seccompProfile = object({ localhostProfile: string(), type: required(oneOf(profileTypes)) });
const seLinuxOptions = kept(object({ level: string(), role: string(), type: string(), user: string() }), {});
const windowsOptionFields = object({
  gmsaCredentialSpec: string(),
  gmsaCredentialSpecName: string(),
  hostProcess: boolean(),
  runAsUserName: string(),
});

const windowsOptions = kept(windowsOptionFields, {});

/** core/v1 SecurityContext of a container. */
export const securityContext = object({
  allowPrivilegeEscalation: boolean(),
  appArmorProfile,
  capabilities: object({ add: atomicList(string()), drop: atomicList(string()) }),
  privileged: boolean(),
  procMount: oneOf(["Default", "Unmasked"]),
  readOnlyRootFilesystem: boolean(),
  runAsGroup: int64(),
  runAsNonRoot: boolean(),
  runAsUser: int64(),
  seLinuxOptions,
  seccompProfile,
  windowsOptions,
});

/** core/v1 PodSecurityContext. The group of volumes is given to the containers; the volumes themselves keep theirs. */
export const podSecurityContext = object({
  appArmorProfile,
  fsGroup: int64(),
  fsGroupChangePolicy: kept(string(), "Always"),
  runAsGroup: int64(),
  runAsNonRoot: boolean(),
  runAsUser: int64(),
  seLinuxChangePolicy: kept(string()),
  seLinuxOptions,
  seccompProfile,
  supplementalGroups: atomicList(int64()),
  supplementalGroupsPolicy: kept(string(), "Merge"),
  sysctls: atomicList(object({ name: required(string()), value: string() })),
  windowsOptions,
});

import type { Container, PodSpec } from "../../src/api/kinds/pod.js";
import { capabilityName } from "../../src/api/kinds/secured-pod.js";
import type { ContainerSecurity } from "./runtime.js";

/** What a container may do: its own security context, and the Pod's where it says nothing. */
export function containerSecurity(spec: PodSpec, container: Container, imageUser: string): ContainerSecurity {
  const shared = spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  const uid = own.runAsUser ?? shared.runAsUser;
  const gid = own.runAsGroup ?? shared.runAsGroup;
  const { fsGroup, supplementalGroups = [] } = shared;
  const { add = [], drop = [] } = own.capabilities ?? {};
  const seccomp = own.seccompProfile ?? shared.seccompProfile;
  return {
    user: gid === undefined ? uid?.toString() : `${uid ?? (imageUser.split(":")[0] || "0")}:${gid}`,
    supplementalGroups: [...new Set([...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])])],
    privileged: own.privileged === true,
    capabilities: { add: add.map(capabilityName), drop: drop.map(capabilityName) },
    readOnlyRoot: own.readOnlyRootFilesystem === true,
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    seccomp:
      own.privileged === true || seccomp?.type === "Unconfined"
        ? "unconfined"
        : seccomp?.type === "Localhost"
          ? { localhost: seccomp.localhostProfile ?? "" }
          : "default",
  };
}

/**
 * Why a container that must not run as root might; undefined: it does not. `imageUser` is what the image says (kubelet's
 * verifyRunAsNonRoot, and its words).
 */
export function rootRefusal(spec: PodSpec, container: Container, imageUser: string): string | undefined {
  const { securityContext: shared = {} } = spec;
  const { securityContext: own = {} } = container;
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) !== true) return undefined;
  const uid = own.runAsUser ?? shared.runAsUser;
  if (uid !== undefined) return uid === 0 ? "container's runAsUser breaks non-root policy" : undefined;
  const [name = ""] = imageUser.split(":");
  if (name === "" || /^0+$/.test(name)) return "container has runAsNonRoot and image will run as root";
  if (/^\d+$/.test(name)) return undefined;
  return `container has runAsNonRoot and image has non-numeric user (${name}), cannot verify user is non-root`;
}

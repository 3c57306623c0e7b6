import type { Container, PodSpec } from "../../src/api/kinds/pod.js";

/** A container that the level `restricted` takes. */
export const strictContainer: Container = {
  name: "main",
  image: "web:1",
  securityContext: {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] },
    seccompProfile: { type: "RuntimeDefault" },
  },
};

/** A strict container with this in its security context, or beside it. */
export const secured = (context: object): Partial<PodSpec> => ({
  containers: [{ ...strictContainer, securityContext: { ...strictContainer.securityContext, ...context } }],
});
export const having = (more: object): Partial<PodSpec> => ({ containers: [{ ...strictContainer, ...more }] });

export const inContext = "spec.containers[0].securityContext";

interface Violation {
  /** Of Kubernetes' Pod Security Standards, level baseline. */
  readonly control: string;
  readonly name: string;
  readonly spec: Partial<PodSpec>;
  /** That is named when the Pod is refused. */
  readonly field: string;
  /** At the level privileged too, for this version does not do it. */
  readonly isUnsupported?: true;
}

/** For each control of the level baseline what breaks it, and nothing else. */
export const baselineViolations: readonly Violation[] = [
  {
    control: "HostProcess",
    name: "a process of the host",
    spec: secured({ windowsOptions: { hostProcess: true } }),
    field: `${inContext}.windowsOptions.hostProcess`,
  },
  { control: "Host Namespaces", name: "the node's network", spec: { hostNetwork: true }, field: "spec.hostNetwork" },
  { control: "Host Namespaces", name: "the node's processes", spec: { hostPID: true }, field: "spec.hostPID" },
  { control: "Host Namespaces", name: "the node's communication", spec: { hostIPC: true }, field: "spec.hostIPC" },
  {
    control: "Privileged Containers",
    name: "a privileged container",
    spec: secured({ privileged: true, allowPrivilegeEscalation: undefined }),
    field: `${inContext}.privileged`,
  },
  {
    control: "Capabilities",
    name: "more capabilities",
    spec: secured({ capabilities: { add: ["NET_RAW"], drop: ["ALL"] } }),
    field: `${inContext}.capabilities.add[0]`,
  },
  {
    control: "HostPath Volumes",
    name: "the node's files",
    spec: { volumes: [{ name: "v", hostPath: { path: "/" } }] },
    field: "spec.volumes[0].hostPath",
  },
  {
    control: "Host Ports",
    name: "the node's ports",
    spec: having({ ports: [{ containerPort: 1, hostPort: 1 }] }),
    field: "spec.containers[0].ports[0].hostPort",
  },
  {
    control: "Host Probes / Lifecycle Hooks",
    name: "a probe of another host",
    spec: having({ livenessProbe: { httpGet: { port: 1, host: "192.0.2.1" } } }),
    field: "spec.containers[0].livenessProbe.httpGet.host",
  },
  {
    control: "Host Probes / Lifecycle Hooks",
    name: "a hook to another host",
    spec: having({ lifecycle: { preStop: { httpGet: { port: 1, host: "192.0.2.1" } } } }),
    field: "spec.containers[0].lifecycle.preStop.httpGet.host",
  },
  {
    control: "AppArmor",
    name: "no AppArmor",
    spec: secured({ appArmorProfile: { type: "Unconfined" } }),
    field: `${inContext}.appArmorProfile.type`,
  },
  {
    control: "SELinux",
    name: "another SELinux type",
    spec: secured({ seLinuxOptions: { type: "spc_t" } }),
    field: `${inContext}.seLinuxOptions.type`,
  },
  {
    control: "SELinux",
    name: "an SELinux user",
    spec: secured({ seLinuxOptions: { user: "u" } }),
    field: `${inContext}.seLinuxOptions.user`,
  },
  {
    control: "/proc Mount Type",
    name: "an open /proc",
    spec: secured({ procMount: "Unmasked" }),
    field: `${inContext}.procMount`,
    isUnsupported: true,
  },
  {
    control: "Seccomp",
    name: "all system calls",
    spec: secured({ seccompProfile: { type: "Unconfined" } }),
    field: `${inContext}.seccompProfile.type`,
  },
  {
    control: "Seccomp",
    name: "all system calls for the Pod",
    spec: { securityContext: { seccompProfile: { type: "Unconfined" } } },
    field: "spec.securityContext.seccompProfile.type",
  },
  {
    control: "Sysctls",
    name: "a sysctl that is not safe",
    spec: { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } },
    field: "spec.securityContext.sysctls[0].name",
  },
  {
    control: "Privileged Containers",
    name: "an init container's too",
    spec: {
      initContainers: [{ ...strictContainer, name: "i", securityContext: { privileged: true } }],
    },
    field: "spec.initContainers[0].securityContext.privileged",
  },
];

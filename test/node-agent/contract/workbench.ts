import type {
  ContainerInfo,
  ContainerSecurity,
  ContainerSpec,
  SandboxSettings,
} from "../../../node-agent/core/runtime.js";

export const plainSecurity: ContainerSecurity = {
  user: undefined,
  supplementalGroups: [],
  privileged: false,
  capabilities: { add: [], drop: [] },
  readOnlyRoot: false,
  noNewPrivileges: false,
  seccomp: "default",
};

export const plainSandbox: SandboxSettings = {
  hostname: "contract",
  domain: undefined,
  network: "pod",
  ipc: "pod",
  publishedPorts: [],
  dns: undefined,
  hostAliases: [],
  sysctls: [],
};

/** What the parts of the suite work with. */
export interface Workbench {
  readonly inspect: (id: string) => Promise<ContainerInfo | undefined>;
  readonly create: (spec: ContainerSpec) => Promise<string>;
  readonly start: (id: string) => Promise<void>;
  readonly stop: (id: string, graceMs: number) => Promise<void>;
  readonly remove: (id: string) => Promise<void>;
  /** Makes and starts a container of a Pod of its own. */
  readonly run: (command: readonly string[], more?: Partial<ContainerSpec>) => Promise<string>;
  readonly sandboxSpec: () => Promise<ContainerSpec>;
  readonly untilPhase: (id: string, wanted: string) => Promise<void>;
  /** Its standard output. */
  readonly printed: (id: string) => Promise<string>;
  readonly pause: (durationMs: number) => Promise<void>;
  readonly impostor: (containerId: string) => Promise<string>;
}

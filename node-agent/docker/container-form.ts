import type Dockerode from "dockerode";
import type { ContainerInfo, ContainerSpec } from "../core/runtime.js";
import { containerName, identityOf, labelsOf, type ContainerOwner } from "./ownership.js";

/** What `POST /containers/create` takes for a spec. */
export function createOptions(
  owner: ContainerOwner,
  nodeUid: string | undefined,
  spec: ContainerSpec,
): Dockerode.ContainerCreateOptions {
  const sandbox = spec.role === "sandbox";
  return {
    name: containerName(owner, spec),
    Image: withTag(spec.image),
    Labels: { ...labelsOf(owner, nodeUid, spec) },
    Env: spec.env.map(([name, value]) => `${name}=${value}`),
    ...(spec.command.length > 0 && { Entrypoint: [...spec.command] }),
    ...(spec.args.length > 0 && { Cmd: [...spec.args] }),
    ...(spec.workingDir !== undefined && { WorkingDir: spec.workingDir }),
    ...(spec.hostname !== undefined && { Hostname: spec.hostname }),
    ...(sandbox && { ExposedPorts: Object.fromEntries(spec.publishedPorts.map((port) => [portKey(port), {}])) }),
    HostConfig: {
      NetworkMode: spec.sandboxId === undefined ? "bridge" : `container:${spec.sandboxId}`,
      IpcMode: spec.sandboxId === undefined ? "shareable" : `container:${spec.sandboxId}`,
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "json-file", Config: { ...logRotation } },
      ...(sandbox && { ...sandboxLimits, PortBindings: portBindings(spec) }),
      ...(spec.cpuSharesMilli !== undefined && { CpuShares: cpuShares(spec.cpuSharesMilli) }),
      ...(spec.cpuLimitMilli !== undefined && { CpuPeriod: cpuPeriodUs, CpuQuota: cpuQuotaUs(spec.cpuLimitMilli) }),
      // MemorySwap equal to Memory means no swap; without it the engine allows as much swap again.
      ...(spec.memoryLimitBytes !== undefined && {
        Memory: spec.memoryLimitBytes,
        MemorySwap: spec.memoryLimitBytes,
      }),
    },
  };
}

/** What `GET /containers/{id}/json` says; undefined for somebody else's container and for one that is being removed. */
export function containerInfo(
  owner: ContainerOwner,
  inspected: Dockerode.ContainerInspectInfo,
): ContainerInfo | undefined {
  const identity = identityOf(owner, inspected.Config.Labels ?? {});
  const { State: state } = inspected;
  if (identity === undefined || state.Status === "removing" || state.Status === "dead") return undefined;
  const startedAt = timeOf(state.StartedAt);
  const exited = !state.Running && startedAt !== undefined;
  return {
    ...identity,
    id: inspected.Id,
    phase: state.Running ? "running" : exited ? "exited" : "created",
    image: inspected.Config.Image,
    imageId: inspected.Image,
    startedAt,
    finishedAt: exited ? timeOf(state.FinishedAt) : undefined,
    exitCode: exited ? state.ExitCode : undefined,
    oomKilled: state.OOMKilled,
    ip: identity.role === "sandbox" && state.Running ? bridgeAddress(inspected) : undefined,
  };
}

/** The engine's API takes a reference without tag as all tags; users mean `latest`. */
export function withTag(reference: string): string {
  if (reference.includes("@")) return reference;
  return reference.lastIndexOf(":") > reference.lastIndexOf("/") ? reference : `${reference}:latest`;
}

/** At most 30 MB of output of one container stay on the machine's disk. */
const logRotation = { "max-size": "10m", "max-file": "3" } as const;

/**
 * The pause program needs no right and no writable file. A limit of processes would hit the engine's own start-up inside, and a
 * lower oom score is refused on machines where the engine itself is confined.
 */
const sandboxLimits = { CapDrop: ["ALL"], ReadonlyRootfs: true } as const;

const cpuPeriodUs = 100_000;

/** Linux' CFS quota: microseconds of processor time in each period; the kernel refuses less than 1 ms. */
function cpuQuotaUs(milli: number): number {
  return Math.max(1_000, Math.round((milli * cpuPeriodUs) / 1000));
}

/** 1024 shares are one processor, 2 the least (Kubernetes' MilliCPUToShares). */
function cpuShares(milli: number): number {
  return Math.min(262_144, Math.max(2, Math.floor((milli * 1024) / 1000)));
}

function portKey(port: { readonly containerPort: number; readonly protocol: string }): string {
  return `${port.containerPort}/${port.protocol.toLowerCase()}`;
}

function portBindings(spec: ContainerSpec): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of spec.publishedPorts) {
    (bindings[portKey(port)] ??= []).push({ HostIp: port.hostIP, HostPort: String(port.hostPort) });
  }
  return bindings;
}

/** The engine writes the year 1 for "never". */
function timeOf(text: string): number | undefined {
  const time = Date.parse(text);
  return Number.isNaN(time) || time <= 0 ? undefined : time;
}

function bridgeAddress(inspected: Dockerode.ContainerInspectInfo): string | undefined {
  const address = inspected.NetworkSettings.Networks["bridge"]?.IPAddress;
  return address === "" ? undefined : address;
}

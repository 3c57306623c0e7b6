import { taggedReference } from "../../src/api/image-reference.js";
import type Dockerode from "dockerode";
import type { ContainerInfo, ContainerSecurity, ContainerSpec } from "../core/runtime.js";
import type { ReadyMount } from "../volumes/host-volumes.js";
import { limitsLabel } from "./alterations.js";
import { containerName, identityOf, labelNames, labelsOf, type ContainerOwner } from "./ownership.js";
import { sandboxForm } from "./sandbox-form.js";

/** What a spec refers to on this machine. */
export interface MachineParts {
  /** The JSON of the seccomp profile that the spec names. */
  readonly seccompProfile: string | undefined;
  /** The file on this machine that holds the termination message. */
  readonly messageFile: string | undefined;
  readonly mounts: readonly ReadyMount[];
  /** The machine's own resolver settings. */
  readonly resolver: { readonly nameservers: readonly string[]; readonly searches: readonly string[] };
}

/** What `POST /containers/create` takes for a spec. */
export function createOptions(
  owner: ContainerOwner,
  nodeUid: string | undefined,
  spec: ContainerSpec,
  parts: MachineParts,
): Dockerode.ContainerCreateOptions {
  const { security, terminationMessage } = spec;
  const sandbox = spec.sandbox && sandboxForm(spec.sandbox, parts.resolver);
  const limits = limitsForm(spec);
  return {
    name: containerName(owner, spec),
    Image: taggedReference(spec.image),
    Labels: {
      ...labelsOf(owner, nodeUid, spec),
      ...(terminationMessage?.fallBackToOutput === true && { [labelNames.messageFallback]: "true" }),
      [labelNames.limits]: limitsLabel(limits),
    },
    Env: spec.env.map(([name, value]) => `${name}=${value}`),
    ...(spec.command.length > 0 && { Entrypoint: [...spec.command] }),
    ...(spec.args.length > 0 && { Cmd: [...spec.args] }),
    ...(spec.workingDir !== undefined && { WorkingDir: spec.workingDir }),
    ...(security.user !== undefined && { User: security.user }),
    ...(spec.stopSignal !== undefined && { StopSignal: spec.stopSignal }),
    ...(spec.stdin !== "none" && { OpenStdin: true, AttachStdin: true, StdinOnce: spec.stdin === "once" }),
    ...(spec.tty && { Tty: true }),
    ...sandbox?.container,
    HostConfig: {
      NetworkMode: spec.sandboxId === undefined ? "bridge" : `container:${spec.sandboxId}`,
      IpcMode: spec.sandboxId === undefined ? "shareable" : `container:${spec.sandboxId}`,
      ...(spec.processes === "node" && { PidMode: "host" }),
      ...(spec.processes === "pod" && spec.sandboxId !== undefined && { PidMode: `container:${spec.sandboxId}` }),
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "json-file", Config: { ...logRotation } },
      ...sandbox?.host,
      ...securityForm(security, parts.seccompProfile),
      Mounts: [
        ...parts.mounts.map(mountForm),
        ...(terminationMessage !== undefined && parts.messageFile !== undefined
          ? [mountForm({ source: parts.messageFile, kind: "bind", target: terminationMessage.path, readOnly: false })]
          : []),
      ],
      ...limits,
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
    message: undefined,
    ip: identity.role === "sandbox" && state.Running ? bridgeAddress(inspected) : undefined,
    altered: undefined,
    impostor: inspected.Name !== `/${containerName(owner, identity)}`,
  };
}

function limitsForm(spec: ContainerSpec): Dockerode.HostConfig {
  return {
    ...(spec.cpuSharesMilli !== undefined && { CpuShares: cpuShares(spec.cpuSharesMilli) }),
    ...(spec.cpuLimitMilli !== undefined && { CpuPeriod: cpuPeriodUs, CpuQuota: cpuQuotaUs(spec.cpuLimitMilli) }),
    // MemorySwap equal to Memory means no swap; without it the engine allows as much swap again.
    ...(spec.memoryLimitBytes !== undefined && { Memory: spec.memoryLimitBytes, MemorySwap: spec.memoryLimitBytes }),
  };
}

function mountForm({ source, target, readOnly, kind }: ReadyMount): Dockerode.MountConfig[number] {
  const form = { Type: kind, Source: source, Target: target, ...(readOnly && { ReadOnly: true }) };
  if (kind === "bind") return form;
  // An engine fills an empty volume with what the image has there; Kubernetes' volumes begin empty.
  return { ...form, VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: "local", Options: {} } } };
}

/** At most 30 MB of output of one container stay on the machine's disk. */
const logRotation = { "max-size": "10m", "max-file": "3" } as const;

/** A container without a word about its rights has the engine's: its own profile of system calls and few capabilities. */
function securityForm(security: ContainerSecurity, seccompProfile: string | undefined): Dockerode.HostConfig {
  const { capabilities, seccomp } = security;
  const options = [
    ...(security.noNewPrivileges ? ["no-new-privileges:true"] : []),
    ...(seccomp === "unconfined" ? ["seccomp=unconfined"] : []),
    ...(seccompProfile === undefined ? [] : [`seccomp=${seccompProfile}`]),
  ];
  return {
    ...(security.supplementalGroups.length > 0 && { GroupAdd: security.supplementalGroups.map(String) }),
    ...(security.privileged && { Privileged: true }),
    ...(capabilities.add.length > 0 && { CapAdd: [...capabilities.add] }),
    ...(capabilities.drop.length > 0 && { CapDrop: [...capabilities.drop] }),
    ...(security.readOnlyRoot && { ReadonlyRootfs: true }),
    ...(options.length > 0 && { SecurityOpt: options }),
  };
}

const cpuPeriodUs = 100_000;

/** Linux' CFS quota: microseconds of processor time in each period; the kernel refuses less than 1 ms. */
function cpuQuotaUs(milli: number): number {
  return Math.max(1_000, Math.round((milli * cpuPeriodUs) / 1000));
}

/** 1024 shares are one processor, 2 the least (Kubernetes' MilliCPUToShares). */
function cpuShares(milli: number): number {
  return Math.min(262_144, Math.max(2, Math.floor((milli * 1024) / 1000)));
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

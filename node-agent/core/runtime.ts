import type { Finished, Done } from "../../src/base/env.js";
import type { ContainerAccess, ContainerStream, StreamSink } from "./access.js";
import type { RegistryCredentials } from "./registry-credentials.js";
import type { NamedVolume } from "./volume-plan.js";

/**
 * What the agent needs of a container engine: Docker (node-agent/docker), or a scripted fake for tests and
 * simulation. One contract suite (test/node-agent/contract) runs on both. An implementation sees and touches
 * only containers that carry the owner labels it was made with. Completions are callbacks, as in `Env`.
 */
export interface ContainerRuntime extends ContainerAccess {
  /** Whether the engine answers at all; within a few seconds, also when it hangs. */
  ping(done: Finished): void;
  /** All own containers in any state, also after a restart of the agent or the engine. */
  list(done: Done<readonly ContainerInfo[]>): void;
  /** One own container; undefined when it is gone or not an own one. */
  inspect(containerId: string, done: Done<ContainerInfo | undefined>): void;
  /**
   * Gives the container's id. Repeating a create that succeeded gives the same id again, so that a lost answer is harmless.
   * Errors: NotFound when the image or the sandbox is not there, Invalid (also for a mount that leads out of its volume), Conflict when a
   * foreign container has the name.
   */
  create(spec: ContainerSpec, done: Done<string>): void;
  /**
   * No error when it runs already. A program that can't be executed is the error Invalid; the container stays in phase created.
   * No engine is the error Unavailable, as for all calls; a call that takes too long is Deadline and may yet take effect.
   */
  start(containerId: string, done: Finished): void;
  /** Sends the container's stop signal, SIGKILL after `graceMs`. No error when it is not running or gone. */
  stop(containerId: string, graceMs: number, done: Finished): void;
  /**
   * Takes back what somebody did by hand to a running container: lets it go on, sets its limits and its network as they were. What can't be
   * taken back is told by `inspect` afterwards. No error when it is gone.
   */
  restore(containerId: string, done: Finished): void;
  /** No error when it is gone. Kills when it is running. */
  remove(containerId: string, done: Finished): void;
  /** Undefined when the image is not there. A reference without tag and digest means `:latest`; an image's id is one too. */
  image(reference: string, done: Done<ImageInfo | undefined>): void;
  /**
   * Fails with the registry's words: NotFound, Forbidden (what it does not show to everybody may not be there either), Unavailable when it was not
   * reached; Internal when the engine itself could not; Deadline when it makes no progress.
   */
  pull(request: PullRequest, done: Done<ImageInfo>): void;
  /** All images of the engine, whoever brought them. */
  images(done: Done<readonly StoredImage[]>): void;
  /** Takes away a tag, a digest or, by its id, an image without tags; the last one takes the image along. No error when it is gone; Conflict when a container has it. */
  removeImage(reference: string, done: Finished): void;
  /** The disk that images are on. */
  imageDisk(done: Done<DiskSpace>): void;
  /** What these containers, running or not, have on the disk, as far as it can be measured; the others are left out. */
  storage(containerIds: readonly string[], pace: Pace, done: Done<ReadonlyMap<string, ContainerStorage>>): void;
  /** Takes an archive as `docker save` writes it and ends with the names of the images in it, each a line of output; BadRequest when it is none. */
  loadImages(sink: StreamSink): ContainerStream;
  /** Makes the Pod sandbox image from bytes in the project when it is not there. */
  ensureSandboxImage(done: Done<string>): void;
  /**
   * Runs a command inside a running container; output is cut at `outputBytesMax`. Errors: Conflict when it does not run,
   * Deadline after `timeoutMs` (the command may run on). A command that can't be executed gives an exit code of 126 or more.
   */
  exec(request: ExecRequest, done: Done<ExecResult>): void;
  /** Follows events of own containers until closed, and connects again by itself when the engine goes away. */
  events(observer: ContainerObserver): { close(): void };
  /** Output of one container, in any state. After `close` the sink is not called. */
  logs(request: LogRequest, sink: LogSink): { close(): void };
}

export interface ImageInfo {
  readonly id: string;
  /** `repository@sha256:…`, as registries know it; none when it was loaded from a file. */
  readonly digests: readonly string[];
  /** Whom its containers run as unless told otherwise: a name or number, maybe with a group after a colon; "" is root. */
  readonly user: string;
}

export interface PullRequest {
  readonly reference: string;
  /** Undefined: as anybody. */
  readonly credentials: RegistryCredentials | undefined;
  /** Of the layers that are known so far. */
  readonly onProgress: (currentBytes: number, totalBytes: number) => void;
}

export interface StoredImage {
  readonly id: string;
  /** `repository:tag`. */
  readonly tags: readonly string[];
  /** `repository@sha256:…`, as registries know it; none when it was loaded from a file. */
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  /** A container in any state, whoever's, was made from it. */
  readonly inUse: boolean;
}

export interface DiskSpace {
  readonly capacityBytes: number;
  readonly availableBytes: number;
  /** Absent where the file system counts none. */
  readonly inodes?: { readonly capacity: number; readonly available: number };
  /** The machine's number of the file system, to tell whether two folders are on one. */
  readonly device?: number;
}

/** How files are counted: `gently` takes a fifth of one processor at most, `fast` gives up early. */
export type Pace = "gently" | "fast";

/** Files that were counted. */
export interface DiskUsage {
  /** On the disk, as du counts. */
  readonly bytes: number;
  readonly inodes: number;
  /** False: there were too many files, or too deep folders; there is at least as much. */
  readonly isComplete: boolean;
}

export interface ContainerStorage {
  /** What it changed in its image's files. */
  readonly writable: DiskUsage;
  readonly log: DiskUsage;
}

export interface ContainerObserver {
  /** Events flow from now on, those before may have been missed: list now. Called for each connection, before its first event. */
  onOpen(): void;
  onEvent(event: ContainerEvent): void;
  /** The engine does not answer, or the connection to it was lost. Called once for each loss, not for each attempt to connect. */
  onLost(error: Error): void;
}

export type ContainerRole = "sandbox" | "container";

export interface ContainerIdentity {
  readonly podUid: string;
  readonly podNamespace: string;
  readonly podName: string;
  /** Container name in the Pod; "" for the sandbox. */
  readonly containerName: string;
  readonly role: ContainerRole;
  /** Counts this container's incarnations in this Pod from 0; equals restartCount. */
  readonly attempt: number;
  /** Hash of the parts of the spec the container was made from; a difference means it must be made again. */
  readonly specHash: string;
}

export interface ContainerSpec extends ContainerIdentity {
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly (readonly [string, string])[];
  readonly workingDir: string | undefined;
  /** Sandbox: what its containers share. Container: undefined. */
  readonly sandbox: SandboxSettings | undefined;
  /** Container: id of the sandbox whose network and inter-process communication it joins. */
  readonly sandboxId: string | undefined;
  /** Whose processes the container sees. */
  readonly processes: "own" | "pod" | "node";
  readonly security: ContainerSecurity;
  /** Sent to end it; undefined: the image's, or SIGTERM. */
  readonly stopSignal: string | undefined;
  readonly stdin: "none" | "open" | "once";
  readonly tty: boolean;
  /** Container: the Pod's volumes in it. */
  readonly mounts: readonly MountedVolume[];
  /** Container: a file that it may write its last words to. */
  readonly terminationMessage: TerminationMessage | undefined;
  readonly cpuSharesMilli: number | undefined;
  readonly cpuLimitMilli: number | undefined;
  readonly memoryLimitBytes: number | undefined;
}

/** What all containers of a Pod have in common, and its sandbox holds. */
export interface SandboxSettings {
  /** Undefined: the machine's, whose network the Pod shares. */
  readonly hostname: string | undefined;
  /** Stands behind the host name in /etc/hosts. */
  readonly domain: string | undefined;
  readonly network: "pod" | "node";
  readonly ipc: "pod" | "node";
  /** Ports of the Pod that the machine publishes. */
  readonly publishedPorts: readonly PublishedPort[];
  /** Undefined: the machine's resolver. */
  readonly dns: DnsSettings | undefined;
  readonly hostAliases: readonly { readonly ip: string; readonly hostnames: readonly string[] }[];
  readonly sysctls: readonly (readonly [name: string, value: string])[];
}

export interface DnsSettings {
  /** What the machine itself uses stands first. */
  readonly fromMachine: boolean;
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface ContainerSecurity {
  /** `uid` or `uid:gid`; undefined: the image's. */
  readonly user: string | undefined;
  readonly supplementalGroups: readonly number[];
  readonly privileged: boolean;
  readonly capabilities: { readonly add: readonly string[]; readonly drop: readonly string[] };
  readonly readOnlyRoot: boolean;
  readonly noNewPrivileges: boolean;
  /** `localhost`: a file in the machine's folder of profiles. */
  readonly seccomp: "default" | "unconfined" | { readonly localhost: string };
}

/** A volume, or a part of one, in a container. */
export interface MountedVolume {
  /** The volume's name in the Pod; `VolumeHost.apply` has made it. */
  readonly volume: string;
  /** For a part of the machine: which. */
  readonly hostPath: string | undefined;
  /** For a volume that the engine keeps: which. */
  readonly named: NamedVolume | undefined;
  /** In the container. */
  readonly target: string;
  /** Path in the volume; links in it are followed within the volume alone. A folder is made when nothing is there. */
  readonly subPath: string | undefined;
  readonly readOnly: boolean;
}

export interface TerminationMessage {
  /** In the container. */
  readonly path: string;
  /** When nothing was written and it failed, the end of its output stands for the message. */
  readonly fallBackToOutput: boolean;
}

/** Kubernetes' bounds. */
export const terminationMessageBytesMax = 4096;
export const terminationOutput = { linesMax: 80, bytesMax: 2048 } as const;

export interface PublishedPort {
  readonly containerPort: number;
  readonly hostPort: number;
  /** "" for all addresses of the machine. */
  readonly hostIP: string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
}

export type ContainerPhase = "created" | "running" | "exited";

export interface ContainerInfo extends ContainerIdentity {
  readonly id: string;
  readonly phase: ContainerPhase;
  readonly image: string;
  readonly imageId: string;
  /** Wall milliseconds; undefined before the first start, respectively while running. */
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly exitCode: number | undefined;
  readonly oomKilled: boolean;
  /** Its last words, once it has ended; undefined when there are none. */
  readonly message: string | undefined;
  /** Sandbox only; undefined in the machine's network. */
  readonly ip: string | undefined;
  /** What somebody did to it by hand while it runs. */
  readonly altered: Alteration | undefined;
  /** It carries the labels of a container of this owner, and was not made by it: not its own, but in its way. */
  readonly impostor: boolean;
}

export interface Alteration {
  /** For people: `paused`, `Memory`. */
  readonly what: string;
  /** `restore` has not been tried, or has helped before; otherwise only another container is as it was wanted. */
  readonly isRevocable: boolean;
}

export interface ContainerEvent {
  /** The last ones are what people do, not the agent; `network`: it was connected or disconnected. */
  readonly type: "create" | "start" | "die" | "oom" | "destroy" | "pause" | "unpause" | "update" | "rename" | "network";
  readonly containerId: string;
}

export interface ExecRequest {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly outputBytesMax: number;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly output: string;
}

export interface LogRequest {
  readonly containerId: string;
  readonly follow: boolean;
  /** Lines from the end; -1 for all. */
  readonly tailLines: number;
  /** Wall milliseconds; 0 for all. */
  readonly sinceMs: number;
  readonly timestamps: boolean;
}

export interface LogSink {
  /** Returns false when the reader is full; the runtime pauses until `onResume` is called. */
  onData(stream: "stdout" | "stderr", bytes: Uint8Array): boolean;
  onEnd(error: Error | null): void;
  /** Set by the runtime. */
  onResume: (() => void) | undefined;
}

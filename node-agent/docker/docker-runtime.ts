import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Done, Finished, Log } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type {
  ArchiveRequest,
  AttachRequest,
  ConnectRequest,
  ContainerStream,
  ContainerUsage,
  ExecStreamRequest,
  StreamSink,
} from "../core/access.js";
import { EngineSlots } from "../core/engine-slots.js";
import { taggedReference } from "../../src/api/image-reference.js";
import type {
  ContainerInfo,
  ContainerObserver,
  ContainerRuntime,
  ContainerSpec,
  ContainerStorage,
  DiskSpace,
  ExecRequest,
  ExecResult,
  ImageInfo,
  LogRequest,
  LogSink,
  Pace,
  PullRequest,
  StoredImage,
} from "../core/runtime.js";
import type { DiskMeter } from "../volumes/disk-meter.js";
import type { HostVolumes } from "../volumes/host-volumes.js";
import { DockerAccess } from "./access.js";
import { Alterations } from "./alterations.js";
import { containerInfo, createOptions } from "./container-form.js";
import { ContainerDisks } from "./container-disks.js";
import { Engine, engineDeadlines } from "./engine.js";
import { endOfOutput, Messages } from "./messages.js";
import { machineResolver, seccompProfile } from "./machine-files.js";
import { followEvents } from "./engine-events.js";
import { runExec } from "./exec.js";
import { followLogs } from "./log-stream.js";
import { containerName, labelNames, ownerFilter, type ContainerOwner } from "./ownership.js";
import { imageDisk, listImages, loadImages, named, removeImage } from "./image-store.js";
import { pullImage } from "./pull.js";
import { sandboxImageArchive, sandboxImageReference } from "./sandbox-image.js";

export interface DockerRuntimeOptions {
  /** Path of the engine's Unix socket. */
  readonly socketPath: string;
  readonly owner: ContainerOwner;
  /** For the label; asked at each create. */
  readonly nodeUid: () => string | undefined;
  /** Where the files are that containers write their last words to. */
  readonly messageFolder: string;
  /** Where profiles of system calls are that Pods may name; undefined: they may name none. */
  readonly seccompFolder: string | undefined;
  /** The machine's volumes, of which containers are given what their specs name. */
  readonly volumes: Pick<HostVolumes, "mountsFor">;
  readonly meter: DiskMeter;
  readonly log: Log;
}

/** Containers of one owner on one Docker engine. Speaks API 1.41 and above; no state but a cache of what can't change. */
export class DockerRuntime implements ContainerRuntime {
  readonly #engine: Engine;
  readonly #access: DockerAccess;
  readonly #owner: ContainerOwner;
  readonly #nodeUid: () => string | undefined;
  readonly #log: Log;
  /** Exited containers are never started again, so what inspect said once stays true. Only ids of the last list are kept. */
  #exited = new Map<string, ContainerInfo>();
  /** What was seen last of those that run. */
  readonly #running = new Map<string, ContainerInfo>();
  /** Ids that are known to carry the owner's labels, and whether they have a terminal: their output has no frames then. */
  readonly #own = new Map<string, { readonly tty: boolean }>();
  readonly #alterations: Alterations;
  readonly #messages: Messages;
  /** Commands that begin. All probes of a node at once would only make each of them late; a late one fails. */
  readonly #execs = new EngineSlots();
  readonly #disks: ContainerDisks;
  readonly #seccompFolder: string | undefined;
  readonly #volumes: DockerRuntimeOptions["volumes"];
  #sandboxImage: Promise<string> | undefined;

  constructor(options: DockerRuntimeOptions) {
    this.#engine = new Engine(options.socketPath);
    this.#owner = options.owner;
    this.#nodeUid = options.nodeUid;
    this.#log = options.log;
    this.#alterations = new Alterations(this.#engine);
    this.#messages = new Messages(options.messageFolder);
    this.#disks = new ContainerDisks(this.#engine, options.meter);
    this.#seccompFolder = options.seccompFolder;
    this.#volumes = options.volumes;
    this.#access = new DockerAccess(this.#engine, (id) => this.#requireOwn(id), options.log);
  }

  /** How many calls the engine was asked, by kind. */
  get engineCalls(): ReadonlyMap<string, number> {
    return this.#engine.calls;
  }

  ping(done: Finished): void {
    const pinged = this.#engine.call("ping", engineDeadlines.pingMs, () => this.#engine.docker.ping());
    settle(pinged, done, undefined);
  }

  list(done: Done<readonly ContainerInfo[]>): void {
    settle(this.#list(), done, []);
  }

  inspect(containerId: string, done: Done<ContainerInfo | undefined>): void {
    settle(this.#inspect(containerId), done, undefined);
  }

  create(spec: ContainerSpec, done: Done<string>): void {
    settle(this.#create(spec), done, "");
  }

  start(containerId: string, done: Finished): void {
    settle(this.#start(containerId), done, undefined);
  }

  stop(containerId: string, graceMs: number, done: Finished): void {
    settle(this.#stop(containerId, graceMs), done, undefined);
  }

  restore(containerId: string, done: Finished): void {
    settle(this.#restore(containerId), done, undefined);
  }

  remove(containerId: string, done: Finished): void {
    settle(this.#remove(containerId), done, undefined);
  }

  image(reference: string, done: Done<ImageInfo | undefined>): void {
    settle(this.#image(reference), done, undefined);
  }

  pull(request: PullRequest, done: Done<ImageInfo>): void {
    const { reference } = request;
    const pulled = pullImage(this.#engine, request, taggedReference(reference)).then(() => this.#image(reference));
    settle(
      pulled.then((image) => {
        if (image === undefined) throw new IkadaError("NotFound", `docker: ${reference} is not there after its pull`);
        return image;
      }),
      done,
      { id: "", digests: [], user: "" },
    );
  }

  images(done: Done<readonly StoredImage[]>): void {
    settle(listImages(this.#engine), done, []);
  }

  removeImage(reference: string, done: Finished): void {
    settle(removeImage(this.#engine, reference), done, undefined);
  }

  imageDisk(done: Done<DiskSpace>): void {
    settle(imageDisk(this.#engine), done, { capacityBytes: 0, availableBytes: 0 });
  }

  storage(containerIds: readonly string[], pace: Pace, done: Done<ReadonlyMap<string, ContainerStorage>>): void {
    settle(this.#disks.storage(containerIds, pace), done, new Map());
  }

  loadImages(sink: StreamSink): ContainerStream {
    return loadImages(this.#engine, sink);
  }

  ensureSandboxImage(done: Done<string>): void {
    const ensured = (this.#sandboxImage ??= this.#ensureSandboxImage()).finally(() => {
      this.#sandboxImage = undefined;
    });
    settle(ensured, done, "");
  }

  exec(request: ExecRequest, done: Done<ExecResult>): void {
    this.#execs.run((begun) => {
      const timer = setTimeout(begun, execBeginsMs);
      const run = this.#requireOwn(request.containerId)
        .then(() => runExec(this.#engine, request))
        .finally(() => {
          clearTimeout(timer);
          begun();
        });
      settle(run, done, { exitCode: -1, output: "" });
    });
  }

  events(observer: ContainerObserver): { close(): void } {
    const isKnown = (id: string): boolean => this.#own.has(id);
    return followEvents({ engine: this.#engine, labels: ownerFilter(this.#owner), isKnown, observer, log: this.#log });
  }

  logs(request: LogRequest, sink: LogSink): { close(): void } {
    return followLogs(this.#engine, this.#requireOwn(request.containerId), request, sink);
  }

  openExec(request: ExecStreamRequest, sink: StreamSink): ContainerStream {
    return this.#access.openExec(request, sink);
  }

  attach(request: AttachRequest, sink: StreamSink): ContainerStream {
    return this.#access.attach(request, sink);
  }

  connect(request: ConnectRequest, sink: StreamSink): ContainerStream {
    return this.#access.connect(request, sink);
  }

  readArchive(request: ArchiveRequest, sink: StreamSink): ContainerStream {
    return this.#access.readArchive(request, sink);
  }

  writeArchive(request: ArchiveRequest, sink: StreamSink): ContainerStream {
    return this.#access.writeArchive(request, sink);
  }

  usage(containerIds: readonly string[], done: Done<ReadonlyMap<string, ContainerUsage>>): void {
    this.#access.usage(containerIds, done);
  }

  async #list(): Promise<readonly ContainerInfo[]> {
    const listed = await this.#engine.call("list containers", engineDeadlines.readMs, (abortSignal) =>
      this.#engine.docker.listContainers({ all: true, filters: { label: ownerFilter(this.#owner) }, abortSignal }),
    );
    const known = this.#exited;
    const infos = await inParallel(
      listed.map(({ Id: id }) => id),
      inspectionsMax,
      (id) => {
        const exited = known.get(id);
        return exited === undefined ? this.#inspect(id) : Promise.resolve(exited);
      },
    );
    const present = infos.filter((info) => info !== undefined);
    this.#exited = new Map(present.filter((info) => info.phase === "exited").map((info) => [info.id, info]));
    this.#alterations.keepOnly(new Set(present.map(({ id }) => id)));
    await this.#messages.keepOnly(present);
    return present;
  }

  async #inspect(idOrName: string): Promise<ContainerInfo | undefined> {
    // The engine would not answer before the copy's end, and knows of no change before it either.
    const held = this.#access.isCopying(idOrName) ? this.#running.get(idOrName) : undefined;
    if (held !== undefined) return held;
    try {
      const inspected = await this.#engine.call(`inspect ${short(idOrName)}`, engineDeadlines.readMs, (abortSignal) =>
        this.#engine.docker.getContainer(idOrName).inspect({ abortSignal }),
      );
      const plain = containerInfo(this.#owner, inspected);
      if (plain === undefined) {
        this.#running.delete(idOrName);
        return undefined;
      }
      const altered = this.#alterations.look(inspected);
      const info = altered === undefined ? plain : { ...plain, altered };
      if (info.phase === "running") this.#running.set(info.id, info);
      else this.#running.delete(info.id);
      const tty = inspected.Config.Tty;
      this.#own.set(info.id, { tty });
      if (info.phase !== "exited" || info.role === "sandbox") return info;
      let message = await this.#messages.read(info);
      const fallsBack = inspected.Config.Labels[labelNames.messageFallback] === "true";
      if (message === "" && fallsBack && info.exitCode !== 0) message = await endOfOutput(this.#engine, info.id, tty);
      return message === "" ? info : { ...info, message };
    } catch (caught) {
      if (!(caught instanceof IkadaError && caught.reason === "NotFound")) throw caught;
      this.#running.delete(idOrName);
      return undefined;
    }
  }

  async #create(spec: ContainerSpec): Promise<string> {
    const { seccomp } = spec.security;
    const profile =
      typeof seccomp === "string" ? undefined : await seccompProfile(this.#seccompFolder, seccomp.localhost);
    const resolver = await machineResolver();
    const mounts = await this.#volumes.mountsFor(spec.podUid, spec.containerName, spec.mounts);
    const message = spec.terminationMessage && (await this.#messages.create(spec));
    const parts = { seccompProfile: profile, messageFile: message?.file, mounts, resolver };
    const options = createOptions(this.#owner, this.#nodeUid(), spec, parts);
    const name = containerName(this.#owner, spec);
    try {
      const { id } = await this.#engine.call(`create ${name}`, engineDeadlines.createMs, (abortSignal) =>
        this.#engine.docker.createContainer({ ...options, abortSignal }),
      );
      this.#own.set(id, { tty: spec.tty });
      return id;
    } catch (caught) {
      if (!(caught instanceof IkadaError && caught.reason === "Conflict")) throw caught;
      const existing = await this.#inspect(name);
      if (existing?.podUid === spec.podUid && existing.specHash === spec.specHash) return existing.id;
      throw caught;
    } finally {
      message?.made();
    }
  }

  async #start(id: string): Promise<void> {
    await this.#requireOwn(id);
    try {
      await this.#engine.call(`start ${short(id)}`, engineDeadlines.startMs, (abortSignal) =>
        this.#engine.docker.getContainer(id).start({ abortSignal }),
      );
    } catch (caught) {
      const status = statusOf(caught);
      if (status === 304) return;
      // 404 also stands for a command that is not in the image; the container itself tells which it was.
      if ((status === 404 || status === 400) && (await this.#inspect(id)) !== undefined) {
        throw new IkadaError("Invalid", IkadaError.from(caught).message, {}, caught);
      }
      throw caught;
    }
  }

  async #stop(id: string, graceMs: number): Promise<void> {
    if (!(await this.#isOwn(id))) return;
    const graceSeconds = Math.ceil(graceMs / 1000);
    const deadlineMs = graceSeconds * 1000 + engineDeadlines.stopMs;
    this.#access.endCopies(id, "the container is stopped");
    const container = this.#engine.docker.getContainer(id);
    await unlessGone([304, 404, 409], () =>
      this.#engine.call(`stop ${short(id)}`, deadlineMs, (abortSignal) =>
        // Nothing waits for a grace of 0: a plain SIGKILL is one signal less.
        graceSeconds === 0
          ? container.kill({ signal: "SIGKILL", abortSignal })
          : container.stop({ t: graceSeconds, abortSignal }),
      ),
    );
    await this.#waitForExit(id);
  }

  /** `kill` answers before the process is gone. */
  async #waitForExit(id: string): Promise<void> {
    await unlessGone([404], () =>
      this.#engine.call(`wait for the end of ${short(id)}`, engineDeadlines.stopMs, (abortSignal) =>
        this.#engine.docker.getContainer(id).wait({ abortSignal }),
      ),
    );
  }

  async #restore(id: string): Promise<void> {
    if (!(await this.#isOwn(id))) return;
    try {
      await this.#alterations.restore(id);
    } catch (caught) {
      if (!(caught instanceof IkadaError && caught.reason === "NotFound")) throw caught;
    }
  }

  async #remove(id: string): Promise<void> {
    this.#access.endCopies(id, "the container is removed");
    const info = await this.#inspect(id);
    if (info === undefined) return;
    const removed = await unlessGone([404, 409], () =>
      this.#engine.call(`remove ${short(id)}`, engineDeadlines.removeMs, (abortSignal) =>
        this.#engine.docker.getContainer(id).remove({ force: true, v: true, abortSignal }),
      ),
    );
    // 409: somebody else removes it at this moment; wait for that.
    if (removed === 409) {
      await unlessGone([404], () =>
        this.#engine.call(`wait for the removal of ${short(id)}`, engineDeadlines.removeMs, (abortSignal) =>
          this.#engine.docker.getContainer(id).wait({ condition: "removed", abortSignal }),
        ),
      );
    }
    this.#own.delete(id);
    this.#alterations.forget(id);
    await this.#messages.remove(info);
  }

  async #image(reference: string): Promise<ImageInfo | undefined> {
    try {
      const image = await this.#engine.call(`inspect image ${reference}`, engineDeadlines.readMs, () =>
        this.#engine.docker.getImage(taggedReference(reference)).inspect(),
      );
      return { id: image.Id, digests: named(image.RepoDigests), user: image.Config?.User ?? "" };
    } catch (caught) {
      if (caught instanceof IkadaError && caught.reason === "NotFound") return undefined;
      throw caught;
    }
  }

  async #ensureSandboxImage(): Promise<string> {
    const present = await this.#image(sandboxImageReference);
    if (present !== undefined) return sandboxImageReference;
    const version = await this.#engine.call("version", engineDeadlines.readMs, () => this.#engine.docker.version());
    if (version.Arch !== "amd64" && version.Arch !== "arm64") {
      throw new IkadaError("Unsupported", `docker: the engine's machine is ${version.Arch}; amd64 and arm64 are known`);
    }
    const archive = await sandboxImageArchive(version.Arch);
    await this.#engine.call("load the sandbox image", engineDeadlines.loadImageMs, async () => {
      const answer = await this.#engine.docker.loadImage(Readable.from([archive]), { quiet: true });
      await finished(answer.resume());
    });
    if ((await this.#image(sandboxImageReference)) === undefined) {
      throw new IkadaError("Internal", `docker: ${sandboxImageReference} is not there after it was loaded`);
    }
    this.#log.info("sandbox image loaded", { image: sandboxImageReference, architecture: version.Arch });
    return sandboxImageReference;
  }

  async #isOwn(id: string): Promise<boolean> {
    return this.#own.has(id) || (await this.#inspect(id)) !== undefined;
  }

  async #requireOwn(id: string): Promise<{ readonly tty: boolean }> {
    if (!this.#own.has(id)) await this.#inspect(id);
    const own = this.#own.get(id);
    if (own !== undefined) return own;
    throw new IkadaError("NotFound", `docker: no own container ${short(id)}`);
  }
}

/** A command that takes longer has begun, and keeps no other one from beginning. */
const execBeginsMs = 1_000;

/** Inspections in flight of one list. */
const inspectionsMax = 8;

function settle<T>(promise: Promise<T>, done: (error: Error | null, result: T) => void, none: T): void {
  const answer = async (): Promise<void> => {
    let result: T;
    try {
      result = await promise;
    } catch (caught) {
      done(IkadaError.from(caught), none);
      return;
    }
    done(null, result);
  };
  void answer();
}

/** Runs a call and takes these HTTP statuses as success; gives the status then. */
async function unlessGone(statuses: readonly number[], run: () => Promise<unknown>): Promise<number | undefined> {
  try {
    await run();
    return undefined;
  } catch (caught) {
    const status = statusOf(caught);
    if (status !== undefined && statuses.includes(status)) return status;
    throw caught;
  }
}

function statusOf(caught: unknown): number | undefined {
  const cause = caught instanceof IkadaError ? (caught.cause as { statusCode?: number } | undefined) : undefined;
  return cause?.statusCode;
}

async function inParallel<T, R>(items: readonly T[], max: number, run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      results[at] = await run(items[at] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(max, items.length) }, worker));
  return results;
}

function short(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id;
}

import type { Clock, Timer, Timers } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { taggedReference } from "../../src/api/image-reference.js";
import { fakePlace } from "./fake-place.js";
import type { FakeImage, FakeProgram } from "./fake-program.js";
import { FakeVolumes, type FakeMounts } from "./fake-volumes.js";
import type { MachineSupplies } from "./pressure/signals.js";
import type { RegistryCredentials } from "./registry-credentials.js";
import { terminationMessageBytesMax, terminationOutput } from "./runtime.js";
import type { ContainerEvent, ContainerInfo, ContainerSpec, DiskSpace } from "./runtime.js";
import { fnv64 } from "./spec-hash.js";

export type FakeOperation =
  | "ping"
  | "list"
  | "inspect"
  | "create"
  | "start"
  | "stop"
  | "restore"
  | "remove"
  | "image"
  | "pull"
  | "exec"
  | "event";

export interface FakeEngineOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Images that are there from the start. */
  readonly images: Readonly<Record<string, FakeImage>>;
  /** What a pull finds: an image, or why there is none. */
  readonly registry: (reference: string, credentials?: RegistryCredentials) => FakeImage | string;
  /** How long the engine takes, in milliseconds; the default is what Docker 20.10 was measured to take. */
  readonly latencyMs?: (operation: FakeOperation, role?: "sandbox" | "container") => number;
  /** Asked for each operation: what it fails with in place of its answer, and whether it takes effect all the same. */
  readonly failure?: (operation: FakeOperation) => FakeFailure | undefined;
}

export interface FakeFailure {
  readonly error: IkadaError;
  readonly takesEffect: boolean;
}

export interface FakeContainer {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly spec: ContainerSpec;
  readonly mounts: FakeMounts;
  info: ContainerInfo;
  program: FakeProgram | undefined;
  exitTimer: Timer | undefined;
  lines: { stream: "stdout" | "stderr"; line: string; at: number }[];
  /** Log followers. */
  readonly followers: Set<() => void>;
}

/** What one container takes. */
export interface FakeUse {
  readonly memoryBytes: number;
  readonly processes: number;
  readonly writableBytes: number;
  readonly logBytes: number;
}

const littleUse: FakeUse = { memoryBytes: 2 ** 20, processes: 1, writableBytes: 0, logBytes: 0 };

export const roomyMachine: MachineSupplies = {
  supplies: {
    "memory.available": { capacity: 16 * 2 ** 30, available: 12 * 2 ** 30 },
    "nodefs.available": { capacity: 100 * 2 ** 30, available: 90 * 2 ** 30 },
    "nodefs.inodesFree": { capacity: 1e6, available: 9e5 },
    "imagefs.available": { capacity: 100 * 2 ** 30, available: 90 * 2 ** 30 },
    "imagefs.inodesFree": { capacity: 1e6, available: 9e5 },
    "pid.available": { capacity: 32_768, available: 32_000 },
  },
  hasImageDisk: false,
};

type EventObserver = (container: FakeContainer, type: ContainerEvent["type"]) => void;

/**
 * A container engine in memory, which outlives the agents that use it through `FakeRuntime`. It does what Docker does: unique names,
 * no start without an image and a running sandbox, SIGTERM that a process 1 without a handler never sees, events after the fact.
 */
export class FakeEngine {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly containers = new Map<string, FakeContainer>();
  /** By tag; those without one by id. */
  readonly images: Map<string, FakeImage>;
  /** Ids of images by the `repository@digest` that they were pulled by. */
  readonly digests = new Map<string, string>();
  readonly volumes: FakeVolumes;
  readonly registry: FakeEngineOptions["registry"];
  readonly #latencyMs: NonNullable<FakeEngineOptions["latencyMs"]>;
  readonly #failure: NonNullable<FakeEngineOptions["failure"]>;
  readonly #observers = new Set<{ onEvent: EventObserver; onDown: () => void; onUp: () => void }>();
  #down = false;
  /** Of the machine. */
  imageDisk: DiskSpace = { capacityBytes: 100e9, availableBytes: 90e9 };
  /** What the machine has left, with a disk of its own for images when `hasImageDisk`. */
  machine: MachineSupplies = roomyMachine;
  /** What containers take, by id or as `pod/container`; of others it is little. */
  readonly uses = new Map<string, Partial<FakeUse>>();
  /** As when the engine's process is stopped: connections stay, calls end by their deadlines, events are not told. */
  hung = false;
  #count = 0;
  #addresses = 1;
  /** Names of all operations since the start, for tests. */
  readonly history: string[] = [];

  constructor(options: FakeEngineOptions) {
    this.clock = options.clock;
    this.timers = options.timers;
    this.volumes = new FakeVolumes(options.timers);
    this.images = new Map(Object.entries(options.images));
    this.registry = options.registry;
    this.#latencyMs = options.latencyMs ?? measuredLatencyMs;
    this.#failure = options.failure ?? (() => undefined);
  }

  get down(): boolean {
    return this.#down;
  }

  /** As when the engine's process is gone, with its containers still running (`live-restore`). */
  setDown(down: boolean): void {
    if (down === this.#down) return;
    this.#down = down;
    for (const observer of this.#observers) {
      this.timers.after(0, () => (down ? observer.onDown() : observer.onUp()));
    }
  }

  /** Runs `work` after the operation's latency; `work` throws what the engine answers as an error. */
  run<T>(operation: FakeOperation, work: () => T, done: (error: Error | null, result: T | undefined) => void): void {
    const deadlineMs = operation === "ping" ? 5_000 : 15_000;
    this.timers.after(this.hung ? deadlineMs : this.#latencyMs(operation), () => {
      let result: T;
      try {
        if (this.hung) throw new IkadaError("Deadline", `fake engine: ${operation}: no answer within ${deadlineMs} ms`);
        if (this.#down) throw new IkadaError("Unavailable", "fake engine: down");
        this.history.push(operation);
        const failure = this.#failure(operation);
        if (failure?.takesEffect === false) throw failure.error;
        result = work();
        if (failure) throw failure.error;
      } catch (caught) {
        done(IkadaError.from(caught), undefined);
        return;
      }
      done(null, result);
    });
  }

  observe(observer: { onEvent: EventObserver; onDown: () => void; onUp: () => void }): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  useOf(id: string): FakeUse {
    const { podName = "", containerName = "" } = this.containers.get(id)?.info ?? {};
    return { ...littleUse, ...(this.uses.get(id) ?? this.uses.get(`${podName}/${containerName}`)) };
  }

  require(id: string): FakeContainer {
    const container = this.containers.get(id);
    if (container === undefined) throw new IkadaError("NotFound", `fake engine: no container ${id}`);
    return container;
  }

  /** By tag, digest or id. */
  findImage(reference: string): { readonly id: string; readonly image: FakeImage } | undefined {
    const key = taggedReference(reference);
    const tagged = this.images.get(key);
    if (tagged !== undefined) return { id: fakeImageId(key, tagged), image: tagged };
    const id = this.digests.get(key) ?? reference;
    for (const [name, image] of this.images) if (fakeImageId(name, image) === id) return { id, image };
    return undefined;
  }

  /** `impostor`: as somebody would who makes one by hand with the labels of this owner. */
  create(owner: string, spec: ContainerSpec, impostor = false): string {
    const by = impostor ? `by-hand-${this.#count}` : owner;
    const name = `${by}/${spec.podUid}/${spec.role}/${spec.containerName}/${spec.attempt}`;
    for (const other of this.containers.values()) {
      if (other.name !== name) continue;
      if (other.spec.specHash === spec.specHash) return other.id;
      throw new IkadaError("Conflict", `fake engine: the name ${name} is taken by ${other.id}`);
    }
    const found = this.findImage(spec.image);
    if (found === undefined) throw new IkadaError("NotFound", `fake engine: no image ${spec.image}`);
    const mounts = this.volumes.mounted(spec.podUid, spec.mounts);
    this.#count += 1;
    const id = `fake-${this.#count}`;
    const info: ContainerInfo = {
      id,
      podUid: spec.podUid,
      podNamespace: spec.podNamespace,
      podName: spec.podName,
      containerName: spec.containerName,
      role: spec.role,
      attempt: spec.attempt,
      specHash: spec.specHash,
      phase: "created",
      image: spec.image,
      imageId: found.id,
      startedAt: undefined,
      finishedAt: undefined,
      exitCode: undefined,
      oomKilled: false,
      message: undefined,
      ip: undefined,
      altered: undefined,
      impostor,
    };
    const container: FakeContainer = {
      id,
      name,
      owner,
      spec,
      mounts,
      info,
      program: undefined,
      exitTimer: undefined,
      lines: [],
      followers: new Set(),
    };
    this.containers.set(id, container);
    this.#emit(container, "create");
    return id;
  }

  start(id: string): void {
    const container = this.require(id);
    const { spec, info } = container;
    if (info.phase === "running") return;
    if (spec.sandboxId !== undefined && this.containers.get(spec.sandboxId)?.info.phase !== "running") {
      throw new IkadaError(
        "Conflict",
        `fake engine: cannot join network of a non running container: ${spec.sandboxId}`,
      );
    }
    const image = this.findImage(info.imageId)?.image;
    const sandbox = spec.sandboxId === undefined ? undefined : this.containers.get(spec.sandboxId)?.spec;
    const place = fakePlace(spec, sandbox, image?.user ?? "", container.mounts);
    const program = spec.role === "sandbox" ? pause : image?.program([...spec.command, ...spec.args], spec.env, place);
    if (program === undefined) {
      throw new IkadaError("Invalid", `fake engine: exec: "${spec.command[0]}": executable file not found in $PATH`);
    }
    const hasAddress = spec.sandbox?.network === "pod";
    const at = this.clock.now();
    container.program = program;
    container.info = {
      ...info,
      phase: "running",
      startedAt: at,
      ip: hasAddress ? this.#nextAddress() : undefined,
    };
    // A terminal has one stream.
    container.lines = program.output.map(({ stream, line }) =>
      spec.tty ? { stream: "stdout", line: `${line}\r`, at } : { stream, line, at },
    );
    this.#emit(container, "start");
    if (Number.isFinite(program.runForMs)) {
      container.exitTimer = this.timers.after(program.runForMs, () => {
        this.exit(container, program.oomKilled ? 137 : program.exitCode, program.oomKilled);
      });
    }
  }

  /** As `docker kill --signal`. */
  signal(id: string, signal: string): void {
    const container = this.require(id);
    if (container.info.phase !== "running") return;
    const onTerm = container.program?.onTerm ?? "ignored";
    if (signal === "SIGKILL") this.exit(container, 137, false);
    else if (onTerm !== "ignored" && (onTerm.signal ?? "SIGTERM") === signal)
      this.exit(container, onTerm.exitCode, false);
  }

  remove(id: string): void {
    const container = this.containers.get(id);
    if (container === undefined) return;
    if (container.info.phase === "running") this.exit(container, 137, false);
    this.containers.delete(id);
    this.#emit(container, "destroy");
  }

  /** As somebody does it by hand with `docker pause`, `update`, `rename` and `network disconnect`. A limit that is taken away can't be given back. */
  alter(id: string, how: "pause" | "update" | "limit" | "rename" | "disconnect"): void {
    const container = this.require(id);
    const { info } = container;
    const altered = (what: string): ContainerInfo["altered"] => ({ what, isRevocable: true });
    if (how === "rename") container.info = { ...info, impostor: true };
    else if (how === "disconnect") container.info = { ...info, ip: undefined, altered: altered("network") };
    else
      container.info = {
        ...info,
        altered: altered(how === "pause" ? "paused" : how === "limit" ? "PidsLimit" : "Memory"),
      };
    this.#emit(container, how === "limit" ? "update" : how === "disconnect" ? "network" : how);
  }

  restore(id: string): void {
    const container = this.containers.get(id);
    if (container?.info.altered === undefined) return;
    const { info } = container;
    const { what } = container.info.altered;
    if (what === "PidsLimit") container.info = { ...info, altered: { what, isRevocable: false } };
    else container.info = { ...info, altered: undefined, ip: what === "network" ? this.#nextAddress() : info.ip };
    this.#emit(container, what === "paused" ? "unpause" : what === "network" ? "network" : "update");
  }

  #nextAddress(): string {
    this.#addresses += 1;
    return `10.99.${this.#addresses >> 8}.${this.#addresses & 255}`;
  }

  exit(container: FakeContainer, exitCode: number, oomKilled: boolean): void {
    if (container.info.phase !== "running") return;
    container.exitTimer?.cancel();
    container.info = {
      ...container.info,
      phase: "exited",
      finishedAt: this.clock.now(),
      exitCode,
      oomKilled,
      message: messageOf(container, exitCode),
      ip: undefined,
      altered: undefined,
    };
    if (oomKilled) this.#emit(container, "oom");
    this.#emit(container, "die");
    for (const wake of container.followers) wake();
  }

  #emit(container: FakeContainer, type: ContainerEvent["type"]): void {
    if (this.#down || this.hung) return;
    for (const { onEvent } of this.#observers) {
      this.timers.after(this.#latencyMs("event"), () => onEvent(container, type));
    }
  }
}

function messageOf({ spec, program, lines }: FakeContainer, exitCode: number): string | undefined {
  if (spec.terminationMessage === undefined) return undefined;
  const written = program?.message?.slice(0, terminationMessageBytesMax);
  if (written !== undefined || !spec.terminationMessage.fallBackToOutput || exitCode === 0) return written;
  const output = lines.slice(-terminationOutput.linesMax).map(({ line }) => `${line}\n`);
  return output.join("").slice(-terminationOutput.bytesMax) || undefined;
}

export function fakeImageId(key: string, image: FakeImage): string {
  return image.id ?? (key.startsWith("sha256:") ? key : fakeDigest(key));
}

/** Stands for the hash of what the text stands for. */
export function fakeDigest(text: string): string {
  const parts = ["a", "b", "c", "d"].map((part) => fnv64(new TextEncoder().encode(part + text)));
  return `sha256:${parts.map((part) => part.toString(16).padStart(16, "0")).join("")}`;
}

const pause: FakeProgram = {
  runForMs: Infinity,
  exitCode: 0,
  onTerm: { exitCode: 0 },
  oomKilled: false,
  output: [],
};

/** Medians of Docker 20.10 on two processors. */
export function measuredLatencyMs(operation: FakeOperation): number {
  const table: Record<FakeOperation, number> = {
    ping: 1,
    list: 3,
    inspect: 1,
    create: 7,
    start: 70,
    stop: 30,
    restore: 5,
    remove: 5,
    image: 1,
    pull: 1_500,
    exec: 1,
    event: 1,
  };
  return table[operation];
}

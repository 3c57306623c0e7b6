import type { Done, Finished } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type {
  ArchiveRequest,
  AttachRequest,
  ConnectRequest,
  ContainerStream,
  ContainerUsage,
  ExecStreamRequest,
  StreamSink,
} from "./access.js";
import { pullFailure } from "./engine-words.js";
import { FakeAccess } from "./fake-access.js";
import { FakeImages, fakeImageBytes } from "./fake-images.js";
import { type FakeContainer, type FakeEngine, type FakeOperation } from "./fake-engine.js";
import { taggedReference } from "../../src/api/image-reference.js";
import { runsFakeProcess } from "./fake-process.js";
import { shellImage, type FakeExec, type FakeImage } from "./fake-program.js";
import type {
  ContainerInfo,
  ContainerObserver,
  ContainerRuntime,
  ContainerSpec,
  ContainerStorage,
  DiskSpace,
  DiskUsage,
  ExecRequest,
  ExecResult,
  ImageInfo,
  LogRequest,
  LogSink,
  Pace,
  PullRequest,
  StoredImage,
} from "./runtime.js";

/** One agent's view of a fake engine. `detach` is what the death of the agent's process does: no answer arrives any more. */
export class FakeRuntime implements ContainerRuntime {
  readonly #engine: FakeEngine;
  readonly #owner: string;
  readonly #access: FakeAccess;
  readonly #images: FakeImages;
  #attached = true;

  constructor(engine: FakeEngine, owner: { readonly clusterId: string; readonly node: string }) {
    this.#engine = engine;
    this.#owner = `${owner.clusterId}/${owner.node}`;
    const isHeard = (): boolean => this.#attached;
    this.#images = new FakeImages(engine);
    this.#access = new FakeAccess({ engine, require: (id) => this.#require(id), isHeard });
  }

  /** Calls that reached the engine still take effect there. */
  detach(): void {
    this.#attached = false;
  }

  ping(done: Finished): void {
    this.#run("ping", () => undefined, done, undefined);
  }

  list(done: Done<readonly ContainerInfo[]>): void {
    this.#run(
      "list",
      () => [...this.#engine.containers.values()].filter((one) => one.owner === this.#owner).map(({ info }) => info),
      done,
      [],
    );
  }

  inspect(containerId: string, done: Done<ContainerInfo | undefined>): void {
    this.#run("inspect", () => this.#own(containerId)?.info, done, undefined);
  }

  create(spec: ContainerSpec, done: Done<string>): void {
    this.#run("create", () => this.#engine.create(this.#owner, spec), done, "");
  }

  start(containerId: string, done: Finished): void {
    this.#run("start", () => this.#engine.start(this.#require(containerId).id), done, undefined);
  }

  stop(containerId: string, graceMs: number, done: Finished): void {
    const engine = this.#engine;
    const container = this.#own(containerId);
    if (container === undefined) {
      this.#run("stop", () => undefined, done, undefined);
      return;
    }
    let ended = false;
    const finish = (): void => {
      if (ended) return;
      ended = true;
      container.followers.delete(finish);
      this.#run("stop", () => undefined, done, undefined);
    };
    const terminate = (): void => {
      if (graceMs > 0) engine.signal(containerId, container.spec.stopSignal ?? "SIGTERM");
      if (container.info.phase !== "running") return;
      container.followers.add(finish);
      const kill = (): void => {
        if (engine.containers.has(containerId)) engine.signal(containerId, "SIGKILL");
      };
      // The engine counts the grace, not the agent, so the kill comes even when the agent dies meanwhile.
      if (graceMs > 0) engine.timers.after(Math.ceil(graceMs / 1000) * 1000, kill);
      else kill();
    };
    engine.run("stop", terminate, (error) => {
      if (!this.#attached) return;
      if (error !== null) done(error);
      else if (container.info.phase !== "running") finish();
    });
  }

  restore(containerId: string, done: Finished): void {
    const restore = (): void => {
      if (this.#own(containerId) !== undefined) this.#engine.restore(containerId);
    };
    this.#run("restore", restore, done, undefined);
  }

  remove(containerId: string, done: Finished): void {
    this.#run(
      "remove",
      () => {
        if (this.#own(containerId) !== undefined) this.#engine.remove(containerId);
      },
      done,
      undefined,
    );
  }

  image(reference: string, done: Done<ImageInfo | undefined>): void {
    this.#run("image", () => this.#images.find(reference), done, undefined);
  }

  pull({ reference, credentials, onProgress }: PullRequest, done: Done<ImageInfo>): void {
    const key = taggedReference(reference);
    this.#run(
      "pull",
      () => {
        const found = this.#engine.registry(key, credentials);
        if (typeof found === "string") throw new IkadaError(pullFailure(found), found);
        onProgress(fakeImageBytes, fakeImageBytes);
        return this.#images.pulled(key, found);
      },
      done,
      { id: "", digests: [], user: "" },
    );
  }

  images(done: Done<readonly StoredImage[]>): void {
    this.#run("image", () => this.#images.list(), done, []);
  }

  removeImage(reference: string, done: Finished): void {
    this.#run("image", () => this.#images.remove(reference), done, undefined);
  }

  imageDisk(done: Done<DiskSpace>): void {
    this.#run("image", () => this.#engine.imageDisk, done, { capacityBytes: 0, availableBytes: 0 });
  }

  storage(containerIds: readonly string[], _pace: Pace, done: Done<ReadonlyMap<string, ContainerStorage>>): void {
    const measure = (): ReadonlyMap<string, ContainerStorage> => {
      const known = containerIds.filter((id) => this.#own(id) !== undefined);
      const storages = known.map((id) => {
        const { writableBytes, logBytes } = this.#engine.useOf(id);
        return [id, { writable: usageOf(writableBytes), log: usageOf(logBytes) }] as const;
      });
      return new Map(storages);
    };
    this.#run("inspect", measure, done, new Map());
  }

  loadImages(sink: StreamSink): ContainerStream {
    return this.#images.load(sink, () => this.#attached);
  }

  ensureSandboxImage(done: Done<string>): void {
    this.#run(
      "image",
      () => {
        this.#engine.images.set(fakeSandboxImage, shellImage);
        return fakeSandboxImage;
      },
      done,
      "",
    );
  }

  exec(request: ExecRequest, done: Done<ExecResult>): void {
    const engine = this.#engine;
    const check = (): FakeContainer => {
      const container = this.#require(request.containerId);
      if (container.info.phase === "running") return container;
      throw new IkadaError("Conflict", `fake engine: container ${container.id} is not running`);
    };
    this.#run(
      "exec",
      check,
      (error, container) => {
        if (error !== null) return done(error, { exitCode: -1, output: "" });
        const script = engine.findImage(container.info.imageId)?.image ?? shellImage;
        const { takesMs, exitCode, output } = outcomeOf(script, container, request.command);
        const late = takesMs > request.timeoutMs;
        engine.timers.after(Math.min(takesMs, request.timeoutMs), () => {
          if (!this.#attached) return;
          if (late) done(new IkadaError("Deadline", "fake engine: exec: no end in time"), { exitCode: -1, output: "" });
          else done(null, { exitCode, output: output.slice(0, request.outputBytesMax) });
        });
        return undefined;
      },
      undefined as unknown as FakeContainer,
    );
  }

  events(observer: ContainerObserver): { close(): void } {
    let open = true;
    const heard = (): boolean => open && this.#attached;
    const onUp = (): void => {
      if (heard() && !this.#engine.down) observer.onOpen();
    };
    const onDown = (): void => {
      if (heard()) observer.onLost(new IkadaError("Unavailable", "fake engine: down"));
    };
    const unsubscribe = this.#engine.observe({
      onEvent: (container, type) => {
        if (heard() && container.owner === this.#owner) observer.onEvent({ type, containerId: container.id });
      },
      onDown,
      onUp,
    });
    this.#engine.timers.after(0, () => (this.#engine.down ? onDown() : onUp()));
    return {
      close() {
        open = false;
        unsubscribe();
      },
    };
  }

  logs(request: LogRequest, sink: LogSink): { close(): void } {
    const engine = this.#engine;
    const encoder = new TextEncoder();
    let [open, full, next] = [true, false, 0];
    const container = this.#own(request.containerId);
    const close = (): void => {
      open = false;
      container?.followers.delete(pump);
    };
    const pump = (): void => {
      if (!open || container === undefined) return;
      for (; next < container.lines.length && !full; next++) {
        const { stream, line, at } = container.lines[next] as (typeof container.lines)[number];
        if (at < request.sinceMs) continue;
        full = !sink.onData(stream, encoder.encode(`${line}\n`));
      }
      if (full || (request.follow && container.info.phase === "running")) return;
      close();
      sink.onEnd(null);
    };
    sink.onResume = () => {
      full = false;
      pump();
    };
    engine.timers.after(0, () => {
      if (!open || !this.#attached) return;
      if (container === undefined) {
        close();
        sink.onEnd(new IkadaError("NotFound", `fake engine: no container ${request.containerId}`));
        return;
      }
      container.followers.add(pump);
      next = request.tailLines < 0 ? 0 : Math.max(0, container.lines.length - request.tailLines);
      pump();
    });
    return { close };
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

  #own(id: string): FakeContainer | undefined {
    const container = this.#engine.containers.get(id);
    return container?.owner === this.#owner ? container : undefined;
  }

  #require(id: string): FakeContainer {
    const container = this.#own(id);
    if (container === undefined) throw new IkadaError("NotFound", `fake engine: no own container ${id}`);
    return container;
  }

  #run<T>(operation: FakeOperation, work: () => T, done: (error: Error | null, result: T) => void, none: T): void {
    this.#engine.run(operation, work, (error, result) => {
      if (this.#attached) done(error, error === null ? (result as T) : none);
    });
  }
}

/** `cat FILE` reads volumes as they are now. `busybox ps | busybox grep -q '[b]usybox NAME'` looks at what runs on streams; all else is up to the image. */
function outcomeOf(image: FakeImage, container: FakeContainer, command: readonly string[]): FakeExec {
  const [program, file = ""] = command;
  const text = program === "cat" ? container.mounts.read(file) : undefined;
  if (text !== undefined) return { exitCode: 0, output: text, takesMs: 5 };
  const [, applet] = /^busybox ps \| .*\[b\](usybox .*)'$/.exec(command[2] ?? "") ?? [];
  if (applet === undefined) return image.exec(command);
  return { exitCode: runsFakeProcess(container, `b${applet}`) ? 0 : 1, output: "", takesMs: 5 };
}

function usageOf(bytes: number): DiskUsage {
  return { bytes, inodes: 1, isComplete: true };
}

const fakeSandboxImage = "ikada/sandbox:2";

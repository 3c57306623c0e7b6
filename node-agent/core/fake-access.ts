import type { Done } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type {
  ArchiveRequest,
  AttachRequest,
  ConnectRequest,
  ContainerAccess,
  ContainerStream,
  ContainerUsage,
  ExecStreamRequest,
  StreamSink,
} from "./access.js";
import { type FakeContainer, type FakeEngine } from "./fake-engine.js";
import { FakeFiles } from "./fake-files.js";
import { FakeProcess } from "./fake-process.js";
import { shellImage } from "./fake-program.js";

export interface FakeAccessOptions {
  readonly engine: FakeEngine;
  /** @throws IkadaError NotFound */
  readonly require: (containerId: string) => FakeContainer;
  /** False once the agent's process is dead: no answer arrives any more. */
  readonly isHeard: () => boolean;
}

/** The ways into containers of a fake engine. What `openExec` runs is scripted in `FakeProcess`. */
export class FakeAccess implements ContainerAccess {
  readonly #options: FakeAccessOptions;

  constructor(options: FakeAccessOptions) {
    this.#options = options;
  }

  openExec(request: ExecStreamRequest, sink: StreamSink): ContainerStream {
    return this.#open(sink, () => {
      const container = this.#running(request.containerId);
      const { engine } = this.#options;
      const script = engine.findImage(container.info.imageId)?.image ?? shellImage;
      return new FakeProcess({
        container,
        request,
        sink,
        timers: engine.timers,
        run: (command) => script.exec(command),
      });
    });
  }

  attach(request: AttachRequest, sink: StreamSink): ContainerStream {
    return this.#open(sink, () => {
      const container = this.#running(request.containerId);
      const follow = (): void => {
        if (container.info.phase === "running") return;
        container.followers.delete(follow);
        sink.onEnd(null, container.info.exitCode);
      };
      container.followers.add(follow);
      return { ...deaf, begin: () => sink.onOpen(), close: () => container.followers.delete(follow) };
    });
  }

  connect({ sandboxId, port }: ConnectRequest, sink: StreamSink): ContainerStream {
    return this.#open(sink, () => {
      this.#running(sandboxId);
      const { engine } = this.#options;
      const listening = [...engine.containers.values()]
        .filter(({ spec, info }) => spec.sandboxId === sandboxId && info.phase === "running")
        .map(({ info }) => engine.findImage(info.imageId)?.image.serve(port))
        .find((answer) => answer !== undefined);
      if (!listening) throw new IkadaError("Unavailable", `fake engine: nothing listens on port ${port}`);
      let asked = "";
      let isOver = false;
      const answer = (): void => {
        if (isOver) return;
        isOver = true;
        sink.onData("stdout", new TextEncoder().encode(`HTTP/1.1 ${listening.status} fake\r\n\r\n`));
        sink.onEnd(null);
      };
      return {
        ...deaf,
        begin: () => sink.onOpen(),
        write(bytes) {
          asked += new TextDecoder().decode(bytes);
          if (asked.includes("\r\n\r\n")) engine.timers.after(listening.takesMs, answer);
          return true;
        },
        close() {
          isOver = true;
        },
      };
    });
  }

  readArchive({ containerId, path }: ArchiveRequest, sink: StreamSink): ContainerStream {
    return this.#open(sink, () => {
      const archive = FakeFiles.of(this.#options.require(containerId)).read(path);
      return {
        ...deaf,
        begin() {
          sink.onOpen();
          sink.onData("stdout", archive);
          sink.onEnd(null);
        },
      };
    });
  }

  writeArchive({ containerId, path }: ArchiveRequest, sink: StreamSink): ContainerStream {
    return this.#open(sink, () => {
      const writer = FakeFiles.of(this.#options.require(containerId)).writer(path);
      let isOver = false;
      const guarded = (run: () => void): void => {
        if (isOver) return;
        try {
          run();
        } catch (caught) {
          isOver = true;
          sink.onEnd(IkadaError.from(caught));
        }
      };
      return {
        ...deaf,
        begin: () => sink.onOpen(),
        write(bytes) {
          guarded(() => writer.push(bytes));
          return true;
        },
        end: () =>
          guarded(() => {
            writer.end();
            this.#options.engine.timers.after(0, () => {
              if (!isOver) sink.onEnd(null);
              isOver = true;
            });
          }),
        close() {
          isOver = true;
        },
      };
    });
  }

  /** As if each container used a tenth of a processor and a mebibyte. */
  usage(containerIds: readonly string[], done: Done<ReadonlyMap<string, ContainerUsage>>): void {
    const { engine, isHeard } = this.#options;
    engine.run(
      "inspect",
      () => {
        const usages = new Map<string, ContainerUsage>();
        const atMs = engine.clock.monotonic();
        for (const id of containerIds) {
          const { phase, startedAt } = engine.containers.get(id)?.info ?? {};
          if (phase !== "running" || startedAt === undefined) continue;
          const { memoryBytes, processes } = engine.useOf(id);
          usages.set(id, { cpuNanos: (engine.clock.now() - startedAt) * 1e5, memoryBytes, processes, atMs });
        }
        return usages;
      },
      (error, usages) => {
        if (isHeard()) done(error, usages ?? new Map());
      },
    );
  }

  #running(id: string): FakeContainer {
    const container = this.#options.require(id);
    if (container.info.phase === "running") return container;
    throw new IkadaError("Conflict", `fake engine: container ${id} is not running`);
  }

  /** Begins after the engine's latency, unless it was closed before. */
  #open(sink: StreamSink, make: () => FakeStream): ContainerStream {
    const { engine, isHeard } = this.#options;
    let stream: FakeStream | undefined;
    let isClosed = false;
    engine.run("exec", make, (error, made) => {
      if (isClosed) made?.close();
      if (isClosed || !isHeard()) return;
      if (error !== null || made === undefined) {
        isClosed = true;
        sink.onEnd(error);
        return;
      }
      stream = made;
      made.begin();
    });
    return {
      write: (bytes) => stream?.write(bytes) ?? true,
      end: () => stream?.end(),
      resize: (size) => stream?.resize(size),
      close() {
        if (isClosed) return;
        isClosed = true;
        sink.onResume = undefined;
        stream?.close();
      },
    };
  }
}

/** A stream that says by itself when it begins. */
export interface FakeStream extends ContainerStream {
  begin(): void;
}

const deaf: FakeStream = {
  begin: () => undefined,
  write: () => true,
  end: () => undefined,
  resize: () => undefined,
  close: () => undefined,
};

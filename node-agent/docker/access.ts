import type { Done, Log } from "../../src/base/env.js";
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
} from "../core/access.js";
import { readArchive, writeArchive } from "./archive.js";
import { ContainerCgroups } from "./cgroups.js";
import { Copies } from "./copies.js";
import type { Engine } from "./engine.js";
import { openAttach, openExec } from "./exec-stream.js";
import { HijackedStream } from "./hijacked-stream.js";
import { PodDialer } from "./pod-dialer.js";

/** The ways into containers of one owner, on Docker. */
export class DockerAccess implements ContainerAccess {
  readonly #engine: Engine;
  readonly #requireOwn: (id: string) => Promise<unknown>;
  readonly #log: Log;
  readonly #dialer: PodDialer;
  readonly #cgroups: ContainerCgroups;
  readonly #copies = new Copies();

  /** `requireOwn` rejects with NotFound for what is not the owner's. */
  constructor(engine: Engine, requireOwn: (id: string) => Promise<unknown>, log: Log) {
    this.#engine = engine;
    this.#requireOwn = requireOwn;
    this.#log = log;
    this.#dialer = new PodDialer(engine, log);
    this.#cgroups = new ContainerCgroups(engine);
  }

  /** Whether files of a container are being copied, so that the engine holds it. */
  isCopying(containerId: string): boolean {
    return this.#copies.has(containerId);
  }

  /** Ends what makes the engine hold a container. */
  endCopies(containerId: string, why: string): void {
    this.#copies.end(containerId, why);
  }

  openExec(request: ExecStreamRequest, sink: StreamSink): ContainerStream {
    const opening = this.#requireOwn(request.containerId).then(() => openExec(this.#engine, request, this.#log));
    return new HijackedStream("exec", opening, sink);
  }

  attach(request: AttachRequest, sink: StreamSink): ContainerStream {
    const opening = this.#requireOwn(request.containerId).then(() => openAttach(this.#engine, request));
    return new HijackedStream("attach", opening, sink);
  }

  connect({ sandboxId, port }: ConnectRequest, sink: StreamSink): ContainerStream {
    const dial = this.#requireOwn(sandboxId).then(() => this.#dialer.dial(sandboxId, port));
    const opening = dial.then((socket) => ({ socket, raw: true, exitCode: () => Promise.resolve(undefined) }));
    return new HijackedStream("connection", opening, sink);
  }

  readArchive(request: ArchiveRequest, sink: StreamSink): ContainerStream {
    const allowed = this.#requireOwn(request.containerId);
    return this.#copies.follow(request.containerId, sink, (inner) =>
      readArchive(this.#engine, allowed, request, inner),
    );
  }

  writeArchive(request: ArchiveRequest, sink: StreamSink): ContainerStream {
    const allowed = this.#requireOwn(request.containerId);
    return this.#copies.follow(request.containerId, sink, (inner) =>
      writeArchive(this.#engine, allowed, request, inner),
    );
  }

  usage(containerIds: readonly string[], done: Done<ReadonlyMap<string, ContainerUsage>>): void {
    const answer = async (): Promise<void> => {
      let usage: ReadonlyMap<string, ContainerUsage>;
      try {
        usage = await this.#cgroups.usage(containerIds);
      } catch (caught) {
        done(IkadaError.from(caught), new Map());
        return;
      }
      done(null, usage);
    };
    void answer();
  }
}

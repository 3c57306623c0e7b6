import { ikada } from "#proto/agent.js";
import { IkadaError } from "../src/base/errors.js";
import type { ContainerStream, StreamSink, TerminalSize } from "./core/access.js";
import type { Agent } from "./core/agent.js";
import { loadOwnImages } from "./core/load-images.js";
import type { ContainerRuntime } from "./core/runtime.js";

/** What streams of a server end at. */
export interface StreamSources {
  readonly agent: Pick<Agent, "findContainer" | "findRunning" | "findSandbox" | "ownImages">;
  readonly runtime: Pick<
    ContainerRuntime,
    "logs" | "openExec" | "attach" | "connect" | "readArchive" | "writeArchive" | "image" | "images" | "loadImages"
  >;
  readonly stats: { latest(): ikada.agent.v1.INodeStats };
}

export interface Source extends ContainerStream {
  /** Input is taken from `onOpen` on. */
  readonly waitsForOpen: boolean;
}

/** Begins what a server asked for. @throws IkadaError NotFound, Conflict, Unsupported */
export function openSource(open: ikada.agent.v1.IOpenStream, sources: StreamSources, sink: StreamSink): Source {
  const { agent, runtime } = sources;
  const { logs, exec, attach, port, readArchive, writeArchive, stats, loadImages, listImages } = open;
  if (logs) return withoutInput(startLogs(logs, sources, sink));
  if (exec) {
    const { command, stdin, tty, size } = exec;
    const containerId = found(agent.findRunning(exec.podUid ?? "", exec.container ?? ""));
    const request = {
      containerId,
      command: command ?? [],
      stdin: stdin ?? false,
      tty: tty ?? false,
      size: sizeOf(size),
    };
    return waiting(runtime.openExec(request, sink));
  }
  if (attach) {
    const containerId = found(agent.findRunning(attach.podUid ?? "", attach.container ?? ""));
    return waiting(runtime.attach({ containerId, stdin: attach.stdin ?? false, size: sizeOf(attach.size) }, sink));
  }
  if (port) {
    const sandboxId = found(agent.findSandbox(port.podUid ?? ""));
    return waiting(runtime.connect({ sandboxId, port: port.port ?? 0 }, sink));
  }
  const archive = readArchive ?? writeArchive;
  if (archive) {
    const containerId = found(agent.findContainer(archive.podUid ?? "", archive.container ?? "", false));
    const request = { containerId, path: archive.path ?? "" };
    return waiting(readArchive ? runtime.readArchive(request, sink) : runtime.writeArchive(request, sink));
  }
  if (stats) return withoutInput(sendStats(sources.stats.latest(), sink));
  if (loadImages) return waiting(loadOwnImages(runtime, agent.ownImages, sink));
  if (listImages) return withoutInput(sendImages(sources, sink));
  throw new IkadaError(
    "Unsupported",
    "this agent does not know this kind of stream; its version is older than the server's",
  );
}

function startLogs(
  logs: ikada.agent.v1.ILogStream,
  { agent, runtime }: StreamSources,
  sink: StreamSink,
): { close(): void } {
  const request = {
    containerId: found(agent.findContainer(logs.podUid ?? "", logs.container ?? "", logs.previous ?? false)),
    follow: logs.follow ?? false,
    tailLines: logs.tailLines ?? -1,
    sinceMs: logs.sinceMs ?? 0,
    timestamps: logs.timestamps ?? false,
  };
  return runtime.logs(request, sink);
}

function sendStats(stats: ikada.agent.v1.INodeStats, sink: StreamSink): { close(): void } {
  let open = true;
  queueMicrotask(() => {
    if (!open) return;
    sink.onData("stdout", ikada.agent.v1.NodeStats.encode(stats).finish());
    sink.onEnd(null);
  });
  return {
    close() {
      open = false;
    },
  };
}

function sendImages({ agent, runtime }: StreamSources, sink: StreamSink): { close(): void } {
  let open = true;
  runtime.images((error, images) => {
    if (!open) return;
    const { book } = agent.ownImages;
    const bytes = ikada.agent.v1.NodeImages.encode({
      images: images.map(({ id, tags, digests, sizeBytes, inUse }) => ({
        id,
        tags: [...tags],
        digests: [...digests],
        sizeBytes,
        inUse,
        own: book[id] !== undefined,
      })),
    }).finish();
    if (error === null) {
      for (let at = 0; at < bytes.length; at += frameBytesMax)
        sink.onData("stdout", bytes.subarray(at, at + frameBytesMax));
    }
    sink.onEnd(error);
  });
  return {
    close() {
      open = false;
    },
  };
}

const frameBytesMax = 64 * 1024;

/** @throws IkadaError */
function found(id: string | IkadaError): string {
  if (id instanceof IkadaError) throw id;
  return id;
}

function sizeOf(size: ikada.agent.v1.ITerminalSize | null | undefined): TerminalSize | undefined {
  return size ? { columns: size.columns ?? 0, rows: size.rows ?? 0 } : undefined;
}

function waiting(stream: ContainerStream): Source {
  return {
    waitsForOpen: true,
    write: (bytes) => stream.write(bytes),
    end: () => stream.end(),
    resize: (size) => stream.resize(size),
    close: () => stream.close(),
  };
}

function withoutInput(source: { close(): void }): Source {
  return {
    waitsForOpen: false,
    write: () => true,
    end: () => undefined,
    resize: () => undefined,
    close: () => source.close(),
  };
}

import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/agent.js";
import { agentMethods } from "../src/host/agent-methods.js";
import { errorFromStatus } from "../src/host/grpc-errors.js";
import { callBidi } from "../src/host/grpc.js";
import type { Log } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import type { Agent } from "./core/agent.js";
import type { ContainerRuntime, LogSink } from "./core/runtime.js";

type Frames = ClientDuplexStream<ikada.agent.v1.IStreamFrame, ikada.agent.v1.StreamFrame>;

export interface PodStreamOptions {
  readonly client: Client;
  readonly agent: Pick<Agent, "findContainer">;
  readonly runtime: Pick<ContainerRuntime, "logs">;
  readonly log: Log;
  /** Called once when the stream has ended, whoever ended it. */
  onEnd(): void;
}

/** Opens the stream that a server asked for, on the session's connection, and feeds it until one side ends it. */
export function openPodStream(open: ikada.agent.v1.IOpenStream, options: PodStreamOptions): { close(): void } {
  const streamId = open.streamId ?? "";
  const call: Frames = callBidi(options.client, agentMethods.podStream);
  let source: { close(): void } | undefined;
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    source?.close();
    options.onEnd();
  };
  call.on("error", (error) => {
    const { reason, message } = errorFromStatus(error);
    if (!ended && reason !== "Cancelled") options.log.debug("pod stream ended", { stream: streamId, error: message });
    end();
  });
  // The server sends nothing on a log stream, but it has to be read for its end to be seen.
  call.on("data", () => undefined);
  call.on("end", () => {
    end();
    call.end();
  });
  call.write({ streamId });
  const finish = (error: IkadaError | null): void => {
    if (ended) return;
    call.write({ end: true, ...(error && { error: error.message, reason: error.reason }) });
    call.end();
    end();
  };
  source = startLogs(open, options, call, finish);
  if (ended) source?.close();
  return {
    close() {
      end();
      call.cancel();
    },
  };
}

function startLogs(
  open: ikada.agent.v1.IOpenStream,
  options: PodStreamOptions,
  call: Frames,
  finish: (error: IkadaError | null) => void,
): { close(): void } | undefined {
  const { logs } = open;
  if (!logs) {
    finish(new IkadaError("Unsupported", "this agent only knows streams of logs"));
    return undefined;
  }
  const containerId = options.agent.findContainer(logs.podUid ?? "", logs.container ?? "", logs.previous ?? false);
  if (containerId instanceof IkadaError) {
    finish(containerId);
    return undefined;
  }
  const sink: LogSink = {
    onData: (_stream, bytes) => call.write({ data: bytes }),
    onEnd: (error) => finish(error === null ? null : IkadaError.from(error)),
    onResume: undefined,
  };
  call.on("drain", () => sink.onResume?.());
  const request = {
    containerId,
    follow: logs.follow ?? false,
    tailLines: logs.tailLines ?? -1,
    sinceMs: logs.sinceMs ?? 0,
    timestamps: logs.timestamps ?? false,
  };
  return options.runtime.logs(request, sink);
}

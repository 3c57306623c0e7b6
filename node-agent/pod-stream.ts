import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/agent.js";
import { agentMethods } from "../src/host/agent-methods.js";
import { errorFromStatus } from "../src/host/grpc-errors.js";
import { callBidi } from "../src/host/grpc.js";
import type { Log } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import type { StreamSink, TerminalSize } from "./core/access.js";
import { openSource, type StreamSources } from "./stream-sources.js";

type Frames = ClientDuplexStream<ikada.agent.v1.IStreamFrame, ikada.agent.v1.StreamFrame>;

export interface PodStreamOptions extends StreamSources {
  readonly client: Client;
  readonly log: Log;
  /** Called once when the stream has ended, whoever ended it. */
  onEnd(): void;
}

/**
 * Opens the stream that a server asked for, on the session's connection, and passes frames both ways until one side ends it. When the server
 * ends it first, or is lost, the caller has gone: what was opened is closed.
 */
export function openPodStream(open: ikada.agent.v1.IOpenStream, options: PodStreamOptions): { close(): void } {
  const stream = new PodStream(open, options);
  return { close: () => stream.cancel() };
}

/** Says why a stream is not opened. */
export function refusePodStream(open: ikada.agent.v1.IOpenStream, client: Client, error: IkadaError): void {
  const call: Frames = callBidi(client, agentMethods.podStream);
  call.on("error", () => undefined);
  call.on("data", () => undefined);
  call.write({ streamId: open.streamId ?? "", ...lastFrame(error) });
  call.end();
}

class PodStream {
  readonly #options: PodStreamOptions;
  readonly #call: Frames;
  readonly #sink: StreamSink;
  readonly #source: ReturnType<typeof openSource> | undefined;
  #inputEnded = false;
  #over = false;

  constructor(open: ikada.agent.v1.IOpenStream, options: PodStreamOptions) {
    this.#options = options;
    const call: Frames = callBidi(options.client, agentMethods.podStream);
    this.#call = call;
    this.#sink = {
      onOpen: () => this.#opened(),
      onData: (stream, bytes) => call.write({ data: bytes, isStderr: stream === "stderr" }),
      onDrain: () => call.resume(),
      onEnd: (error, exitCode) => this.#finish(error === null ? null : IkadaError.from(error), exitCode),
      onResume: undefined,
    };
    call.on("error", (error) => {
      const { reason, message } = errorFromStatus(error);
      if (!this.#over && reason !== "Cancelled") {
        options.log.debug("pod stream ended", { stream: open.streamId ?? "", error: message });
      }
      this.#end();
    });
    call.on("drain", () => this.#sink.onResume?.());
    call.on("data", (frame: ikada.agent.v1.StreamFrame) => this.#take(frame));
    call.on("end", () => {
      this.#end();
      call.end();
    });
    call.write({ streamId: open.streamId ?? "" });
    try {
      this.#source = openSource(open, options, this.#sink);
      // The end of the stream has to be seen where no input is expected; else input waits for its taker.
      if (this.#source.waitsForOpen) call.pause();
    } catch (caught) {
      this.#finish(IkadaError.from(caught));
    }
    if (this.#over) this.#source?.close();
  }

  cancel(): void {
    this.#end();
    this.#call.cancel();
  }

  #opened(): void {
    this.#call.write({ opened: true });
    this.#call.resume();
  }

  #take({ data, end, resize }: ikada.agent.v1.StreamFrame): void {
    if (this.#over) return;
    if (resize) this.#source?.resize(sizeOf(resize));
    if (data.length > 0 && !this.#inputEnded && this.#source?.write(data) === false) this.#call.pause();
    if (end && !this.#inputEnded) {
      this.#inputEnded = true;
      this.#source?.end();
    }
  }

  #finish(error: IkadaError | null, exitCode?: number): void {
    if (this.#over) return;
    this.#call.write(lastFrame(error, exitCode));
    this.#call.end();
    // What still comes in is for nobody, and has to be read for the end to be seen.
    this.#call.resume();
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink.onResume = undefined;
    this.#source?.close();
    this.#options.onEnd();
  }
}

function lastFrame(error: IkadaError | null, exitCode?: number): ikada.agent.v1.IStreamFrame {
  return {
    end: true,
    ...(error && { error: error.message, reason: error.reason, hint: error.details.hint ?? "" }),
    ...(exitCode !== undefined && { exitCode }),
  };
}

function sizeOf({ columns, rows }: ikada.agent.v1.ITerminalSize): TerminalSize {
  return { columns: columns ?? 0, rows: rows ?? 0 };
}

import type { IncomingMessage } from "node:http";
import { IkadaError } from "../../src/base/errors.js";
import type { LogRequest, LogSink } from "../core/runtime.js";
import type { Engine } from "./engine.js";
import { FrameSplitter } from "./frames.js";

/**
 * Passes a container's output to `sink`. When the sink is full, reading from the engine stops; what was read already
 * (one chunk, at most 64 KiB) is still delivered.
 */
export function followLogs(
  engine: Engine,
  allowed: Promise<{ readonly tty: boolean }>,
  request: LogRequest,
  sink: LogSink,
): { close(): void } {
  let closed = false;
  let stream: IncomingMessage | undefined;
  const end = (error: Error | null): void => {
    if (closed) return;
    closed = true;
    sink.onResume = undefined;
    stream?.destroy();
    sink.onEnd(error);
  };
  const attach = (opened: IncomingMessage, tty: boolean): void => {
    stream = opened;
    if (closed) {
      opened.destroy();
      return;
    }
    const deliver = (name: "stdout" | "stderr", bytes: Uint8Array): void => {
      if (!closed && !sink.onData(name, bytes)) opened.pause();
    };
    const splitter = new FrameSplitter(deliver);
    sink.onResume = () => opened.resume();
    // A terminal has one stream, and its output no frames.
    opened.on("data", (chunk: Buffer) => (tty ? deliver("stdout", chunk) : splitter.push(chunk)));
    opened.on("end", () => end(null));
    opened.on("error", (error) => end(new IkadaError("Unavailable", `docker: logs: ${error.message}`, {}, error)));
    opened.on("close", () => end(new IkadaError("Unavailable", "docker: logs: the engine closed the stream")));
  };
  const id = request.containerId;
  const open = async (): Promise<void> => {
    try {
      const { tty } = await allowed;
      const opened = await engine.openStream(`logs of ${id.slice(0, 12)}`, {
        path: `/containers/${id}/logs`,
        method: "GET",
        options: {
          follow: request.follow,
          stdout: true,
          stderr: true,
          timestamps: request.timestamps,
          tail: request.tailLines < 0 ? "all" : String(request.tailLines),
          since: request.sinceMs === 0 ? "0" : (request.sinceMs / 1000).toFixed(3),
        },
      });
      attach(opened, tty);
    } catch (caught) {
      end(IkadaError.from(caught));
    }
  };
  void open();
  return {
    close() {
      closed = true;
      sink.onResume = undefined;
      stream?.destroy();
    },
  };
}

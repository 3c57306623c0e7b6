import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { engineDeadlines, engineError, type Engine } from "./engine.js";

export interface HijackRequest {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
}

const answerBytesMax = 16 * 1024;

/**
 * A call that the engine turns into a raw connection (Docker Engine API, "Attach to a container", "Hijacking"). dockerode gives either output
 * with back-pressure or input; this has both, and an end of its own for each. What came with the headers is in the socket already.
 */
export function hijack(engine: Engine, what: string, { path, query, body }: HijackRequest): Promise<Socket> {
  return engine.call(what, engineDeadlines.openStreamMs, (signal) => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const search = query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        socketPath: engine.socketPath,
        path: `${path}${search}`,
        method: "POST",
        agent: false,
        signal,
        headers: {
          Host: "docker",
          Connection: "Upgrade",
          Upgrade: "tcp",
          "Content-Type": "application/json",
          "Content-Length": Buffer.byteLength(text),
        },
      });
      request.on("upgrade", (_response, socket: Socket, head: Buffer) => {
        // The deadline was for the answer; the connection lives on.
        socket.setTimeout(0);
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      request.on("response", (response) => void refusal(response, what).then(reject, reject));
      request.on("error", reject);
      request.end(text);
    });
  });
}

/** The engine's refusal of a call, as one of our errors. */
export async function refusal(response: IncomingMessage, what: string): Promise<Error> {
  let text = "";
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > answerBytesMax) break;
  }
  let message = text;
  try {
    message = (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    // Some refusals are plain text.
  }
  const { statusCode = 0 } = response;
  return engineError(what, { statusCode, message: message === "" ? `HTTP code ${statusCode}` : message });
}

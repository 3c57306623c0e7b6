import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { framesOf, type Identity, type Port, type Request } from "./requests.js";
import type { Site } from "./site.js";

/** What became of a request. */
export type Outcome =
  | {
      readonly type: "answer";
      readonly httpStatus: number;
      /** Absent when the answer ended without one. */
      readonly code: number | undefined;
      readonly message: string;
      /** `ikada-error-bin`, as bytes. */
      readonly details: Uint8Array | undefined;
      /** The messages received, with their frames. */
      readonly body: Buffer;
    }
  /** A stream that went on, and was left. */
  | { readonly type: "open"; readonly body: Buffer }
  /** The handshake was refused, or the connection cut for its sheer size. */
  | { readonly type: "refused" }
  | { readonly type: "broken"; readonly error: string }
  | { readonly type: "silent" };

/** How long a stream is listened to. */
const listenMs = 250;
/** Longer than any request may take that has the deadline of ours, or the server's own. */
const answerMsMax = 25_000;

/**
 * A call may be refused before its body is read. The runtime cuts a connection on which over a thousand frames, of 16 KiB each, come for a
 * call that has ended; the answer may not get through then.
 */
const unreadBytesMax = 1_000 * 16 * 1024;
/** Larger requests get a connection of their own: what waits on one connection is bounded, by the runtime on either side. */
const sharedBytesMax = 256 * 1024;
/** Time for a server that has ended to be there again. */
const againMs = 2_000;

/** Sends requests as bytes over HTTP/2, since a gRPC library would refuse to send most of them. */
export class Caller {
  readonly #site: Site;
  readonly #sessions = new Map<string, ClientHttp2Session>();
  #brokenConnections = 0;

  constructor(site: Site) {
    this.#site = site;
  }

  async call(request: Request): Promise<Outcome> {
    const { identity } = request;
    // Who is refused in the handshake has no connection to keep.
    if (identity === "none" && request.port !== "api") return await this.#once(request, "refused");
    if (identity === "foreign") return await this.#once(request, "refused");
    const frames = framesOf(request);
    if (frames.length > unreadBytesMax) return await this.#once(request, "refused");
    if (frames.length > sharedBytesMax) return await this.#once(request, "broken");
    const session = this.#session(request.server, request.port, identity);
    const outcome = await exchange(session, request, frames);
    if (outcome.type !== "broken") return outcome;
    session.destroy();
    this.#brokenConnections += 1;
    await sleep(againMs);
    return await this.#once(request, "broken");
  }

  /** Connections that broke under several requests, each of which was then sent again on one of its own. */
  get brokenConnections(): number {
    return this.#brokenConnections;
  }

  close(): void {
    for (const session of this.#sessions.values()) session.destroy();
    this.#sessions.clear();
  }

  #session(server: number, port: Port, identity: Identity): ClientHttp2Session {
    const key = `${server} ${port} ${identity}`;
    const known = this.#sessions.get(key);
    if (known && !known.closed && !known.destroyed) return known;
    const session = this.#dial(server, port, identity);
    this.#sessions.set(key, session);
    return session;
  }

  #dial(server: number, port: Port, identity: Identity): ClientHttp2Session {
    const { authority, identities, addresses } = this.#site;
    const shown = identities[identity];
    const session = connect(`https://${addresses[server]![port]}`, {
      ca: authority,
      minVersion: "TLSv1.3",
      ...(shown && { cert: shown.certificate, key: shown.key }),
    });
    session.on("error", () => undefined); // Each request on it has its own.
    session.setMaxListeners(0);
    return session;
  }

  /** On a connection of its own; `broken` says what it means when that breaks. */
  async #once(request: Request, broken: "refused" | "broken"): Promise<Outcome> {
    const session = this.#dial(request.server, request.port, request.identity);
    try {
      const outcome = await exchange(session, request, framesOf(request));
      return outcome.type === "broken" && broken === "refused" ? { type: "refused" } : outcome;
    } finally {
      session.destroy();
    }
  }
}

function exchange(session: ClientHttp2Session, request: Request, frames: Buffer): Promise<Outcome> {
  return new Promise((resolve) => {
    const stream = session.request({
      ":method": "POST",
      ":path": request.path,
      "content-type": "application/grpc",
      te: "trailers",
      ...request.headers,
    });
    let httpStatus = 0;
    let last: IncomingHttpHeaders | undefined;
    let error: string | undefined;
    let [hasLeft, hasEnded, wasReset] = [false, false, false];
    const parts: Buffer[] = [];
    const leave = setTimeout(
      () => {
        hasLeft = true;
        wasReset = hasEnded;
        stream.close(constants.NGHTTP2_CANCEL);
        // The runtime does not tell of the close of a stream that was reset in the middle of a large body.
        if (wasReset) stream.destroy();
      },
      request.streams ? listenMs : answerMsMax,
    );
    stream.on("response", (headers) => {
      httpStatus = headers[":status"] ?? 0;
      if (headers["grpc-status"] !== undefined) last = headers;
    });
    stream.on("trailers", (trailers: IncomingHttpHeaders) => {
      last = trailers;
    });
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => {
      hasEnded = true;
    });
    stream.on("error", (caught: Error) => {
      error = caught.message;
    });
    stream.on("close", () => {
      clearTimeout(leave);
      const body = Buffer.concat(parts);
      if (last !== undefined || (httpStatus !== 0 && httpStatus !== 200)) resolve(answerOf(httpStatus, last, body));
      else if (hasLeft && !wasReset) resolve(request.streams ? { type: "open", body } : { type: "silent" });
      else resolve({ type: "broken", error: error ?? `the stream was reset with code ${stream.rstCode}` });
    });
    if (request.ends) stream.end(frames);
    else stream.write(frames);
  });
}

function answerOf(httpStatus: number, headers: IncomingHttpHeaders | undefined, body: Buffer): Outcome {
  const details = headers?.["ikada-error-bin"];
  const code = headers?.["grpc-status"];
  return {
    type: "answer",
    httpStatus,
    code: code === undefined ? undefined : Number(code),
    message: decoded(String(headers?.["grpc-message"] ?? "")),
    details: typeof details === "string" ? Buffer.from(details, "base64") : undefined,
    body,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Not percent-encoded, which is said to be wrong elsewhere.
  }
}

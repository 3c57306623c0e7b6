import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { PeerCertificate } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { IkadaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { errorFromStatus, statusFromError } from "./grpc-errors.js";
import { listenAt } from "./listening.js";

/**
 * Typed gRPC over pbjs' generated classes, without proto-loader at run time: definitions of methods, and one
 * helper per shape of call for each side. Every error that crosses is an `IkadaError`.
 */

/** One RPC: what is sent may leave fields out (`…Input`), what was received has them all. */
export interface Method<RequestInput, Request, ResponseInput, Response> {
  /** `/package.Service/Name` */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly serializeRequest: (message: RequestInput) => Buffer;
  readonly deserializeRequest: (bytes: Buffer) => Request;
  readonly serializeResponse: (message: ResponseInput | Encoded) => Buffer;
  readonly deserializeResponse: (bytes: Buffer) => Response;
}

/** A message in its wire form: what goes to many is encoded once. */
export class Encoded {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** What pbjs makes of a message. */
export interface MessageClass<Input, Output> {
  encode(message: Input): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Output;
}

/** What pbjs makes of an rpc: `ikada.api.v1.Resources.prototype.get`. */
export interface RpcFunction {
  readonly path: string;
  readonly requestStream: true | undefined;
  readonly responseStream: true | undefined;
}

/** `method(ikada.api.v1.Resources.prototype.get, ikada.api.v1.GetRequest, ikada.api.v1.GetResponse)` */
export function method<RequestInput, Request, ResponseInput, Response>(
  rpc: RpcFunction,
  request: MessageClass<RequestInput, Request>,
  response: MessageClass<ResponseInput, Response>,
): Method<RequestInput, Request, ResponseInput, Response> {
  return {
    path: rpc.path,
    requestStream: rpc.requestStream === true,
    responseStream: rpc.responseStream === true,
    serializeRequest: (message) => asBuffer(request.encode(message).finish()),
    deserializeRequest: (bytes) => request.decode(bytes),
    serializeResponse: (message) =>
      asBuffer(message instanceof Encoded ? message.bytes : response.encode(message).finish()),
    deserializeResponse: (bytes) => response.decode(bytes),
  };
}

/** Options that every channel and server of the project uses: message bounds, keepalive, no compression. */
export const channelOptions = {
  "grpc.max_receive_message_length": limits.messageBytesMax,
  "grpc.max_send_message_length": limits.messageBytesMax,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
  "grpc.enable_retries": 0,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_channelz": 0,
  "grpc.enable_http_proxy": 0,
} as const satisfies grpc.ChannelOptions;

export interface CallOptions {
  /** From now; the call fails with Deadline after it. Default for unary calls `limits.requestMsDefault`, for streams none. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  readonly metadata?: grpc.Metadata;
  /** Response headers, e.g. the leader hint; called at most once. */
  readonly onMetadata?: (metadata: grpc.Metadata) => void;
}

/** One request, one response. @throws IkadaError what the server answered, Unavailable when it can't be reached, Deadline, Cancelled */
export function callUnary<RequestInput, Request, ResponseInput, Response>(
  client: grpc.Client,
  method: Method<RequestInput, Request, ResponseInput, Response>,
  request: NoInfer<RequestInput>,
  options: CallOptions = {},
): Promise<Response> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) {
      reject(cancelled());
      return;
    }
    const call = client.makeUnaryRequest(
      method.path,
      method.serializeRequest,
      method.deserializeResponse,
      request,
      options.metadata ?? new grpc.Metadata(),
      { deadline: Date.now() + (options.deadlineMs ?? limits.requestMsDefault) },
      (error, response) => {
        options.signal?.removeEventListener("abort", abort);
        if (error) reject(errorFromStatus(error));
        else resolve(response as Response);
      },
    );
    const abort = () => {
      call.cancel();
    };
    options.signal?.addEventListener("abort", abort, { once: true });
    if (options.onMetadata) call.on("metadata", options.onMetadata);
  });
}

/** One request, many responses. Errors of the stream are to be mapped with `errorFromStatus`; `readStream` does it. */
export function callServerStream<RequestInput, Request, ResponseInput, Response>(
  client: grpc.Client,
  method: Method<RequestInput, Request, ResponseInput, Response>,
  request: NoInfer<RequestInput>,
  options: CallOptions = {},
): grpc.ClientReadableStream<Response> {
  const call = client.makeServerStreamRequest(
    method.path,
    method.serializeRequest,
    method.deserializeResponse,
    request,
    options.metadata ?? new grpc.Metadata(),
    deadlineOption(options),
  );
  linkSignal(call, options);
  return call;
}

/** Messages both ways. The caller handles "error" (map it with `errorFromStatus`) and honours the return value of `write`. */
export function callBidi<RequestInput, Request, ResponseInput, Response>(
  client: grpc.Client,
  method: Method<RequestInput, Request, ResponseInput, Response>,
  options: CallOptions = {},
): grpc.ClientDuplexStream<RequestInput, Response> {
  const call = client.makeBidiStreamRequest(
    method.path,
    method.serializeRequest,
    method.deserializeResponse,
    options.metadata ?? new grpc.Metadata(),
    deadlineOption(options),
  );
  linkSignal(call, options);
  return call;
}

/** The responses of a stream with backpressure; leaving the loop cancels the call. @throws IkadaError as the server answered */
export async function* readStream<Response>(
  call: grpc.ClientReadableStream<Response> | grpc.ClientDuplexStream<never, Response>,
): AsyncGenerator<Response, void, undefined> {
  try {
    for await (const message of call.iterator({ destroyOnReturn: false })) yield message as Response;
  } catch (error) {
    throw errorFromStatus(error);
  } finally {
    // A cancelled call reports its cancellation as an error after the reader has gone.
    call.on("error", () => undefined);
    call.cancel();
  }
}

/** What all shapes of calls on the server share. */
export interface ServerCall {
  readonly cancelled: boolean;
  readonly metadata: grpc.Metadata;
  once(event: "cancelled", listener: () => void): unknown;
  getPath(): string;
  getPeer(): string;
  getDeadline(): Date | number;
  sendMetadata(metadata: grpc.Metadata): void;
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate };
}

/** What a handler on the server knows about its call. */
export interface CallContext {
  readonly path: string;
  /** `address:port` of the caller. */
  readonly peer: string;
  readonly metadata: grpc.Metadata;
  /** Aborted when the caller cancelled, went away, or its deadline passed. */
  readonly signal: AbortSignal;
  /** Milliseconds left until the caller's deadline; Infinity when it set none. */
  remainingMs(): number;
  /** Response headers; once, before the first response. */
  sendMetadata(metadata: grpc.Metadata): void;
  /** The TLS certificate of the caller, verified against the listener's authority; undefined when it presented none. */
  readonly certificate: PeerCertificate | undefined;
}

/** The context of a call on the server, of any shape. */
export function contextOf(call: ServerCall): CallContext {
  const controller = new AbortController();
  if (call.cancelled) controller.abort();
  else call.once("cancelled", () => controller.abort());
  return {
    path: call.getPath(),
    get peer() {
      return call.getPeer();
    },
    metadata: call.metadata,
    signal: controller.signal,
    remainingMs: () => Number(call.getDeadline()) - Date.now(),
    sendMetadata: (metadata) => call.sendMetadata(metadata),
    // Read only when it is asked for: the runtime parses it each time.
    get certificate() {
      return call.getAuthContext().sslPeerCertificate;
    },
  };
}

/** Answers one request. Whatever it throws reaches the caller as an `IkadaError`. */
export function serveUnary<RequestInput, Request, ResponseInput, Response>(
  server: grpc.Server,
  method: Method<RequestInput, Request, ResponseInput, Response>,
  handle: (request: Request, context: CallContext) => Promise<NoInfer<ResponseInput>>,
): void {
  const handler: grpc.handleUnaryCall<Request, ResponseInput> = (call, callback) => {
    void answerUnary(() => handle(call.request, contextOf(call)), callback);
  };
  server.register(method.path, handler, method.serializeResponse, method.deserializeRequest, "unary");
}

/** Answers one request with a stream. The stream ends when the returned promise does; write with `writeMessage`. */
export function serveStream<RequestInput, Request, ResponseInput, Response>(
  server: grpc.Server,
  method: Method<RequestInput, Request, ResponseInput, Response>,
  handle: (call: grpc.ServerWritableStream<Request, ResponseInput | Encoded>, context: CallContext) => Promise<void>,
): void {
  const handler: grpc.handleServerStreamingCall<Request, ResponseInput | Encoded> = (call) => {
    const context = contextOf(call);
    call.on("error", () => undefined);
    invoke(() => handle(call, context)).then(
      () => call.end(),
      (error: unknown) => call.emit("error", statusFromError(error)),
    );
  };
  server.register(method.path, handler, method.serializeResponse, method.deserializeRequest, "serverStream");
}

/** Messages both ways. The stream ends when the returned promise does. */
export function serveBidi<RequestInput, Request, ResponseInput, Response>(
  server: grpc.Server,
  method: Method<RequestInput, Request, ResponseInput, Response>,
  handle: (call: grpc.ServerDuplexStream<Request, ResponseInput | Encoded>, context: CallContext) => Promise<void>,
): void {
  const handler: grpc.handleBidiStreamingCall<Request, ResponseInput | Encoded> = (call) => {
    const context = contextOf(call);
    call.on("error", () => undefined);
    invoke(() => handle(call, context)).then(
      () => call.end(),
      (error: unknown) => call.emit("error", statusFromError(error)),
    );
  };
  server.register(method.path, handler, method.serializeResponse, method.deserializeRequest, "bidi");
}

/**
 * The requests of a stream on the server. Use it instead of `for await (… of call)`, which destroys the call when the
 * caller half-closes, together with the answers not yet sent. @throws IkadaError Cancelled when the caller has gone
 */
export async function* readMessages<Request>(
  call: grpc.ServerDuplexStream<Request, unknown>,
  signal: AbortSignal,
): AsyncGenerator<Request, void, undefined> {
  try {
    for await (const message of call.iterator({ destroyOnReturn: false })) yield message as Request;
  } catch (error) {
    throw signal.aborted ? cancelled() : error;
  }
}

/** Writes one message and resolves when there is room for the next. @throws IkadaError when the signal is aborted: its reason, or Cancelled */
export async function writeMessage<Message>(
  call: {
    write(message: Message): boolean;
    once(event: "drain", listener: () => void): unknown;
    removeListener(event: "drain", listener: () => void): unknown;
  },
  message: Message,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) throw endedBy(signal);
  if (call.write(message)) return;
  await new Promise<void>((resolve, reject) => {
    const drained = () => {
      signal.removeEventListener("abort", gone);
      resolve();
    };
    const gone = () => {
      call.removeListener("drain", drained);
      reject(endedBy(signal));
    };
    call.once("drain", drained);
    signal.addEventListener("abort", gone, { once: true });
  });
}

/**
 * Binds and gives the port. Connections are accepted here and handed to the library, so that they are bounded
 * (`limits.connectionsPerListenerMax`) and can be cut by `shutDown`.
 * @throws IkadaError Unavailable when the address can't be bound
 */
export async function bind(server: grpc.Server, address: string, credentials: grpc.ServerCredentials): Promise<number> {
  const injector = server.createConnectionInjector(credentials);
  const sockets = new Set<Socket>();
  const acceptor = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    injector.injectConnection(socket);
  });
  acceptor.maxConnections = limits.connectionsPerListenerMax;
  const port = await listenAt(acceptor, address);
  const bound = acceptors.get(server) ?? [];
  bound.push({ acceptor, sockets });
  acceptors.set(server, bound);
  return port;
}

/** Accepts no more, lets calls in work finish for `graceMs`, then cuts all connections: peers know it at once. */
export async function shutDown(server: grpc.Server, graceMs: number): Promise<void> {
  const bound = acceptors.get(server) ?? [];
  for (const { acceptor } of bound) acceptor.close();
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    new Promise<void>((resolve) => {
      server.tryShutdown(() => resolve());
    }),
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    }),
  ]);
  clearTimeout(timer);
  server.forceShutdown();
  // The library ends its sessions politely and would wait for peers that have streams open.
  for (const { sockets } of bound) for (const socket of sockets) socket.destroy();
}

const acceptors = new WeakMap<grpc.Server, { readonly acceptor: Server; readonly sockets: ReadonlySet<Socket> }[]>();

function endedBy({ reason }: AbortSignal): IkadaError {
  return reason instanceof IkadaError ? reason : cancelled();
}

function cancelled(): IkadaError {
  return new IkadaError("Cancelled", "the call was cancelled");
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function deadlineOption(options: CallOptions): grpc.CallOptions {
  return options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs };
}

async function answerUnary<Response>(
  run: () => Promise<Response>,
  callback: grpc.sendUnaryData<Response>,
): Promise<void> {
  let response: Response;
  try {
    response = await run();
  } catch (error) {
    callback(statusFromError(error));
    return;
  }
  callback(null, response);
}

/** Synchronous throws of a handler become rejections. */
async function invoke<T>(run: () => Promise<T>): Promise<T> {
  return await run();
}

function linkSignal(
  call: { cancel(): void; on(event: string, listener: (...values: never[]) => void): unknown },
  options: CallOptions,
): void {
  if (options.onMetadata) call.on("metadata", options.onMetadata);
  const { signal } = options;
  if (!signal) return;
  const abort = () => {
    call.cancel();
  };
  if (signal.aborted) queueMicrotask(abort);
  else signal.addEventListener("abort", abort, { once: true });
  call.on("status", () => signal.removeEventListener("abort", abort));
}

import * as grpc from "@grpc/grpc-js";
import { IkadaError, invariant } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { repeatHeader } from "../host/api-methods.js";
import type { Log } from "../base/env.js";
import type { WaitOptions } from "../../store/store.js";
import { bind, channelOptions, serveBidi, serveStream, serveUnary, shutDown } from "../host/grpc.js";
import type { CallContext, Encoded, Method } from "../host/grpc.js";
import type { Caller } from "./authentication.js";
import { Guard } from "./guard.js";
import type { GuardOptions } from "./guard.js";
import { permissionOf } from "./permissions.js";

/** A call that has passed the guard. */
export interface Call extends Pick<CallContext, "path" | "metadata" | "signal" | "remainingMs"> {
  /** Of a method that anyone may call there may be none. @throws IkadaError Unauthenticated then */
  readonly caller: Caller;
  /** See `repeatHeader`. */
  readonly isRepeat: boolean;
  /** For waits on the store: ends with the call, after `limits.requestMsDefault` at the latest. */
  readonly wait: WaitOptions;
}

/** One gRPC server on one address. Methods without an entry in the permission table can't be registered. */
export class Listener {
  readonly #server: grpc.Server;
  readonly #guard: Guard;
  readonly #log: Log;
  readonly #methods = new Set<string>();

  constructor(options: GuardOptions, streamsPerConnectionMax: number) {
    this.#guard = new Guard(options);
    this.#log = options.log;
    this.#server = new grpc.Server({
      ...channelOptions,
      "grpc.max_concurrent_streams": streamsPerConnectionMax,
      // Without it the library does not know its sessions, and closing would not wait for the calls in work.
      "grpc.enable_channelz": 1,
      interceptors: [this.#guard.interceptor],
    });
  }

  /** Paths of all methods registered so far. */
  get methods(): ReadonlySet<string> {
    return this.#methods;
  }

  unary<RequestInput, Request, ResponseInput, Response>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    handle: (request: Request, call: Call) => Promise<NoInfer<ResponseInput>>,
  ): void {
    this.#register(method.path);
    serveUnary(this.#server, method, (request, context) =>
      this.#report(context, () => handle(request, this.#callOf(context))),
    );
  }

  stream<RequestInput, Request, ResponseInput, Response>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    handle: (stream: grpc.ServerWritableStream<Request, ResponseInput | Encoded>, call: Call) => Promise<void>,
  ): void {
    this.#register(method.path);
    serveStream(this.#server, method, (stream, context) =>
      this.#report(context, () => handle(stream, this.#callOf(context))),
    );
  }

  bidi<RequestInput, Request, ResponseInput, Response>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    handle: (stream: grpc.ServerDuplexStream<Request, ResponseInput | Encoded>, call: Call) => Promise<void>,
  ): void {
    this.#register(method.path);
    serveBidi(this.#server, method, (stream, context) =>
      this.#report(context, () => handle(stream, this.#callOf(context))),
    );
  }

  /** Registers a service of a library that brings its own definition. */
  addService(service: grpc.ServiceDefinition, implementation: grpc.UntypedServiceImplementation): void {
    for (const definition of Object.values(service)) this.#register(definition.path);
    this.#server.addService(service, implementation);
  }

  /** Binds and gives the port. @throws IkadaError Unavailable */
  listen(address: string, credentials: grpc.ServerCredentials): Promise<number> {
    return bind(this.#server, address, credentials);
  }

  close(graceMs: number): Promise<void> {
    return shutDown(this.#server, graceMs);
  }

  #register(path: string): void {
    invariant(permissionOf(path) !== undefined, `${path} has an entry in the permission table (permissions.ts)`);
    this.#methods.add(path);
  }

  #callOf(context: CallContext): Call {
    const deadlineMs = Math.max(1, Math.min(context.remainingMs(), limits.requestMsDefault));
    const guard = this.#guard;
    const { path, metadata, signal } = context;
    return {
      path,
      metadata,
      signal,
      remainingMs: () => context.remainingMs(),
      get caller() {
        return guard.callerOf(metadata);
      },
      get isRepeat() {
        return metadata.get(repeatHeader).length > 0;
      },
      wait: { signal, deadlineMs },
    };
  }

  /** Faults of our own are for the log of this process; callers only learn that there was one. */
  async #report<T>(context: CallContext, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (caught) {
      if (context.signal.aborted) throw new IkadaError("Cancelled", "the call was cancelled", {}, caught);
      const error = IkadaError.from(caught);
      if (error.reason === "Internal") {
        const stack = caught instanceof Error ? caught.stack : undefined;
        this.#log.error("a call failed inside the server", { path: context.path, error: error.message, stack });
      }
      throw error;
    }
  }
}

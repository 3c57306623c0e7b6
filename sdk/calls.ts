import { Metadata } from "@grpc/grpc-js";
import { setTimeout as sleep } from "node:timers/promises";
import { IkadaError, type Reason } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { leaderHeader, repeatHeader } from "../src/host/api-methods.js";
import { callServerStream, callUnary, readStream, type Method } from "../src/host/grpc.js";
import { BackupBudget, backupMs, firstAnswer, settlesWithin } from "./backup.js";
import type { Endpoints } from "./endpoints.js";

/** What every call may be given. */
export interface CallOptions {
  /**
   * Milliseconds for the whole call with all its retries.
   * @default 15000 for single answers; none for streams
   */
  readonly deadlineMs?: number;
  /** Ends the call with reason Cancelled. A write may have happened all the same. */
  readonly signal?: AbortSignal;
}

/** These say that another server, or the same one a little later, can serve the call. */
const retriable: ReadonlySet<Reason> = new Set<Reason>([
  "Unavailable",
  "NoLeader",
  "Overloaded",
  "DiskFull",
  // Not by this side, which is looked at first: a server that is shutting down cancels the calls it still has.
  "Cancelled",
]);
const pauseMsMin = 20;
const pauseMsMax = 1_000;
/**
 * One try, while there are other servers to ask: a machine that swallows packets must not use the whole deadline up. Longer
 * than a server without a leader holds a call, so that its NoLeader is heard.
 */
const tryMsMax = limits.heldProposalMsMax + 1_000;

function isRetriable(error: unknown): boolean {
  return retriable.has(IkadaError.from(error).reason);
}

/** Sends calls to whichever server can serve them. */
export class Calls {
  readonly #endpoints: Endpoints;
  readonly #token: string;
  readonly #backups = new BackupBudget();

  constructor(endpoints: Endpoints, token: string) {
    this.#endpoints = endpoints;
    this.#token = token;
  }

  /**
   * One request, one answer, repeated with jittered pauses until a server serves it or the deadline is over; a server that is
   * slow is given company after `backupMs`, so that one which was stopped, cut off or hangs costs no more than that. The
   * request is the same each time: reads may be repeated anyway, writes carry client id and sequence and happen once.
   */
  async unary<RequestInput, Request, ResponseInput, Response>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    options: CallOptions = {},
  ): Promise<Response> {
    const deadline = performance.now() + (options.deadlineMs ?? limits.requestMsDefault);
    let answer: IkadaError | undefined;
    for (let tries = 1; ; tries += 1) {
      const address = this.#endpoints.current;
      const leftMs = deadline - performance.now();
      const deadlineMs = Math.max(1, this.#endpoints.count > 1 ? Math.min(leftMs, tryMsMax) : leftMs);
      try {
        return await this.#ask(address, method, request, { ...options, deadlineMs }, tries > 1);
      } catch (caught) {
        const failure = IkadaError.from(caught);
        if (failure.reason === "Deadline") {
          if (deadline - performance.now() < pauseMsMin) throw tooLate(address, answer, failure);
        } else answer = failure;
        await this.#next(failure, address, tries, deadline, options);
      }
    }
  }

  /**
   * Asks one server, and a second one beside it when the first is slow. What they say first counts, the other is given up. But a refusal counts only
   * from one that knows of the other tries: what does not know of them can't keep them from doing the write afterwards.
   */
  async #ask<RequestInput, Request, ResponseInput, Response>(
    address: string,
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    options: CallOptions,
    isRepeat: boolean,
  ): Promise<Response> {
    const { signal } = options;
    const over = new AbortController();
    const ask = (server: string, knows: boolean): Promise<Response> =>
      callUnary(this.#endpoints.channel(server), method, request, {
        ...this.#callOptions(options, knows),
        signal: over.signal,
      });
    const abort = (): void => over.abort();
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const first = ask(address, isRepeat);
      const isFast = this.#endpoints.count === 1 || (await settlesWithin(first, backupMs));
      if (isFast) this.#backups.earn();
      if (isFast || over.signal.aborted || this.#endpoints.closed || !this.#backups.spend()) return await first;
      this.#endpoints.leave(address);
      const second = ask(this.#endpoints.current, true);
      return await firstAnswer([first, second], (error, call) => !isRetriable(error) && (isRepeat || call === second));
    } finally {
      signal?.removeEventListener("abort", abort);
      abort();
    }
  }

  /** One request, a stream of answers from one server. When it breaks it is up to the caller to go on elsewhere: see `next`. */
  stream<RequestInput, Request, ResponseInput, Response>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    options: CallOptions = {},
    deadline = Infinity,
  ): { readonly address: string; readonly messages: AsyncGenerator<Response, void, undefined> } {
    const address = this.#endpoints.current;
    const { deadlineMs: _whole, ...each } = this.#callOptions(options);
    const leftMs = deadline - performance.now();
    const call = callServerStream(this.#endpoints.channel(address), method, request, {
      ...each,
      ...(leftMs < Infinity && { deadlineMs: Math.max(1, leftMs) }),
    });
    return { address, messages: readStream(call) };
  }

  /** When (monotonic) a stream of these options has to end. */
  deadlineOf(options: CallOptions): number {
    return performance.now() + (options.deadlineMs ?? Infinity);
  }

  /** Pauses before the next try at another server. @throws the error itself when it is final or there is no time left */
  async next(error: IkadaError, address: string, tries: number, deadline: number, options: CallOptions): Promise<void> {
    await this.#next(error, address, tries, deadline, options);
  }

  async #next(
    error: IkadaError,
    address: string,
    tries: number,
    deadline: number,
    { signal }: CallOptions,
  ): Promise<void> {
    if (this.#endpoints.closed) throw new IkadaError("Cancelled", "the client is closed", {}, error);
    if (signal?.aborted) throw new IkadaError("Cancelled", "the call was cancelled", {}, error);
    const leftMs = deadline - performance.now();
    // A try that ran out of time, not the call.
    const slow = error.reason === "Deadline" && leftMs > 0;
    if (!isRetriable(error) && !slow) throw error;
    const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(tries - 1, 10)) * (0.5 + Math.random());
    if (leftMs <= pauseMs) {
      throw new IkadaError(
        "Deadline",
        `no server served the call in time; the last one, ${address}, said: ${error.message}`,
        error.details,
        error,
      );
    }
    this.#endpoints.leave(address);
    try {
      await sleep(pauseMs, undefined, signal === undefined ? {} : { signal });
    } catch (caught) {
      throw new IkadaError("Cancelled", "the call was cancelled", {}, caught);
    }
  }

  #callOptions(
    { signal, deadlineMs }: CallOptions,
    isRepeat = false,
  ): { metadata: Metadata; onMetadata: (metadata: Metadata) => void } & CallOptions {
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${this.#token}`);
    if (isRepeat) metadata.set(repeatHeader, "1");
    return {
      metadata,
      onMetadata: (answer) => {
        const leader = answer.get(leaderHeader)[0];
        if (typeof leader === "string" && leader !== "") this.#endpoints.prefer(leader);
      },
      ...(signal === undefined ? {} : { signal }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    };
  }
}

/** The deadline came while a server was asked: what the ones before said explains more than gRPC's own words. */
function tooLate(address: string, answer: IkadaError | undefined, cause: IkadaError): IkadaError {
  const said = answer ? `; before that: ${answer.message}` : "";
  const hint = "'ikada cluster status' shows which servers run and whether they have a leader";
  return new IkadaError("Deadline", `${address} did not answer in time${said}`, { hint, ...answer?.details }, cause);
}

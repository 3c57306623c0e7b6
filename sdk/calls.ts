import type { Metadata } from "@grpc/grpc-js";
import { IkadaError, type Reason } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { leaderHeader, repeatHeader } from "../src/host/api-methods.js";
import { callBidi, callServerStream, callUnary, readStream, writeMessage, type Method } from "../src/host/grpc.js";
import { pauseMsAfter } from "./backoff.js";
import { BackupBudget, backupMs, firstAnswer, settlesWithin } from "./backup.js";
import type { ClientConnection } from "./connection.js";
import { cancelled, Deadline, type CallOptions } from "./deadline.js";
import type { Endpoints } from "./endpoints.js";
import { endOfStream } from "./lost-server.js";
import { intercepted, interceptedStream, metadataOf, type Attempt, type Interceptor } from "./interceptors.js";

/** These say that another server, or the same one a little later, can serve the call. */
const retriable: ReadonlySet<Reason> = new Set<Reason>([
  "Unavailable",
  "NoLeader",
  "Overloaded",
  "DiskFull",
  // Not by this side, which is looked at first: a server that is shutting down cancels the calls it still has.
  "Cancelled",
]);
/** With these a server has not answered, or the connection has for it. */
const unanswered: ReadonlySet<Reason> = new Set<Reason>(["Unavailable", "Deadline", "Cancelled"]);
const backoff = { msMin: 20, msMax: 1_000 } as const;
/**
 * One try, while there are other servers to ask: a machine that swallows packets must not use the whole deadline up. Longer
 * than a server without a leader holds a call, so that its NoLeader is heard.
 */
const tryMsMax = limits.heldProposalMsMax + 1_000;

/** Whether another server, or the same one later, may answer what this one has refused. */
export function isRetriable(error: unknown): boolean {
  return retriable.has(IkadaError.from(error).reason);
}

/** Who a call asks next, and what it has asked. */
interface Question {
  readonly deadline: Deadline;
  /** How many servers were asked, the same one twice counted twice. */
  asked: number;
}

/** What a call in both directions sends. */
export interface DuplexRequest<Message> {
  /** The first message. */
  readonly request: Message;
  readonly input: AsyncIterable<Message>;
  /** Called just before the first message is sent. */
  readonly onSent: () => void;
}

/** What `Calls` needs to know of its client. */
export interface CallsOptions {
  readonly token?: string | undefined;
  readonly interceptors?: readonly Interceptor[];
  readonly interceptorsSeeToken?: boolean;
}

/** Tries of a stream that has given nothing, or of a call that the server has not taken. */
export const streamTriesMax = 5;

/**
 * Sends calls to whichever server can serve them.
 *
 * 1. Any server serves any call: a follower takes it to the leader. The leader is asked first all the same, since that saves a hop: every answer
 *    names it in a header, refusals and NoLeader too, and the next question goes there. A server that did not serve is not preferred for some
 *    seconds, whoever names it, so that two servers that name each other, or a leader out of reach, hold nobody up (endpoints.ts).
 * 2. A question is repeated when its answer is one of `retriable`, or when one try took too long (`tryMsMax`). Anything else is final.
 *    Between tries there is a pause that doubles from 20 ms to 1 s, half less to half more by chance. The deadline of the call
 *    bounds all of it; a stream without one goes on until its caller's signal or the client's end, once a second at most.
 * 3. A server that does not answer in `backupMs` is left at its work, and a second one is asked beside it: once a try, and only while
 *    `BackupBudget` lets it (20 at first, one earned by ten answered calls), so that slow servers do not get twice the work.
 * 4. Repeating is safe. Reads change nothing. Writes carry client id and sequence (request-ids.ts), the store keeps their answers, and a repeat is
 *    answered from there; a header tells a server that there may be other tries (`repeatHeader`). Deletions of collections, transfers of
 *    leadership and changes of members are made so that a repeat finds its work done.
 * 5. A stream is of one server. Who reads it asks for a new one that goes on where it ended (watch.ts), and pauses in `next` before.
 */
export class Calls {
  readonly #endpoints: Endpoints;
  readonly #connection: ClientConnection;
  /** Undefined: the caller is known by its certificate. */
  readonly #authorization: string | undefined;
  readonly #interceptors: readonly Interceptor[];
  readonly #showsToken: boolean;
  readonly #backups = new BackupBudget();
  /** What ends each call and stream that is in work. */
  readonly #inWork = new Set<() => void>();

  constructor(endpoints: Endpoints, connection: ClientConnection, options: CallsOptions) {
    this.#endpoints = endpoints;
    this.#connection = connection;
    this.#authorization = options.token === undefined ? undefined : `Bearer ${options.token}`;
    this.#interceptors = options.interceptors ?? [];
    this.#showsToken = options.interceptorsSeeToken ?? false;
  }

  /**
   * One request, one answer; see the class for how often and whom it asks.
   * @throws IkadaError what a server refused it with, Deadline, Cancelled
   */
  async unary<RequestInput extends object, Request, ResponseInput, Response extends object>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    options: CallOptions = {},
  ): Promise<Response> {
    const deadline = new Deadline(options, limits.requestMsDefault);
    const question: Question = { deadline, asked: 0 };
    let answer: IkadaError | undefined;
    for (let tries = 1; ; tries += 1) {
      const address = this.#endpoints.current;
      try {
        return await this.#ask(address, method, request, question, tries > 1);
      } catch (caught) {
        const failure = IkadaError.from(caught);
        if (failure.reason === "Deadline") {
          if (deadline.leftMs < backoff.msMin) throw tooLate(address, answer, failure);
        } else answer = failure;
        await this.next(failure, address, tries, deadline);
      }
    }
  }

  /**
   * Asks one server, and a second one beside it when the first is slow. What they say first counts, the other is given up. But a refusal counts only
   * from one that knows of the other tries: what does not know of them can't keep them from doing the write afterwards.
   */
  async #ask<RequestInput extends object, Request, ResponseInput, Response extends object>(
    address: string,
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    question: Question,
    isRepeat: boolean,
  ): Promise<Response> {
    const over = this.#begin(question.deadline.signal);
    const ask = (server: string, knows: boolean): Promise<Response> =>
      this.#attempt(server, method, request, question, { isRepeat: knows, signal: over.signal });
    try {
      const first = ask(address, isRepeat);
      const isFast = this.#endpoints.count === 1 || (await settlesWithin(first, backupMs));
      if (isFast) this.#backups.earn();
      if (isFast || over.signal.aborted || this.#endpoints.closed || !this.#backups.spend()) return await first;
      this.#endpoints.leave(address);
      const second = ask(this.#endpoints.current, true);
      return await firstAnswer([first, second], (error, call) => !isRetriable(error) && (isRepeat || call === second));
    } finally {
      over.end();
    }
  }

  /** One question to one server. */
  async #attempt<RequestInput extends object, Request, ResponseInput, Response extends object>(
    server: string,
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    question: Question,
    { isRepeat, signal }: { readonly isRepeat: boolean; readonly signal: AbortSignal },
  ): Promise<Response> {
    const attempt = this.#describe(server, method, request, question);
    const { leftMs } = question.deadline;
    const limit = new Deadline({
      deadlineMs: Math.max(1, this.#endpoints.count > 1 ? Math.min(leftMs, tryMsMax) : leftMs),
      signal,
    });
    const ask = async (): Promise<Response> => {
      const metadata = this.#metadata(attempt, isRepeat);
      try {
        const onMetadata = (headers: Metadata): void => this.#heard(headers);
        const call = { metadata, onMetadata, ...limit.rest() };
        const answer = await callUnary(this.#endpoints.channel(server), method, request, call);
        this.#connection.answered(server);
        return answer;
      } catch (caught) {
        throw this.#judged(IkadaError.from(caught), attempt, signal.aborted);
      }
    };
    if (this.#interceptors.length === 0) return ask();
    return limit.wait(intercepted(this.#interceptors, attempt, ask, (response) => ({ response, messages: 1 })));
  }

  /** One request, a stream of answers from one server. When it breaks it is up to the caller to go on elsewhere: see `next`. */
  stream<RequestInput extends object, Request, ResponseInput, Response extends object>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    deadline: Deadline,
    number = 1,
  ): { readonly address: string; readonly messages: AsyncGenerator<Response, void, undefined> } {
    const server = this.#endpoints.current;
    const attempt = this.#describe(server, method, request, { asked: number - 1 });
    const open = (): AsyncGenerator<Response, void, undefined> => this.#open(attempt, method, request, deadline);
    return { address: server, messages: interceptedStream(this.#interceptors, attempt, open, deadline) };
  }

  /** As `stream`, with up to `streamTriesMax` tries, here or at other servers, while it has given nothing: what was given can't be taken back. */
  async *streamFromStart<RequestInput extends object, Request, ResponseInput, Response extends object>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    deadline: Deadline,
  ): AsyncGenerator<Response, void, undefined> {
    for (let tries = 1; ; tries += 1) {
      const { address, messages } = this.stream(method, request, deadline, tries);
      let begun = false;
      try {
        for await (const message of messages) {
          begun = true;
          yield message;
        }
        return;
      } catch (caught) {
        if (begun) throw endOfStream(caught);
        const error = IkadaError.from(caught);
        if (tries >= streamTriesMax) throw error;
        await this.next(error, address, tries, deadline);
      }
    }
  }

  async *#open<RequestInput, Request, ResponseInput, Response>(
    attempt: Attempt,
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    deadline: Deadline,
  ): AsyncGenerator<Response, void, undefined> {
    const { server } = attempt;
    const over = this.#begin(deadline.signal);
    try {
      const onMetadata = (headers: Metadata): void => {
        this.#heard(headers);
        this.#connection.answered(server);
      };
      const call = { metadata: this.#metadata(attempt, false), onMetadata, ...deadline.rest(), signal: over.signal };
      yield* readStream(callServerStream(this.#endpoints.channel(server), method, request, call));
    } catch (caught) {
      throw this.#judged(IkadaError.from(caught), attempt, over.signal.aborted || deadline.leftMs <= 0);
    } finally {
      over.end();
    }
  }

  /**
   * As `stream`, with messages of the caller too: `request` once the server has taken the call, then those of `input` as fast as it takes them.
   * From `onSent` on the server may have done something, and the call is not to be repeated.
   */
  duplex<RequestInput extends object, Request, ResponseInput, Response extends object>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    { request, input, onSent }: DuplexRequest<NoInfer<RequestInput>>,
    deadline: Deadline,
    number = 1,
  ): { readonly address: string; readonly messages: AsyncGenerator<Response, void, undefined> } {
    const server = this.#endpoints.current;
    const attempt = this.#describe(server, method, request, { asked: number - 1 });
    const open = (): AsyncGenerator<Response, void, undefined> =>
      this.#openDuplex(attempt, method, { request, input, onSent }, deadline);
    return { address: server, messages: interceptedStream(this.#interceptors, attempt, open, deadline) };
  }

  async *#openDuplex<RequestInput, Request, ResponseInput, Response>(
    attempt: Attempt,
    method: Method<RequestInput, Request, ResponseInput, Response>,
    { request, input, onSent }: DuplexRequest<RequestInput>,
    deadline: Deadline,
  ): AsyncGenerator<Response, void, undefined> {
    const { server } = attempt;
    const over = this.#begin(deadline.signal);
    let fault: IkadaError | undefined;
    const late = setTimeout(() => {
      fault = new IkadaError("Unavailable", `${server} did not take the call within ${tryMsMax} ms`);
      over.end();
    }, tryMsMax);
    const call = callBidi(this.#endpoints.channel(server), method, {
      metadata: this.#metadata(attempt, false),
      ...deadline.rest(),
      signal: over.signal,
      onMetadata: (headers) => {
        clearTimeout(late);
        this.#heard(headers);
        this.#connection.answered(server);
        void send();
      },
    });
    const send = async (): Promise<void> => {
      try {
        onSent();
        await writeMessage(call, request, over.signal);
        for await (const message of input) await writeMessage(call, message, over.signal);
        call.end();
      } catch (caught) {
        // After the end of the call nobody asks for what became of its input.
        if (over.signal.aborted) return;
        fault = IkadaError.from(caught);
        over.end();
      }
    };
    try {
      yield* readStream(call);
    } catch (caught) {
      if (fault) throw fault;
      const error = this.#judged(IkadaError.from(caught), attempt, over.signal.aborted || deadline.leftMs <= 0);
      // Not by this side: a server that is shutting down cancels the calls it still has.
      if (error.reason !== "Cancelled" || over.signal.aborted) throw error;
      throw new IkadaError("Unavailable", `${server} has ended the call: ${error.message}`, error.details, error);
    } finally {
      clearTimeout(late);
      over.end();
    }
  }

  /** Ends all calls in work. */
  close(): void {
    for (const end of this.#inWork) end();
  }

  /** The signal of a call in work: the caller's, and that the client is closed. `end` also gives up what is still asked. */
  #begin(signal: AbortSignal | undefined): { readonly signal: AbortSignal; readonly end: () => void } {
    const controller = new AbortController();
    const end = (): void => {
      signal?.removeEventListener("abort", end);
      this.#inWork.delete(end);
      controller.abort();
    };
    this.#inWork.add(end);
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted) end();
    return { signal: controller.signal, end };
  }

  /** Pauses before the next try at another server. @throws the error itself when it is final; Deadline, Cancelled */
  async next(error: IkadaError, address: string, tries: number, deadline: Deadline): Promise<void> {
    if (this.#endpoints.closed) throw new IkadaError("Cancelled", "the client is closed", {}, error);
    if (deadline.signal?.aborted) throw cancelled(error);
    const { leftMs } = deadline;
    // A try that ran out of time, not the call.
    const slow = error.reason === "Deadline" && leftMs > 0;
    if (!isRetriable(error) && !slow) throw error;
    const pauseMs = pauseMsAfter(tries, backoff);
    if (leftMs <= pauseMs) {
      throw new IkadaError(
        "Deadline",
        `no server served the call in time; the last one, ${address}, said: ${error.message}`,
        error.details,
        error,
      );
    }
    this.#endpoints.leave(address);
    await deadline.pause(pauseMs, error);
  }

  #describe(
    server: string,
    { path, responseStream }: { readonly path: string; readonly responseStream: boolean },
    request: object,
    question: Pick<Question, "asked">,
  ): Attempt {
    question.asked += 1;
    this.#connection.asked(server);
    const headers = new Map<string, string>();
    if (this.#showsToken && this.#authorization !== undefined) headers.set("authorization", this.#authorization);
    const method = path.slice(path.lastIndexOf(".") + 1);
    return { method, server, number: question.asked, isStream: responseStream, request, headers };
  }

  #metadata({ headers }: Attempt, isRepeat: boolean): Metadata {
    const sent = new Map(headers);
    if (!sent.has("authorization") && this.#authorization !== undefined) sent.set("authorization", this.#authorization);
    if (isRepeat) sent.set(repeatHeader, "1");
    return metadataOf(sent);
  }

  /** The headers of an answer came. */
  #heard(headers: Metadata): void {
    const leader = headers.get(leaderHeader)[0];
    const isNamed = typeof leader === "string" && leader !== "";
    if (isNamed) this.#endpoints.prefer(leader);
    this.#connection.named(isNamed ? leader : undefined);
  }

  /** What an attempt ended with, as the caller is to know it. `givenUp`: by this side, which says nothing of the server. */
  #judged(error: IkadaError, { server, method }: Attempt, givenUp: boolean): IkadaError {
    const isAnswer = !unanswered.has(error.reason);
    if (isAnswer) this.#connection.answered(server);
    else if (!givenUp && !this.#endpoints.closed) this.#connection.failed(server, error);
    // A refusal of ours has its details; the library's own to a method that a server does not know has none.
    if (error.reason !== "Unsupported" || !error.message.includes("does not implement")) return error;
    const hint = "'ikada cluster status' shows the versions of the servers; upgrade the older ones";
    const message = `${server} does not know the method ${method}: its version is older than this client's`;
    return new IkadaError("Unsupported", message, { hint }, error);
  }
}

/** The deadline came while a server was asked: what the ones before said explains more than gRPC's own words. */
function tooLate(address: string, answer: IkadaError | undefined, cause: IkadaError): IkadaError {
  const said = answer ? `; before that: ${answer.message}` : "";
  const hint = "'ikada cluster status' shows which servers run and whether they have a leader";
  return new IkadaError("Deadline", `${address} did not answer in time${said}`, { hint, ...answer?.details }, cause);
}

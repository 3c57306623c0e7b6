import { Metadata } from "@grpc/grpc-js";
import { IkadaError } from "../src/base/errors.js";
import type { Deadline } from "./deadline.js";

/** One question to one server, as interceptors see it. */
export interface Attempt {
  /** Service and method of proto/api.proto: `Resources/Get`. */
  readonly method: string;
  /** `host:port` of the server that is asked. */
  readonly server: string;
  /**
   * 1 for the first question of a call. Repeats count on, and so does the second server that is asked while the first is slow; of a watch
   * each new stream.
   */
  readonly number: number;
  /** The answer is a stream: `next` resolves when it has ended, also when the reader has left. */
  readonly isStream: boolean;
  /** The message that is sent; not to be changed. Those of Secrets have what is secret in them. */
  readonly request: object;
  /**
   * Headers by names in lower case. What is set before `next` is called goes with the question; an `authorization` in place of the client's
   * own, which is among them only with `interceptorsSeeToken`.
   */
  readonly headers: Map<string, string>;
}

/** How an attempt ended well. */
export interface AttemptResult {
  /** The message that came; undefined for streams. */
  readonly response: object | undefined;
  /** How many messages came. */
  readonly messages: number;
}

/**
 * A function around each question, for tracing, metrics and logs: what it does before `next` comes before the question, what it does after
 * `await next()` after the answer. The first of the list is the outermost. `next` throws the IkadaError that the attempt ended with; an interceptor
 * that does not let it through changes nothing for the caller. What an interceptor throws itself is the end of the attempt.
 *
 * @example
 * const timed: Interceptor = async (attempt, next) => {
 *   const began = performance.now();
 *   try {
 *     await next();
 *   } finally {
 *     console.log(attempt.method, attempt.server, attempt.number, performance.now() - began);
 *   }
 * };
 * const observed = await Client.connect({ endpoints, ca, token, interceptors: [timed] });
 * await observed.clusterStatus();
 * await observed.close();
 */
export type Interceptor = (attempt: Attempt, next: () => Promise<AttemptResult>) => Promise<void>;

/** Asks inside of all interceptors, once. @throws what `ask` or an interceptor throws */
export async function intercepted<T>(
  interceptors: readonly Interceptor[],
  attempt: Attempt,
  ask: () => Promise<T>,
  resultOf: (answer: T) => AttemptResult,
): Promise<T> {
  if (interceptors.length === 0) return ask();
  let asked: Promise<T> | undefined;
  const enter = async (at: number): Promise<AttemptResult> => {
    const interceptor = interceptors[at];
    if (interceptor === undefined) asked ??= ask();
    else
      await interceptor(attempt, () => {
        const inner = enter(at + 1);
        // The caller hears of it in any case, so one that does not wait for it need not either.
        inner.catch(() => undefined);
        return inner;
      });
    if (asked === undefined)
      throw new IkadaError("Internal", `an interceptor of ${attempt.method} ended and had not called next()`);
    return resultOf(await asked);
  };
  await enter(0);
  return asked!;
}

/** The same for a stream, which begins when the innermost is reached and is over for them when it has ended. */
export async function* interceptedStream<T extends object>(
  interceptors: readonly Interceptor[],
  attempt: Attempt,
  open: () => AsyncGenerator<T, void, undefined>,
  deadline: Deadline,
): AsyncGenerator<T, void, undefined> {
  if (interceptors.length === 0) {
    yield* open();
    return;
  }
  let messages = 0;
  let end: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  let opened: (() => void) | undefined;
  const isOpen = new Promise<void>((resolve) => (opened = resolve));
  const stream = (): Promise<void> => {
    opened?.();
    return new Promise((resolve, reject) => (end = { resolve, reject }));
  };
  const around = intercepted(interceptors, attempt, stream, () => ({ response: undefined, messages }));
  // Those who read the stream hear of its end first.
  around.catch(() => undefined);
  await deadline.wait(Promise.race([isOpen, around]));
  try {
    for await (const message of open()) {
      messages += 1;
      yield message;
    }
  } catch (error) {
    end?.reject(error);
  } finally {
    end?.resolve();
  }
  await deadline.wait(around);
}

/** The headers as gRPC sends them. @throws IkadaError BadRequest for one that can't be sent */
export function metadataOf(headers: ReadonlyMap<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of headers) {
    try {
      metadata.set(name, value);
    } catch {
      // The library's own words have the value in them, which may be a token.
      throw new IkadaError("BadRequest", `the header "${name}" has characters that no header may have`, {
        hint: "a token read from a file may end with a line break: trim it",
      });
    }
  }
  return metadata;
}

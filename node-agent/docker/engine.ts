import type { IncomingMessage } from "node:http";
import Dockerode from "dockerode";
import { IkadaError, type Reason } from "../../src/base/errors.js";

/** How long one call to the engine may take before it counts as failed, in milliseconds. */
export const engineDeadlines = {
  /** One that answers at all does so at once. */
  pingMs: 5_000,
  /** Calls that only read. */
  readMs: 15_000,
  createMs: 60_000,
  startMs: 60_000,
  removeMs: 60_000,
  /** Added to a stop's grace time. */
  stopMs: 30_000,
  loadImageMs: 60_000,
  /** For some of an archive of images while it comes, and for its answer to the whole, which it unpacks then. */
  takeImageMs: 120_000,
  keepImageMs: 15 * 60_000,
  /** A pull as a whole; registries are slow, but not for ever. */
  pullMs: 60 * 60_000,
  /** Between two words of the engine about a pull. */
  pullStallMs: 120_000,
  /** Until a stream answers with its headers. */
  openStreamMs: 15_000,
} as const;

export interface EngineStreamRequest {
  readonly path: string;
  readonly method: "GET" | "POST";
  /** Sent as query of a GET and as JSON body of a POST. */
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Calls to one Docker engine, each with a deadline, each failure an `IkadaError`: NotFound (404), Conflict (409), Invalid (400),
 * Unavailable (no engine answers), Deadline, Internal (what the engine itself reports as its failure).
 */
export class Engine {
  readonly docker: Dockerode;
  readonly socketPath: string;
  readonly #calls = new Map<string, number>();

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.docker = new Dockerode({ socketPath });
  }

  /** How many calls were made, by the first word of what they are. */
  get calls(): ReadonlyMap<string, number> {
    return this.#calls;
  }

  /** `what` names the call in errors, e.g. `start 1f2e`; its first word is of a few. The promise given by `run` may stay pending after the deadline. */
  async call<T>(what: string, deadlineMs: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const [kind = ""] = what.split(" ", 1);
    this.#calls.set(kind, (this.#calls.get(kind) ?? 0) + 1);
    const controller = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new IkadaError("Deadline", `docker: ${what}: no answer within ${deadlineMs} ms`));
        controller.abort();
      }, deadlineMs);
    });
    try {
      return await Promise.race([run(controller.signal), late]);
    } catch (caught) {
      throw engineError(what, caught);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Opens a response that is read as it comes. The deadline is for the headers only; destroy the message to end it. */
  openStream(what: string, request: EngineStreamRequest): Promise<IncomingMessage> {
    return this.call(what, engineDeadlines.openStreamMs, async (signal) => {
      const message = await this.#dial(request);
      if (signal.aborted) message.destroy();
      return message;
    });
  }

  #dial(request: EngineStreamRequest): Promise<IncomingMessage> {
    const body = request.method === "POST" ? { _query: {}, _body: request.options } : request.options;
    return new Promise((resolve, reject) => {
      this.docker.modem.dial(
        {
          path: `${request.path}?`,
          method: request.method,
          options: body,
          isStream: true,
          statusCodes: { 200: true },
        },
        (error: Error | null, result: unknown) => {
          if (error) reject(error);
          else resolve(result as IncomingMessage);
        },
      );
    });
  }
}

/** What dockerode throws, as one of ours. */
export function engineError(what: string, caught: unknown): IkadaError {
  if (caught instanceof IkadaError) return caught;
  const failure = (typeof caught === "object" && caught !== null ? caught : {}) as {
    statusCode?: number;
    code?: string;
    json?: { message?: string };
    message?: string;
  };
  const message = failure.json?.message ?? failure.message ?? String(caught);
  return new IkadaError(reasonOf(failure.statusCode, failure.code), `docker: ${what}: ${message.trim()}`, {}, caught);
}

function reasonOf(statusCode: number | undefined, code: string | undefined): Reason {
  if (statusCode === undefined) return code === "ABORT_ERR" ? "Deadline" : "Unavailable";
  if (statusCode === 404) return "NotFound";
  if (statusCode === 409) return "Conflict";
  if (statusCode === 400) return "Invalid";
  return "Internal";
}

import { randomBytes } from "node:crypto";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/agent.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { readMessages, writeMessage } from "../../host/grpc.js";
import type { Call } from "../listener.js";
import { firstMessage } from "./first-message.js";
import { InterruptibleWait } from "./interruptible-wait.js";

export type StreamFrame = ikada.agent.v1.IStreamFrame;
export type AgentStream = ServerDuplexStream<ikada.agent.v1.StreamFrame, StreamFrame>;
/** What an agent is asked to open, without the stream's id. */
export type StreamRequest = Omit<ikada.agent.v1.IOpenStream, "streamId">;
export type FrameSource = AsyncGenerator<StreamFrame, void, undefined>;

/** The agent of a session, as streams need it. */
export interface StreamAgent {
  readonly node: string;
  /** To open a stream of this id. */
  ask(streamId: string): void;
  /** Nobody reads it any more. */
  close(streamId: string): void;
}

interface Waiting {
  readonly node: string;
  readonly take: (opened: OpenedStream) => Promise<void>;
}

interface OpenedStream {
  readonly frames: FrameSource;
  readonly stream: AgentStream;
}

/** How long an agent may take to open a stream that it was asked for. */
const openMs = 10_000;

/** Streams that agents of this replica's sessions were asked to open, until they do. */
export class PodStreams {
  readonly #waiting = new Map<string, Waiting>();

  /**
   * Asks an agent for a stream and yields its frames, while it is given those of `input`. Nothing is read from either side that the other has
   * no room for. Leaving the loop ends the stream.
   * @throws IkadaError Unavailable when the agent does not open it, Overloaded, Cancelled, what `input` throws
   */
  async *open(
    agent: StreamAgent,
    signal: AbortSignal,
    input?: FrameSource,
  ): AsyncGenerator<StreamFrame, void, undefined> {
    if (this.#waiting.size >= limits.podStreamsMax) {
      throw new IkadaError("Overloaded", `${this.#waiting.size} streams wait for their agents, which is the limit`);
    }
    const { node } = agent;
    const id = randomBytes(16).toString("hex");
    let isComplete = false;
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const opened = new Promise<OpenedStream>((resolve, reject) => {
      const fail = (reason: "Unavailable" | "Cancelled", message: string) => {
        this.#waiting.delete(id);
        clearTimeout(timer);
        signal.removeEventListener("abort", cancel);
        reject(new IkadaError(reason, message));
      };
      const cancel = () => fail("Cancelled", "the call was cancelled");
      const timer = setTimeout(() => fail("Unavailable", `node ${node} did not open the stream`), openMs);
      if (signal.aborted) queueMicrotask(cancel);
      signal.addEventListener("abort", cancel, { once: true });
      this.#waiting.set(id, {
        node,
        take: (stream) => {
          clearTimeout(timer);
          signal.removeEventListener("abort", cancel);
          resolve(stream);
          return finished;
        },
      });
    });
    try {
      // Inside the try: a session that is closing throws here, and nothing may stay behind.
      const asked = opened.catch((error: unknown) => IkadaError.from(error));
      agent.ask(id);
      const stream = await asked;
      if (stream instanceof IkadaError) throw stream;
      for await (const frame of exchange(stream, input, signal)) {
        isComplete ||= frame.end === true;
        yield frame;
      }
    } finally {
      this.#waiting.delete(id);
      if (!isComplete) agent.close(id);
      finish();
    }
  }

  /** An agent opens a stream; resolves when its reader is done with it. @throws IkadaError NotFound when nobody asked this node for it, Deadline when it says not which */
  async offer(stream: AgentStream, call: Call): Promise<void> {
    const frames = readMessages<ikada.agent.v1.StreamFrame>(stream, call.signal);
    const first = await firstMessage(frames, openMs, "no frame that names the stream");
    const id = first.done ? "" : first.value.streamId;
    const waiting = this.#waiting.get(id);
    if (first.done || !waiting || waiting.node !== call.caller.name) {
      throw new IkadaError("NotFound", "nobody waits for this stream");
    }
    this.#waiting.delete(id);
    await waiting.take({ stream, frames: prepend(first.value, frames) });
  }
}

/** The agent's frames. The caller's end, and a fault in its input, end them too, also while the agent is silent. */
async function* exchange(
  { frames, stream }: OpenedStream,
  input: FrameSource | undefined,
  signal: AbortSignal,
): FrameSource {
  const wait = new InterruptibleWait();
  const over = new AbortController();
  const cancel = (): void => {
    wait.interrupt(new IkadaError("Cancelled", "the call was cancelled"));
    over.abort();
  };
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  if (input) void pass(input, stream, over.signal, (error) => wait.interrupt(error));
  try {
    for (;;) {
      const next = await wait.for(frames.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    over.abort();
  }
}

/** Ends with its input, or with the exchange. */
async function pass(
  input: FrameSource,
  stream: AgentStream,
  over: AbortSignal,
  onFault: (error: IkadaError) => void,
): Promise<void> {
  try {
    for await (const frame of input) await writeMessage(stream, frame, over);
  } catch (caught) {
    // After the end of the exchange nobody asks for what became of the input.
    if (!over.aborted) onFault(IkadaError.from(caught));
  }
}

async function* prepend(first: ikada.agent.v1.StreamFrame, rest: AsyncIterable<StreamFrame>): FrameSource {
  if (first.end || first.opened || first.data.length > 0) yield first;
  yield* rest;
}

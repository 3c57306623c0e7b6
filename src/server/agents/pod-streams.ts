import { randomBytes } from "node:crypto";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/agent.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { readMessages } from "../../host/grpc.js";
import type { Call } from "../listener.js";
import { firstMessage } from "./first-message.js";

export type StreamFrame = ikada.agent.v1.IStreamFrame;
export type AgentStream = ServerDuplexStream<ikada.agent.v1.StreamFrame, StreamFrame>;
/** What an agent is asked to open, without the stream's id. */
export type StreamRequest = Omit<ikada.agent.v1.IOpenStream, "streamId">;
export type FrameSource = AsyncGenerator<StreamFrame, void, undefined>;

interface Waiting {
  readonly node: string;
  readonly take: (frames: FrameSource) => Promise<void>;
}

/** How long an agent may take to open a stream that it was asked for. */
const openMs = 10_000;

/** Streams that agents of this replica's sessions were asked to open, until they do. */
export class PodStreams {
  readonly #waiting = new Map<string, Waiting>();

  /**
   * Asks `node` for a stream (`ask` gives the agent its id) and yields its frames. Leaving the loop ends the stream.
   * @throws IkadaError Unavailable when the agent does not open it, Overloaded
   */
  async *open(
    node: string,
    ask: (streamId: string) => void,
    signal: AbortSignal,
  ): AsyncGenerator<StreamFrame, void, undefined> {
    if (this.#waiting.size >= limits.podStreamsMax) {
      throw new IkadaError("Overloaded", `${this.#waiting.size} streams wait for their agents, which is the limit`);
    }
    const id = randomBytes(16).toString("hex");
    let finish: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const opened = new Promise<FrameSource>((resolve, reject) => {
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
        take: (frames) => {
          clearTimeout(timer);
          signal.removeEventListener("abort", cancel);
          resolve(frames);
          return finished;
        },
      });
    });
    try {
      // Inside the try: a session that is closing throws here, and nothing may stay behind.
      const asked = opened.catch((error: unknown) => IkadaError.from(error));
      ask(id);
      const frames = await asked;
      if (frames instanceof IkadaError) throw frames;
      yield* frames;
    } finally {
      this.#waiting.delete(id);
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
    await waiting.take(prepend(first.value, frames));
  }
}

async function* prepend(first: ikada.agent.v1.StreamFrame, rest: AsyncIterable<StreamFrame>): FrameSource {
  if (first.end || first.data.length > 0) yield first;
  yield* rest;
}

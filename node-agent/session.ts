import type { Client } from "@grpc/grpc-js";
import type { ikada } from "#proto/agent.js";
import type { NodeStatus } from "../src/api/kinds/core.js";
import type { Env } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import { agentMethods } from "../src/host/agent-methods.js";
import { errorFromStatus } from "../src/host/grpc-errors.js";
import { callBidi } from "../src/host/grpc.js";
import type { Agent } from "./core/agent.js";
import { Session, type AgentIdentity, type SessionEvents } from "./core/session.js";
import type { DialledSession } from "./core/uplink.js";
import { openPodStream, refusePodStream } from "./pod-stream.js";
import type { StreamSources } from "./stream-sources.js";
import { decodeServerMessage, encodeAgentMessage } from "./wire.js";

export interface GrpcSessionOptions {
  /** Closed with the session. */
  readonly client: Client;
  readonly env: Pick<Env, "clock" | "timers" | "log">;
  readonly agent: Agent;
  readonly runtime: StreamSources["runtime"];
  readonly stats: StreamSources["stats"];
  readonly identity: AgentIdentity;
  readonly nodeStatus: () => NodeStatus;
  readonly events: SessionEvents;
}

const goodbyeMs = 500;
/** Streams to Pods of one session: logs, exec, forwarded connections, copies. */
const podStreamsMax = 128;

/** Carries the messages of one session on one gRPC call, from the call to its end. */
export function openSession(options: GrpcSessionOptions): DialledSession {
  const { client, env, agent, identity, nodeStatus, events } = options;
  const call = callBidi(client, agentMethods.session);
  const streams = new PodStreams(options);
  const session = new Session({
    env,
    agent,
    identity,
    nodeStatus,
    wire: {
      send: (message) => void call.write(encodeAgentMessage(message)),
      get isFull() {
        return call.writableNeedDrain;
      },
    },
    events: {
      onWelcome: (servers) => events.onWelcome(servers),
      onEnd: (error) => {
        streams.close();
        // After the end of the call a cancel does nothing; what it reports as an error was told already.
        call.cancel();
        client.close();
        events.onEnd(error);
      },
    },
  });
  call.on("data", (message: ikada.agent.v1.ServerMessage) => {
    try {
      session.take(decodeServerMessage(message));
      if (session.isOpen) streams.take(message);
    } catch (caught) {
      session.end(IkadaError.from(caught));
    }
  });
  call.on("error", (error) => session.end(errorFromStatus(error)));
  call.on("end", () => session.end(new IkadaError("Unavailable", "the server ended the session")));
  session.start();
  return {
    reportNode: () => session.reportNode(),
    // The server sees the end of the stream, not a broken one. Its answer is not waited for long.
    close() {
      call.end();
      env.timers.after(goodbyeMs, () => session.end(new IkadaError("Cancelled", "the agent has ended the session")));
    },
  };
}

/** The streams to Pods that one session was asked for. */
class PodStreams {
  readonly #options: GrpcSessionOptions;
  /** By the server's id for them. */
  readonly #open = new Map<string, { close(): void }>();

  constructor(options: GrpcSessionOptions) {
    this.#options = options;
  }

  take({ open, close }: ikada.agent.v1.ServerMessage): void {
    if (open) this.#openOne(open);
    else if (close) this.#open.get(close.streamId ?? "")?.close();
  }

  close(): void {
    for (const stream of this.#open.values()) stream.close();
  }

  #openOne(open: ikada.agent.v1.IOpenStream): void {
    const { client, agent, runtime, stats, env } = this.#options;
    const { log } = env;
    if (this.#open.size >= podStreamsMax) {
      log.warn("too many streams are open; one more is refused", { open: this.#open.size });
      const message = `this node has ${podStreamsMax} streams open, which is its limit`;
      refusePodStream(open, client, new IkadaError("Overloaded", message, { hint: "end some, or retry later" }));
      return;
    }
    const id = open.streamId ?? "";
    const holder: { close(): void } = { close: () => stream?.close() };
    this.#open.set(id, holder);
    const onEnd = (): void => {
      if (this.#open.get(id) === holder) this.#open.delete(id);
    };
    const stream: { close(): void } | undefined = openPodStream(open, { client, agent, runtime, stats, log, onEnd });
  }
}

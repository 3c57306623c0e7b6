import type { ikada } from "#proto/agent.js";
import { IkadaError } from "../../base/errors.js";
import { agentMethods } from "../../host/agent-methods.js";
import { readMessages } from "../../host/grpc.js";
import type { Call, Listener } from "../listener.js";
import type { AgentServices, AgentSessionStream } from "./agent-services.js";
import { firstMessage } from "./first-message.js";
import { InterruptibleWait } from "./interruptible-wait.js";
import { checkHello, NodeSessions, type Admission } from "./node-sessions.js";
import type { FrameSource, StreamRequest } from "./pod-streams.js";
import { PodStreams } from "./pod-streams.js";

const helloMs = 10_000;

/** ikada.agent.v1.Agent: carries the messages of the sessions with the agents that chose this replica. */
export class AgentService {
  readonly #services: AgentServices;
  readonly #sessions: NodeSessions;
  readonly #streams = new PodStreams();

  constructor(services: AgentServices) {
    this.#services = services;
    this.#sessions = new NodeSessions(services);
  }

  addTo(listener: Listener): void {
    listener.bidi(agentMethods.session, (stream, call) => this.#session(stream, call));
    listener.bidi(agentMethods.podStream, (stream, call) => this.#streams.offer(stream, call));
  }

  hasSession(node: string): boolean {
    return this.#sessions.of(node) !== undefined;
  }

  /** Frames of a stream from a node whose session is here; it is given those of `input`. @throws IkadaError Unavailable when it is not */
  openStream(node: string, request: StreamRequest, signal: AbortSignal, input?: FrameSource): FrameSource {
    const session = this.#sessions.of(node);
    if (!session) throw new IkadaError("Unavailable", `node ${node} has no session with this replica`);
    const agent = {
      node,
      ask: (streamId: string) => session.requestStream({ ...request, streamId }),
      close: (streamId: string) => session.closeStream(streamId),
    };
    return this.#streams.open(agent, signal, input);
  }

  /** Ends all sessions, so that agents go to other replicas at once. */
  close(): void {
    this.#sessions.end(new IkadaError("Unavailable", "this server is shutting down"));
  }

  async #session(stream: AgentSessionStream, call: Call): Promise<void> {
    const { log } = this.#services;
    const node = call.caller.name;
    const messages = readMessages<ikada.agent.v1.AgentMessage>(stream, call.signal);
    const first = await firstMessage(messages, helloMs, "no hello");
    const hello = checkHello(first.done ? undefined : first.value, node);
    const wait = { signal: call.signal, deadlineMs: helloMs };
    const admission = await new Promise<Admission>((resolve, reject) => {
      this.#sessions.admit(node, hello, wait, (error, admitted) => (error ? reject(error) : resolve(admitted)));
    });
    if (call.signal.aborted) return;
    const ending = new InterruptibleWait();
    const session = this.#sessions.open(node, hello.bootId, admission, {
      send: (message) => call.signal.aborted || stream.write(message),
      get isFull() {
        return stream.writableNeedDrain;
      },
      onEnd: (error) => ending.interrupt(error),
    });
    const resume = () => session.resume();
    stream.on("drain", resume);
    log.info("agent connected", { node, bootId: hello.bootId, version: hello.version });
    try {
      for (;;) {
        const next = await ending.for(messages.next());
        if (next.done) break;
        await ending.for(new Promise<void>((ready) => session.take(next.value, ready)));
      }
      log.info("agent left", { node, bootId: hello.bootId });
    } catch (caught) {
      log.info("agent's session ended", { node, bootId: hello.bootId, error: IkadaError.from(caught).message });
      throw caught;
    } finally {
      stream.removeListener("drain", resume);
      this.#sessions.close(session, hello.bootId);
    }
  }
}

import type { ikada } from "#proto/agent.js";
import { IkadaError } from "../../base/errors.js";
import { agentMethods } from "../../host/agent-methods.js";
import { readMessages } from "../../host/grpc.js";
import type { Call, Listener } from "../listener.js";
import type { AgentServices, AgentSessionStream } from "./agent-services.js";
import { AgentSession } from "./agent-session.js";
import { firstMessage } from "./first-message.js";
import { registerNode } from "./node-registration.js";
import type { FrameSource, StreamRequest } from "./pod-streams.js";
import { PodStreams } from "./pod-streams.js";

/** The protocol's version; an agent that speaks another one is told so. */
const format = 1;
const helloMs = 10_000;

/** ikada.agent.v1.Agent: the sessions of the agents that chose this replica. */
export class AgentService {
  readonly #services: AgentServices;
  readonly #sessions = new Map<string, AgentSession>();
  readonly #streams = new PodStreams();

  constructor(services: AgentServices) {
    this.#services = services;
  }

  addTo(listener: Listener): void {
    listener.bidi(agentMethods.session, (stream, call) => this.#session(stream, call));
    listener.bidi(agentMethods.podStream, (stream, call) => this.#streams.offer(stream, call));
  }

  hasSession(node: string): boolean {
    return this.#sessions.has(node);
  }

  /** Frames of a stream from a node whose session is here; it is given those of `input`. @throws IkadaError Unavailable when it is not */
  openStream(node: string, request: StreamRequest, signal: AbortSignal, input?: FrameSource): FrameSource {
    const session = this.#sessions.get(node);
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
    for (const session of this.#sessions.values()) {
      session.end(new IkadaError("Unavailable", "this server is shutting down"));
    }
  }

  async #session(stream: AgentSessionStream, call: Call): Promise<void> {
    const { log, liveness } = this.#services;
    const node = call.caller.name;
    const messages = readMessages<ikada.agent.v1.AgentMessage>(stream, call.signal);
    const hello = await firstHello(messages, node);
    const object = await this.#admit(node, hello, call);
    if (call.signal.aborted) return;
    const session = new AgentSession(this.#services, stream, call, hello.bootId);
    this.#sessions.get(node)?.end(new IkadaError("Cancelled", `a newer session of node ${node} replaced this one`));
    this.#sessions.set(node, session);
    const { clusterId, heartbeatMs, servers } = this.#services;
    const podCidr = (object["spec"] as { readonly podCIDR?: string } | undefined)?.podCIDR ?? "";
    const nodeUid = object.metadata.uid ?? "";
    stream.write({ welcome: { clusterId, nodeUid, heartbeatMs, servers: [...servers], podCidr } });
    log.info("agent connected", { node, bootId: hello.bootId, version: hello.version });
    try {
      await session.run(messages);
      log.info("agent left", { node, bootId: hello.bootId });
    } catch (caught) {
      log.info("agent's session ended", { node, bootId: hello.bootId, error: IkadaError.from(caught).message });
      throw caught;
    } finally {
      if (this.#sessions.get(node) === session) {
        this.#sessions.delete(node);
        liveness.setConnected(node, hello.bootId, false);
      }
    }
  }

  /** Finds or makes the Node, and waits until this replica knows at least what the agent was told before. */
  async #admit(node: string, hello: ikada.agent.v1.Hello, call: Call): ReturnType<typeof registerNode> {
    const { store, random, network, replica } = this.#services;
    const wait = { signal: call.signal, deadlineMs: helloMs };
    await store.reached(hello.revision, wait);
    if (replica.status().term < hello.term) {
      // The barrier asks the leader; its answer brings this replica to the leader's term.
      await store.barrier(wait);
      if (replica.status().term < hello.term) {
        throw new IkadaError("Unavailable", `this replica is in term ${replica.status().term}, behind ${hello.term}`, {
          hint: "connect to another server",
        });
      }
    }
    return await registerNode({ store, random, network, wait }, node, hello.labels);
  }
}

/** @throws IkadaError BadRequest, Forbidden, Deadline */
async function firstHello(
  messages: ReturnType<typeof readMessages<ikada.agent.v1.AgentMessage>>,
  node: string,
): Promise<ikada.agent.v1.Hello> {
  const first = await firstMessage(messages, helloMs, "no hello");
  const hello = first.done ? undefined : (first.value.hello as ikada.agent.v1.Hello | undefined | null);
  if (!hello) throw new IkadaError("BadRequest", "the first message of a session is hello");
  if (hello.format !== format) {
    throw new IkadaError("Unsupported", `protocol version ${hello.format}; this server speaks ${format}`, {
      hint: "use an agent of the server's version",
    });
  }
  if (hello.node !== node) {
    throw new IkadaError("Forbidden", `the certificate is that of node "${node}", hello says "${hello.node}"`);
  }
  return hello;
}

import type * as grpc from "@grpc/grpc-js";
import { ikada } from "#proto/agent.js";
import type { IkadaError } from "../../../src/base/errors.js";
import { agentMethods } from "../../../src/host/agent-methods.js";
import { callBidi } from "../../../src/host/grpc.js";
import { errorFromStatus } from "../../../src/host/grpc-errors.js";

export type AgentStream = grpc.ClientDuplexStream<ikada.agent.v1.IStreamFrame, ikada.agent.v1.StreamFrame>;

const { Type } = ikada.agent.v1.Assignments;

/** An agent's side of the protocol, and nothing of what an agent does. */
export class FakeAgent {
  readonly node: string;
  readonly messages: ikada.agent.v1.ServerMessage[] = [];
  readonly assignments: ikada.agent.v1.IAssignments[] = [];
  readonly accepted: number[] = [];
  readonly eventsAccepted: number[] = [];
  /** What it was told to run, as an agent keeps it: by uid, and by `Kind/namespace/name`. */
  readonly pods = new Map<string, unknown>();
  readonly objects = new Map<string, unknown>();
  /** Streams that servers ask for, and give up, as they come. */
  onOpen: (open: ikada.agent.v1.IOpenStream) => void = () => undefined;
  readonly closed: string[] = [];
  revision = 0;
  welcome: ikada.agent.v1.IWelcome | undefined;
  error: IkadaError | undefined;
  ended = false;
  readonly #client: grpc.Client;
  readonly #call: ReturnType<
    typeof callBidi<ikada.agent.v1.IAgentMessage, unknown, unknown, ikada.agent.v1.ServerMessage>
  >;
  readonly #heartbeats: NodeJS.Timeout;

  constructor(client: grpc.Client, node: string, hello: ikada.agent.v1.IHello = {}) {
    this.node = node;
    this.#client = client;
    const call = callBidi(client, agentMethods.session);
    this.#call = call;
    call.on("data", (message) => this.#take(message));
    call.on("error", (error) => {
      this.error = errorFromStatus(error);
      this.ended = true;
    });
    call.on("end", () => {
      this.ended = true;
    });
    call.write({ hello: { format: 1, node, bootId: "boot-1", version: "0", ...hello } });
    this.#heartbeats = setInterval(() => this.send({ heartbeat: { sequence: 1 } }), 50);
  }

  send(message: ikada.agent.v1.IAgentMessage): void {
    if (!this.ended) this.#call.write(message);
  }

  report(sequence: number, reports: readonly ikada.agent.v1.IPodReport[]): void {
    this.send({ pods: { sequence, reports: [...reports] } });
  }

  /** Stops talking, as a frozen machine does. */
  freeze(): void {
    clearInterval(this.#heartbeats);
  }

  /** Ends the session as a killed process does. */
  close(): void {
    clearInterval(this.#heartbeats);
    this.#call.cancel();
  }

  /** Opens the stream that the server asked for. */
  openStream(streamId: string): AgentStream {
    const stream = callBidi(this.#client, agentMethods.podStream);
    stream.on("error", () => undefined);
    stream.on("data", () => undefined);
    stream.write({ streamId });
    return stream;
  }

  #take(message: ikada.agent.v1.ServerMessage): void {
    this.messages.push(message);
    if (message.welcome) this.welcome = message.welcome;
    if (message.accepted) this.accepted.push(message.accepted.sequence ?? 0);
    if (message.eventsAccepted) this.eventsAccepted.push(message.eventsAccepted.sequence ?? 0);
    if (message.open) this.onOpen(message.open);
    if (message.close) this.closed.push(message.close.streamId ?? "");
    if (!message.assignments) return;
    const { type, appliesTo, resultsIn, pods, removedUids, objects, removedObjects } = message.assignments;
    this.assignments.push(message.assignments);
    if (type === Type.COMPLETE) {
      this.pods.clear();
      this.objects.clear();
    } else if (appliesTo !== this.revision) throw new Error(`increment to ${appliesTo}, agent is at ${this.revision}`);
    for (const { uid, json } of pods ?? [])
      this.pods.set(uid ?? "", JSON.parse(new TextDecoder().decode(json ?? undefined)));
    for (const uid of removedUids ?? []) this.pods.delete(uid);
    for (const { kind, namespace, name, json } of objects ?? [])
      this.objects.set(`${kind}/${namespace}/${name}`, JSON.parse(new TextDecoder().decode(json ?? undefined)));
    for (const { kind, namespace, name } of removedObjects ?? []) this.objects.delete(`${kind}/${namespace}/${name}`);
    this.revision = resultsIn ?? 0;
  }
}

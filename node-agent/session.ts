import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/agent.js";
import type { NodeStatus } from "../src/api/kinds/core.js";
import type { Log } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import { agentMethods } from "../src/host/agent-methods.js";
import { errorFromStatus } from "../src/host/grpc-errors.js";
import { callBidi } from "../src/host/grpc.js";
import type { Agent } from "./core/agent.js";
import { openPodStream, refusePodStream } from "./pod-stream.js";
import type { StreamSources } from "./stream-sources.js";
import { decodeAssignments, encodeJson, encodeReports } from "./wire.js";

type Stream = ClientDuplexStream<ikada.agent.v1.IAgentMessage, ikada.agent.v1.ServerMessage>;

export interface SessionOptions {
  readonly client: Client;
  /** `host:port`, for messages. */
  readonly server: string;
  readonly agent: Agent;
  readonly runtime: StreamSources["runtime"];
  readonly stats: StreamSources["stats"];
  readonly hello: {
    readonly node: string;
    readonly clusterId: string;
    readonly version: string;
    readonly bootId: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly nodeStatus: () => NodeStatus;
  readonly log: Log;
  /** The server took the session; the addresses of all servers, as it knows them. */
  readonly onWelcome: (servers: readonly string[]) => void;
}

const format = 1;
/** From hello to welcome. A server that knows no leader takes longer; another one may not. */
const welcomeMs = 5_000;
/** Silence of the server, in its own heartbeats, after which the session counts as broken. */
const silentBeatsMax = 5;
const silentMsMin = 3_000;
const goodbyeMs = 500;
/** Streams to Pods of one session: logs, exec, forwarded connections, copies. */
const podStreamsMax = 128;

/** One session with one server, from the call to its end. */
export class Session {
  readonly #options: SessionOptions;
  readonly #stream: Stream;
  /** By the server's id for them. */
  readonly #podStreams = new Map<string, { close(): void }>();
  #welcomed = false;
  #closing = false;
  #over = false;
  #heartbeats = 0;
  #heardAt = performance.now();
  #timers: NodeJS.Timeout[] = [];
  #end: (error: IkadaError | undefined) => void = () => undefined;
  /** Resolves when the session is over, with why; undefined when this side closed it. */
  readonly ended: Promise<IkadaError | undefined>;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#stream = callBidi(options.client, agentMethods.session);
    this.#stream.on("data", (message: ikada.agent.v1.ServerMessage) => this.#guarded(() => this.#take(message)));
    this.#stream.on("error", (error) => this.#finish(errorFromStatus(error)));
    this.#stream.on("end", () => this.#finish(new IkadaError("Unavailable", "the server ended the session")));
    const { term, revision } = options.agent.position;
    const { node, version, bootId, labels } = options.hello;
    this.#stream.write({ hello: { format, node, version, bootId, labels, term, revision } });
    const late = setTimeout(() => {
      if (!this.#welcomed) this.#finish(new IkadaError("Deadline", `no welcome within ${welcomeMs} ms`));
    }, welcomeMs);
    this.#timers.push(late);
  }

  /** The Node's status changed. */
  reportNode(): void {
    if (this.#welcomed) this.#stream.write({ node: { statusJson: encodeJson(this.#options.nodeStatus()) } });
  }

  /** Says goodbye: the server sees the end of the stream, not a broken one. Does not wait long for its answer. */
  close(): void {
    this.#closing = true;
    this.#stream.end();
    this.#timers.push(setTimeout(() => this.#finish(undefined), goodbyeMs));
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (caught) {
      this.#finish(IkadaError.from(caught));
    }
  }

  #take(message: ikada.agent.v1.ServerMessage): void {
    // What was on its way when the session ended must not touch the agent, which may be in another session by now.
    if (this.#over) return;
    this.#heardAt = performance.now();
    const { welcome, assignments, accepted, open, close } = message;
    if (welcome) this.#takeWelcome(welcome);
    else if (!this.#welcomed) throw new IkadaError("BadRequest", "the first message of a server is welcome");
    else if (assignments) {
      const refused = this.#options.agent.receive(decodeAssignments(assignments as ikada.agent.v1.Assignments));
      if (refused !== undefined) throw new IkadaError("Conflict", `assignments refused: ${refused}`);
    } else if (accepted) this.#options.agent.acknowledge(accepted.sequence ?? 0);
    else if (open) this.#openStream(open);
    else if (close) this.#podStreams.get(close.streamId ?? "")?.close();
  }

  #takeWelcome(welcome: ikada.agent.v1.IWelcome): void {
    const { agent, hello, onWelcome } = this.#options;
    if (welcome.clusterId !== hello.clusterId) {
      const hint = "check the servers and the clusterId in the agent's configuration";
      throw new IkadaError("Invalid", `the server is of cluster ${welcome.clusterId}, not ${hello.clusterId}`, {
        hint,
      });
    }
    this.#welcomed = true;
    const heartbeatMs = Math.max(100, welcome.heartbeatMs || 1_000);
    this.#timers.push(setInterval(() => this.#beat(heartbeatMs), heartbeatMs));
    this.reportNode();
    agent.connect(welcome.nodeUid ?? "", (batch) => {
      // What does not fit now is not acknowledged, so it is sent again.
      if (!this.#stream.writableNeedDrain) this.#stream.write({ pods: encodeReports(batch) });
    });
    onWelcome(welcome.servers ?? []);
  }

  #beat(heartbeatMs: number): void {
    const silentMs = performance.now() - this.#heardAt;
    if (silentMs > Math.max(silentMsMin, heartbeatMs * silentBeatsMax)) {
      this.#finish(new IkadaError("Unavailable", `the server was silent for ${Math.round(silentMs)} ms`));
    } else if (!this.#stream.writableNeedDrain) {
      this.#heartbeats += 1;
      this.#stream.write({ heartbeat: { sequence: this.#heartbeats } });
    }
  }

  #openStream(open: ikada.agent.v1.IOpenStream): void {
    const { client, agent, runtime, stats, log } = this.#options;
    if (this.#podStreams.size >= podStreamsMax) {
      log.warn("too many streams are open; one more is refused", { open: this.#podStreams.size });
      const message = `this node has ${podStreamsMax} streams open, which is its limit`;
      refusePodStream(open, client, new IkadaError("Overloaded", message, { hint: "end some, or retry later" }));
      return;
    }
    const id = open.streamId ?? "";
    const holder: { close(): void } = { close: () => stream?.close() };
    this.#podStreams.set(id, holder);
    const onEnd = (): void => {
      if (this.#podStreams.get(id) === holder) this.#podStreams.delete(id);
    };
    const stream: { close(): void } | undefined = openPodStream(open, { client, agent, runtime, stats, log, onEnd });
  }

  #finish(error: IkadaError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    if (this.#welcomed) this.#options.agent.disconnect();
    this.#welcomed = false;
    for (const stream of this.#podStreams.values()) stream.close();
    // After the end of the stream a cancel does nothing; what it reports as an error was told already.
    this.#stream.cancel();
    this.#end(this.#closing ? undefined : error);
  }
}

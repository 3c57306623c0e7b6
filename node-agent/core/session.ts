import type { Env, Timer } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type { NodeStatus } from "../../src/api/kinds/core.js";
import type { Agent } from "./agent.js";
import type { EventBatch } from "./agent-events.js";
import type { Assignments } from "./assignment-book.js";
import type { LeaseAnswer, LeaseRequest } from "./fencing-leases.js";
import type { ReportBatch } from "./report-outbox.js";

/** Who the agent is, as it says in its first message. */
export interface AgentIdentity {
  readonly node: string;
  readonly clusterId: string;
  readonly version: string;
  /** Changes with every start of the agent. */
  readonly bootId: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Hello extends Omit<AgentIdentity, "clusterId"> {
  /** Older assignments than these are refused. */
  readonly term: number;
  readonly revision: number;
}

export interface Welcome {
  readonly clusterId: string;
  readonly nodeUid: string;
  /** How often each side says that it is there. */
  readonly heartbeatMs: number;
  /** Addresses of all servers, as this one knows them. */
  readonly servers: readonly string[];
}

export type ToServer =
  | { readonly type: "hello"; readonly hello: Hello }
  | { readonly type: "heartbeat"; readonly sequence: number }
  | { readonly type: "node"; readonly status: NodeStatus }
  | { readonly type: "pods"; readonly batch: ReportBatch }
  | { readonly type: "events"; readonly batch: EventBatch }
  | { readonly type: "renew"; readonly request: LeaseRequest };

export type FromServer =
  | { readonly type: "welcome"; readonly welcome: Welcome }
  | { readonly type: "assignments"; readonly assignments: Assignments }
  | { readonly type: "accepted"; readonly sequence: number }
  | { readonly type: "eventsAccepted"; readonly sequence: number }
  | { readonly type: "leases"; readonly answer: LeaseAnswer }
  /** A heartbeat, or what the session has no part in. */
  | { readonly type: "beat" };

/** The way to the server. */
export interface ServerWire {
  send(message: ToServer): void;
  /** The way is full: what is sent again anyway is left out. */
  readonly isFull: boolean;
}

export interface SessionEvents {
  /** The server took the session; the addresses of all servers, as it knows them. */
  onWelcome(servers: readonly string[]): void;
  /** The session is over, and why. Once; nothing is sent after it. */
  onEnd(error: IkadaError): void;
}

export interface SessionOptions {
  readonly env: Pick<Env, "clock" | "timers">;
  readonly agent: Pick<
    Agent,
    "position" | "connect" | "disconnect" | "receive" | "acknowledge" | "acknowledgeEvents" | "renewed"
  >;
  readonly identity: AgentIdentity;
  readonly nodeStatus: () => NodeStatus;
  readonly wire: ServerWire;
  readonly events: SessionEvents;
}

/** From hello to welcome. A server that knows no leader takes longer; another one may not. */
const welcomeMs = 5_000;
/** Silence of the server, in its own heartbeats, after which the session counts as broken. */
const silentBeatsMax = 5;
const silentMsMin = 3_000;

/** One session with one server, from hello to its end, on callbacks. Who carries the messages gives it those that come. */
export class Session {
  readonly #options: SessionOptions;
  #welcomed = false;
  #over = false;
  #heartbeats = 0;
  #heardAt: number;
  #late: Timer | undefined;
  #beatTimer: Timer | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#heardAt = options.env.clock.monotonic();
  }

  /** Welcomed, and not over. */
  get isOpen(): boolean {
    return this.#welcomed && !this.#over;
  }

  start(): void {
    const { agent, identity, wire, env } = this.#options;
    const { node, version, bootId, labels } = identity;
    const { term, revision } = agent.position;
    this.#late = env.timers.after(welcomeMs, () => {
      if (!this.#welcomed) this.end(new IkadaError("Deadline", `no welcome within ${welcomeMs} ms`));
    });
    wire.send({ type: "hello", hello: { node, version, bootId, labels, term, revision } });
  }

  /** A message of the server. What comes after the end must not touch the agent, which may be in another session by now. */
  take(message: FromServer): void {
    if (this.#over) return;
    this.#heardAt = this.#options.env.clock.monotonic();
    const error = this.#taken(message);
    if (error !== undefined) this.end(error);
  }

  /** The Node's status changed. */
  reportNode(): void {
    if (this.isOpen) this.#options.wire.send({ type: "node", status: this.#options.nodeStatus() });
  }

  /** Ends the session, from either side; the first reason counts. */
  end(error: IkadaError): void {
    if (this.#over) return;
    this.#over = true;
    this.#late?.cancel();
    this.#beatTimer?.cancel();
    if (this.#welcomed) this.#options.agent.disconnect();
    this.#options.events.onEnd(error);
  }

  /** Undefined, or why the session is over. */
  #taken(message: FromServer): IkadaError | undefined {
    const { agent } = this.#options;
    if (message.type === "welcome") return this.#takeWelcome(message.welcome);
    if (!this.#welcomed) return new IkadaError("BadRequest", "the first message of a server is welcome");
    if (message.type === "accepted") agent.acknowledge(message.sequence);
    if (message.type === "eventsAccepted") agent.acknowledgeEvents(message.sequence);
    if (message.type === "leases") agent.renewed(message.answer);
    if (message.type !== "assignments") return undefined;
    const refused = agent.receive(message.assignments);
    return refused === undefined ? undefined : new IkadaError("Conflict", `assignments refused: ${refused}`);
  }

  #takeWelcome(welcome: Welcome): IkadaError | undefined {
    const { agent, identity, events, wire } = this.#options;
    if (welcome.clusterId !== identity.clusterId) {
      const hint = "check the servers and the clusterId in the agent's configuration";
      const message = `the server is of cluster ${welcome.clusterId}, not ${identity.clusterId}`;
      return new IkadaError("Invalid", message, { hint });
    }
    this.#welcomed = true;
    this.#beatLater(Math.max(100, welcome.heartbeatMs || 1_000));
    this.reportNode();
    // What does not fit now is not acknowledged, so it is sent again.
    agent.connect(
      welcome.nodeUid,
      (batch) => {
        if (!wire.isFull) wire.send({ type: "pods", batch });
      },
      (batch) => {
        if (!wire.isFull) wire.send({ type: "events", batch });
      },
      (request) => {
        if (!wire.isFull) wire.send({ type: "renew", request });
      },
    );
    events.onWelcome(welcome.servers);
    return undefined;
  }

  #beatLater(heartbeatMs: number): void {
    this.#beatTimer?.cancel();
    this.#beatTimer = this.#options.env.timers.after(heartbeatMs, () => {
      this.#beatLater(heartbeatMs);
      this.#beat(heartbeatMs);
    });
  }

  #beat(heartbeatMs: number): void {
    const { env, wire } = this.#options;
    const silentMs = env.clock.monotonic() - this.#heardAt;
    if (silentMs > Math.max(silentMsMin, heartbeatMs * silentBeatsMax)) {
      this.end(new IkadaError("Unavailable", `the server was silent for ${Math.round(silentMs)} ms`));
    } else if (!wire.isFull) {
      this.#heartbeats += 1;
      wire.send({ type: "heartbeat", sequence: this.#heartbeats });
    }
  }
}

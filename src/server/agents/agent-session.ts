import { ikada } from "#proto/agent.js";
import type { AnyObject } from "../../api/object.js";
import { listAt, textAt } from "../../api/path.js";
import { IkadaError } from "../../base/errors.js";
import { readMessages } from "../../host/grpc.js";
import type { Call } from "../listener.js";
import type { AgentServices, AgentSessionStream } from "./agent-services.js";
import { AssignmentFeed } from "./assignment-feed.js";
import { InterruptibleWait } from "./interruptible-wait.js";
import { nodeChanges, parseStatus, podChanges } from "./reported-status.js";

/** Report messages of one agent that may wait for their commit; then no more are read from it. */
const unacknowledgedMax = 64;
const reportsPerMessageMax = 1024;

/**
 * One agent's session with this replica: assignments down, reports up, heartbeats both ways. Ends when either side ends it,
 * when the agent falls silent, or when a newer session of the same node replaces it.
 */
export class AgentSession {
  readonly node: string;
  readonly #services: AgentServices;
  readonly #stream: AgentSessionStream;
  readonly #call: Call;
  readonly #bootId: string;
  readonly #feed: AssignmentFeed;
  readonly #wait = new InterruptibleWait();
  #heardAt: number;
  #heartbeats = 0;
  #unacknowledged = 0;
  #acknowledged: (() => void) | undefined;
  #nodeStatus: Readonly<Record<string, unknown>> | undefined;

  constructor(services: AgentServices, stream: AgentSessionStream, call: Call, bootId: string) {
    this.node = call.caller.name;
    this.#services = services;
    this.#stream = stream;
    this.#call = call;
    this.#bootId = bootId;
    this.#heardAt = services.clock.monotonic();
    const term = () => services.replica.status().term;
    this.#feed = new AssignmentFeed(this.node, services.cache, term, (assignments) => stream.write({ assignments }));
  }

  /** Ends the session from this side. */
  end(error: IkadaError): void {
    this.#wait.interrupt(error);
  }

  /** Asks the agent to open a stream. */
  requestStream(open: ikada.agent.v1.IOpenStream): void {
    this.#stream.write({ open });
  }

  /** Tells the agent that nobody reads a stream any more. */
  closeStream(streamId: string): void {
    if (!this.#call.signal.aborted) this.#stream.write({ close: { streamId } });
  }

  /** Runs until the session ends. @throws IkadaError why it ended, unless the agent ended it */
  async run(messages: ReturnType<typeof readMessages<ikada.agent.v1.AgentMessage>>): Promise<void> {
    const { liveness, heartbeatMs, cache } = this.#services;
    const resume = () => this.#feed.resume();
    this.#stream.on("drain", resume);
    const heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    const nodes = cache.onChanges((changes) => {
      for (const { after } of changes) if (after) this.#restoreNode(after);
    });
    liveness.setConnected(this.node, this.#bootId, true);
    this.#feed.start();
    try {
      for (;;) {
        const next = await this.#wait.for(messages.next());
        if (next.done) return;
        this.#heardAt = this.#services.clock.monotonic();
        liveness.heard(this.node);
        await this.#wait.for(this.#take(next.value));
      }
    } finally {
      clearInterval(heartbeat);
      nodes.close();
      this.#feed.close();
      this.#stream.removeListener("drain", resume);
    }
  }

  async #take(message: ikada.agent.v1.AgentMessage): Promise<void> {
    if (message.pods) await this.#takePods(message.pods);
    else if (message.node) this.#takeNode(parseStatus(message.node.statusJson ?? new Uint8Array()));
    else if (message.hello) throw new IkadaError("BadRequest", "hello came twice");
  }

  #takeNode(status: Readonly<Record<string, unknown>>): void {
    this.#nodeStatus = status;
    void this.#services.folder.report({ groupKind: "/Node", namespace: "", name: this.node }, (live) =>
      nodeChanges(live, status),
    );
  }

  async #takePods({ sequence, reports }: ikada.agent.v1.IPodReports): Promise<void> {
    if ((reports?.length ?? 0) > reportsPerMessageMax) {
      throw new IkadaError("TooLarge", `more than ${reportsPerMessageMax} reports in one message`);
    }
    while (this.#unacknowledged >= unacknowledgedMax) {
      await new Promise<void>((resolve) => {
        this.#acknowledged = resolve;
      });
    }
    this.#unacknowledged += 1;
    const committed = (reports ?? []).map((report) => this.#takePod(report));
    void this.#acknowledge(sequence ?? 0, committed);
  }

  async #acknowledge(sequence: number, committed: readonly Promise<void>[]): Promise<void> {
    await Promise.all(committed);
    this.#unacknowledged -= 1;
    this.#acknowledged?.();
    if (!this.#call.signal.aborted) this.#stream.write({ accepted: { sequence } });
  }

  #takePod(report: ikada.agent.v1.IPodReport): Promise<void> {
    const { namespace, name, uid, statusJson, gone } = report;
    if (!isName(namespace) || !isName(name)) {
      throw new IkadaError("BadRequest", "a report names its Pod by namespace and name");
    }
    const status = parseStatus(statusJson ?? new Uint8Array());
    return this.#services.folder.report({ groupKind: "/Pod", namespace, name }, (live) =>
      podChanges(live, { node: this.node, uid: uid ?? "", status, gone: gone ?? false }),
    );
  }

  /** A controller that had not heard of the node wrote that it is unknown; while its session stands, its own word counts. */
  #restoreNode(after: AnyObject): void {
    if (after.kind !== "Node" || after.metadata.name !== this.node || !this.#nodeStatus) return;
    const ready = listAt(after, "status", "conditions").find((condition) => textAt(condition, ["type"]) === "Ready");
    if (textAt(ready, ["status"]) !== "Unknown") return;
    const status = this.#nodeStatus;
    const later = setTimeout(() => {
      if (this.#nodeStatus === status && !this.#call.signal.aborted) this.#takeNode(status);
    }, this.#services.heartbeatMs);
    later.unref();
  }

  #beat(): void {
    const silentMs = this.#services.clock.monotonic() - this.#heardAt;
    if (silentMs > this.#services.heartbeatMs * silentBeatsMax) {
      this.end(new IkadaError("Unavailable", `node ${this.node} was silent for ${Math.round(silentMs)} ms`));
    } else if (!this.#stream.writableNeedDrain) {
      this.#heartbeats += 1;
      this.#stream.write({ heartbeat: { sequence: this.#heartbeats } });
    }
  }
}

/** Heartbeats an agent may miss before its session counts as broken. */
const silentBeatsMax = 10;

function isName(text: string | null | undefined): text is string {
  return typeof text === "string" && /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/.test(text);
}

import type { ikada } from "#proto/agent.js";
import type { AnyObject } from "../../api/object.js";
import { fencingLeaseMs } from "../../api/kinds/fencing-lease.js";
import { listAt, textAt } from "../../api/path.js";
import type { Timer } from "../../base/env.js";
import { IkadaError } from "../../base/errors.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import type { Compare } from "../../../store/store.js";
import type { AgentServices } from "./agent-services.js";
import { AssignmentFeed } from "./assignment-feed.js";
import { EventIntake } from "./event-intake.js";
import { LeaseGrants } from "./lease-grants.js";
import type { ReportDecision } from "./report-folder.js";
import { nodeChanges, parseStatus, podChanges } from "./reported-status.js";

/** Report messages of one agent that may wait for their commit; then no more are read from it. */
const unacknowledgedMax = 64;
const reportsPerMessageMax = 1024;
/** Heartbeats an agent may miss before its session counts as broken. */
const silentBeatsMax = 10;
/** While no quorum says whether a Pod with a fencing lease is gone. */
const confirmAgainMs = 500;

/**
 * Heartbeats that this replica may know no leader for, and that a report may wait for its commit: then another replica is of more use to the agent,
 * and a replica that is cut off takes no new sessions, since those are written down. An election takes a second or two.
 */
const leaderlessBeatsMax = 4;
const waitingBeatsMax = 15;

/** The way to the agent. */
export interface AgentWire {
  /** Sends one message; false: the way is full, `NodeSession.resume` is to be called when there is room. */
  send(message: ikada.agent.v1.IServerMessage): boolean;
  /** The way is full; what can be left out is. */
  readonly isFull: boolean;
  /** This side ends the session: why. */
  onEnd(error: IkadaError): void;
}

/** Who the agent is: the name in its certificate, which start of its process, and which session. */
export interface AgentIdentity {
  readonly node: string;
  readonly bootId: string;
  /** Holds while this session is the newest of its node. */
  readonly fence: Compare;
}

/**
 * One agent's session with this replica: assignments down, reports up, heartbeats both ways. Ends when either side ends it,
 * when the agent falls silent, or when a newer session of the same node replaces it. All on callbacks; who carries the messages calls
 * `take` for one at a time and `close` at the end.
 */
export class NodeSession {
  readonly node: string;
  readonly #services: AgentServices;
  readonly #wire: AgentWire;
  readonly #bootId: string;
  readonly #fence: Compare;
  readonly #feed: AssignmentFeed;
  readonly #events: EventIntake;
  readonly #leases: LeaseGrants;
  #heardAt: number;
  /** When this replica last knew a leader, looked at with each heartbeat. */
  #ledAt: number;
  /** When each report that waits for its commit came, oldest first. */
  readonly #waiting = new Map<number, number>();
  #reports = 0;
  #heartbeats = 0;
  #beatTimer: Timer | undefined;
  #restoreTimer: Timer | undefined;
  #nodes: { close(): void } | undefined;
  #unacknowledged = 0;
  /** Reads on when a report is committed: too many wait. */
  #acknowledged: (() => void) | undefined;
  #nodeStatus: Readonly<Record<string, unknown>> | undefined;
  #closed = false;

  constructor(services: AgentServices, { node, bootId, fence }: AgentIdentity, wire: AgentWire) {
    this.node = node;
    this.#services = services;
    this.#wire = wire;
    this.#bootId = bootId;
    this.#fence = fence;
    this.#heardAt = this.#ledAt = services.clock.monotonic();
    this.#events = new EventIntake(services, { node, fence }, (sequence) => {
      if (!this.#closed) wire.send({ eventsAccepted: { sequence } });
    });
    const term = () => services.replica.status().term;
    this.#feed = new AssignmentFeed(node, services.cache, term, (assignments) => wire.send({ assignments }));
    this.#leases = new LeaseGrants(node, services.store, services.cache);
  }

  /** Sends the complete assignments, and what changes from then on. */
  start(): void {
    const { liveness, cache } = this.#services;
    this.#beatLater();
    this.#nodes = cache.onChanges((changes) => {
      for (const { after } of changes) if (after) this.#restoreNode(after);
    });
    liveness.setConnected(this.node, this.#bootId, true);
    this.#feed.start();
  }

  /** Takes a message and calls `ready` when it may be given the next one. @throws IkadaError why the session is to end */
  take(message: ikada.agent.v1.AgentMessage, ready: () => void): void {
    const { clock, liveness } = this.#services;
    this.#heardAt = clock.monotonic();
    liveness.heard(this.node);
    if (message.hello) throw new IkadaError("BadRequest", "hello came twice");
    if (message.node) this.#takeNode(parseStatus(message.node.statusJson ?? new Uint8Array()));
    if (message.events) this.#events.take(message.events);
    if (message.renew) this.#renew(message.renew);
    if (message.pods) this.#takePods(message.pods, ready);
    else ready();
  }

  /** There is room again on the way to the agent. */
  resume(): void {
    if (!this.#closed) this.#feed.resume();
  }

  /** Ends the session from this side. */
  end(error: IkadaError): void {
    if (!this.#closed) this.#wire.onEnd(error);
  }

  /** Asks the agent to open a stream. */
  requestStream(open: ikada.agent.v1.IOpenStream): void {
    this.#wire.send({ open });
  }

  /** Tells the agent that nobody reads a stream any more. */
  closeStream(streamId: string): void {
    if (!this.#closed) this.#wire.send({ close: { streamId } });
  }

  /** Nothing is sent any more. Reports that were taken are still committed. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#beatTimer?.cancel();
    this.#restoreTimer?.cancel();
    this.#nodes?.close();
    this.#feed.close();
  }

  #renew({ sequence, instance, podUids }: ikada.agent.v1.IRenewLeases): void {
    const request = { sequence: sequence ?? 0, instance: instance ?? "", podUids: podUids ?? [] };
    this.#leases.renew(request, (error, renewal) => {
      if (this.#closed) return;
      if (error === null) this.#wire.send({ leases: { ...renewal, podUids: [...renewal.podUids] } });
      else if (endsSession(error)) this.end(IkadaError.from(error));
      // Without a quorum there is no answer: the lease runs out unless one comes in time.
      else this.#services.log.debug("leases were not renewed", { node: this.node, error: error.message });
    });
  }

  #takeNode(status: Readonly<Record<string, unknown>>): void {
    this.#nodeStatus = status;
    const key = { groupKind: "/Node", namespace: "", name: this.node };
    this.#report(
      key,
      (live) => nodeChanges(live, status),
      () => undefined,
    );
  }

  #takePods({ sequence, reports }: ikada.agent.v1.IPodReports, ready: () => void): void {
    if ((reports?.length ?? 0) > reportsPerMessageMax) {
      throw new IkadaError("TooLarge", `more than ${reportsPerMessageMax} reports in one message`);
    }
    let open = reports?.length ?? 0;
    this.#unacknowledged += 1;
    const committed = (): void => {
      open -= 1;
      if (open <= 0) this.#acknowledge(sequence ?? 0);
    };
    for (const report of reports ?? []) this.#takePod(report, committed);
    if (open === 0) committed();
    if (this.#unacknowledged < unacknowledgedMax) ready();
    else this.#acknowledged = ready;
  }

  #acknowledge(sequence: number): void {
    this.#unacknowledged -= 1;
    if (this.#closed) return;
    this.#wire.send({ accepted: { sequence } });
    const readOn = this.#acknowledged;
    this.#acknowledged = undefined;
    readOn?.();
  }

  /** `done` when it is committed or came to nothing; never when the agent has a session with another replica, which this one had not noticed. */
  #report(key: ObjectKey, decide: ReportDecision, done: () => void): void {
    const number = ++this.#reports;
    this.#waiting.set(number, this.#services.clock.monotonic());
    this.#services.folder.report(key, decide, this.#fence, (outcome) => {
      this.#waiting.delete(number);
      if (outcome === "settled") done();
      else this.end(new IkadaError("Cancelled", `a newer session of node ${this.node} replaced this one`));
    });
  }

  #takePod(report: ikada.agent.v1.IPodReport, done: () => void): void {
    const { namespace, name, uid, statusJson, gone, leaseEpoch } = report;
    if (!isName(namespace) || !isName(name)) {
      throw new IkadaError("BadRequest", "a report names its Pod by namespace and name");
    }
    const status = parseStatus(statusJson ?? new Uint8Array());
    const key = { groupKind: "/Pod", namespace, name };
    const write = (isGone: boolean): void => {
      const told = { node: this.node, uid: uid ?? "", status, gone: isGone };
      this.#report(key, (live) => podChanges(live, told), done);
    };
    const live = this.#services.cache.snapshot().get("/Pod", namespace, name);
    if (gone !== true || live === undefined || fencingLeaseMs(live) === undefined) write(gone ?? false);
    else this.#confirm(leaseEpoch ?? 0, write);
  }

  /** That nothing is left of a Pod with a fencing lease counts only from who holds the node's leases: another one may run it. */
  #confirm(epoch: number, then: (isConfirmed: boolean) => void): void {
    this.#leases.confirm(epoch, (error, isConfirmed) => {
      if (error === null) then(isConfirmed);
      else if (!this.#closed) this.#services.timers.after(confirmAgainMs, () => this.#confirm(epoch, then));
    });
  }

  /** A controller that had not heard of the node wrote that it is unknown; while its session stands, its own word counts. */
  #restoreNode(after: AnyObject): void {
    if (after.kind !== "Node" || after.metadata.name !== this.node || !this.#nodeStatus) return;
    const ready = listAt(after, "status", "conditions").find((condition) => textAt(condition, ["type"]) === "Ready");
    if (textAt(ready, ["status"]) !== "Unknown") return;
    const { timers, heartbeatMs } = this.#services;
    this.#restoreTimer?.cancel();
    this.#restoreTimer = timers.after(heartbeatMs, () => {
      if (this.#nodeStatus) this.#takeNode(this.#nodeStatus);
    });
  }

  #beatLater(): void {
    this.#beatTimer = this.#services.timers.after(this.#services.heartbeatMs, () => {
      this.#beatLater();
      this.#beat();
    });
  }

  #beat(): void {
    const { clock, heartbeatMs, replica } = this.#services;
    const now = clock.monotonic();
    const silentMs = now - this.#heardAt;
    if (replica.status().leader !== 0) this.#ledAt = now;
    const [waitingSince = now] = this.#waiting.values();
    if (silentMs > heartbeatMs * silentBeatsMax) {
      this.end(new IkadaError("Unavailable", `node ${this.node} was silent for ${Math.round(silentMs)} ms`));
    } else if (now - this.#ledAt > heartbeatMs * leaderlessBeatsMax) {
      this.end(new IkadaError("NoLeader", "this server knows no leader", { hint: "connect to another server" }));
    } else if (now - waitingSince > heartbeatMs * waitingBeatsMax) {
      const hint = "connect to another server";
      this.end(new IkadaError("Unavailable", "this server can't have reports written", { hint }));
    } else if (!this.#wire.isFull) {
      this.#heartbeats += 1;
      this.#wire.send({ heartbeat: { sequence: this.#heartbeats } });
    }
  }
}

function endsSession(error: Error): boolean {
  return error instanceof IkadaError && ["Conflict", "BadRequest", "TooLarge"].includes(error.reason);
}

function isName(text: string | null | undefined): text is string {
  return typeof text === "string" && /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/.test(text);
}

import { ikada } from "#proto/agent.js";
import type { Agent } from "../../../node-agent/core/agent.js";
import type { Assignments } from "../../../node-agent/core/assignment-book.js";
import type { ReportBatch } from "../../../node-agent/core/report-outbox.js";
import type { Pod } from "../../../src/api/kinds/pod.js";
import type { Env } from "../../../src/base/env.js";
import { AssignmentFeed, type SendAssignments } from "../../../src/server/agents/assignment-feed.js";
import { LeaseGrants } from "../../../src/server/agents/lease-grants.js";
import { nodeChanges, podChanges } from "../../../src/server/agents/reported-status.js";
import type { SeededRandom } from "../random.js";
import type { Process, World } from "../world.js";
import { isLeased, type FenceServer } from "./fence-server.js";
import type { Machine } from "./machine.js";

export interface LinkOptions {
  readonly world: World;
  readonly random: SeededRandom;
  readonly machine: Machine;
  readonly agent: Agent;
  /** Of the agent's process. */
  readonly env: Env;
  /** Servers that may be asked, as of now. */
  readonly servers: () => readonly FenceServer[];
  /** A message of the node's agent has come to a server. */
  readonly onHeard: (node: string) => void;
}

const beatMs = 1_000;
const silentMsMax = 3_000;
const delayUsMax = 20_000;
/** A share of the messages is much later, and all that follow with them. */
const lateShare = 0.01;
const lateUsMax = 20_000_000;

type Wire = Parameters<SendAssignments>[0];

/** Keeps the agent in session with one server or another, for as long as its process lives. */
export function linkAgent(options: LinkOptions): void {
  new Link(options).keep();
}

/** Both ends of an agent's sessions, one after the other, over streams that keep their order, are late, and break. */
class Link {
  readonly #options: LinkOptions;
  #session: Session | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Ends the session when it is silent, and opens another with any server. */
  keep(): void {
    const { env, agent, servers, random } = this.#options;
    if (this.#session && env.clock.monotonic() - this.#session.heardAt > silentMsMax) {
      if (this.#session.isWelcome) agent.disconnect();
      this.#session.isOver = true;
      this.#session = undefined;
    }
    const all = servers();
    if (!this.#session && all.length > 0)
      this.#session = new Session(this.#options, random.pick(all), () => this.#drop());
    this.#session?.beat();
    env.timers.after(beatMs / 2 + random.int(beatMs / 2), () => this.keep());
  }

  /** The server, or what it said, ended the session. */
  #drop(): void {
    if (this.#session?.isWelcome) this.#options.agent.disconnect();
    this.#session = undefined;
  }
}

class Session {
  isWelcome = false;
  isOver = false;
  heardAt: number;
  readonly #options: LinkOptions;
  readonly #server: FenceServer;
  readonly #drop: () => void;
  readonly #up: Stream;
  readonly #down: Stream;
  #grants: LeaseGrants | undefined;
  #feed: AssignmentFeed | undefined;

  constructor(options: LinkOptions, server: FenceServer, drop: () => void) {
    const { world, random, machine, env } = options;
    this.#options = options;
    this.#server = server;
    this.#drop = drop;
    this.heardAt = env.clock.monotonic();
    const broken = { is: false };
    this.#up = new Stream(world, random, machine, server.replica.process, broken);
    this.#down = new Stream(world, random, machine, machine.agent, broken);
    const { term, revision } = options.agent.position;
    this.#up.send(() => this.#hello(term, revision));
  }

  beat(): void {
    this.#up.send(() => {
      this.#options.onHeard(this.#options.machine.node);
      this.#down.send(() => this.#hear());
    });
  }

  #hear(): void {
    this.heardAt = this.#options.env.clock.monotonic();
  }

  /** At the server. */
  #hello(term: number, revision: number): void {
    const { store, cache, replica } = this.#server;
    const { node } = this.#options.machine;
    const now = (): number => store.status()?.term ?? 0;
    // It is behind what the agent was told; the agent tries another one when nothing comes.
    if (store.revision() < revision || now() < term || replica.store !== store) return;
    this.#options.onHeard(node);
    this.#grants = new LeaseGrants(node, store, cache);
    this.#feed = new AssignmentFeed(node, cache, now, (message) => {
      // The text is made when it is sent, as on a wire.
      const decoded = decode(message);
      this.#down.send(() => this.#receive(decoded));
      return true;
    });
    const ready = { conditions: [{ type: "Ready", status: "True", reason: "AgentReady", message: "" }] };
    this.#server.change({ groupKind: "/Node", namespace: "", name: node }, (live) => nodeChanges(live, ready));
    cache.onChanges((changes) => {
      const isUnknown = changes.some(({ after }) => after?.kind === "Node" && after.metadata.name === node);
      if (isUnknown && !this.isOver)
        this.#server.change({ groupKind: "/Node", namespace: "", name: node }, (live) =>
          this.isOver ? undefined : nodeChanges(live, ready),
        );
    });
    this.#down.send(() => this.#welcome());
    this.#feed.start();
  }

  /** At the agent. */
  #welcome(): void {
    if (this.isOver) return;
    this.#hear();
    this.isWelcome = true;
    this.#options.agent.connect(
      "node-uid",
      (batch) => this.#up.send(() => this.#takeReports(batch)),
      // Nobody reads events here.
      () => undefined,
      (request) =>
        this.#up.send(() =>
          this.#grants?.renew(request, (error, renewal) => {
            if (error === null) this.#down.send(() => this.#renewed(renewal));
            else if ((error as { reason?: string }).reason === "Conflict") this.#end();
          }),
        ),
    );
  }

  #renewed(renewal: Parameters<Agent["renewed"]>[0]): void {
    if (this.isOver) return;
    this.#hear();
    this.#options.agent.renewed(renewal);
  }

  #receive(message: Assignments): void {
    if (this.isOver || !this.isWelcome) return;
    if (this.#options.agent.receive(message) === undefined) return;
    this.isOver = true;
    this.#drop();
  }

  /** At the server. */
  #end(): void {
    this.#feed?.close();
    this.#grants = undefined;
    this.#down.send(() => {
      if (this.isOver) return;
      this.isOver = true;
      this.#drop();
    });
  }

  #takeReports({ sequence, reports }: ReportBatch): void {
    let left = reports.length;
    const done = (): void => {
      left -= 1;
      if (left === 0) this.#down.send(() => this.isOver || this.#options.agent.acknowledge(sequence));
    };
    for (const { uid, namespace, name, status, gone, leaseEpoch } of reports) {
      const write = (isGone: boolean): void =>
        this.#server.change(
          { groupKind: "/Pod", namespace, name },
          (live) => podChanges(live, { node: this.#options.machine.node, uid, status: { ...status }, gone: isGone }),
          done,
        );
      const live = this.#server.cache.snapshot().get("/Pod", namespace, name);
      if (!gone || !isLeased(live)) write(gone);
      else
        this.#grants?.confirm(leaseEpoch, (error, isConfirmed) => (error === null ? write(isConfirmed) : this.#end()));
    }
  }
}

/** One direction: in order, late, and broken for good by the first message that is lost. */
class Stream {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #machine: Machine;
  readonly #to: Process;
  readonly #epochs: readonly [number, number];
  readonly #broken: { is: boolean };
  #lastUs = 0;

  constructor(world: World, random: SeededRandom, machine: Machine, to: Process, broken: { is: boolean }) {
    this.#world = world;
    this.#random = random;
    this.#machine = machine;
    this.#to = to;
    this.#epochs = [to.epoch, machine.agent.epoch];
    this.#broken = broken;
  }

  /** Runs `take` at the other end. */
  send(take: () => unknown): void {
    const [to, agent] = this.#epochs;
    const isDead = this.#to.epoch !== to || this.#machine.agent.epoch !== agent;
    if (this.#machine.isCut || isDead) this.#broken.is = true;
    if (this.#broken.is) return;
    const lateUs = this.#random.chance(lateShare) ? this.#random.int(lateUsMax) : 0;
    this.#lastUs = Math.max(this.#lastUs + 1, this.#world.timeUs + lateUs + this.#random.int(delayUsMax));
    this.#world.after(this.#lastUs - this.#world.timeUs, () => void take(), this.#to);
  }
}

function decode(message: Wire): Assignments {
  const text = (bytes: Uint8Array | null | undefined): string => new TextDecoder().decode(bytes ?? new Uint8Array());
  return {
    type: message.type === ikada.agent.v1.Assignments.Type.COMPLETE ? "complete" : "increment",
    term: message.term ?? 0,
    appliesTo: message.appliesTo ?? 0,
    resultsIn: message.resultsIn ?? 0,
    pods: (message.pods ?? []).map(({ uid, json }) => ({ uid: uid ?? "", pod: JSON.parse(text(json)) as Pod })),
    removedUids: message.removedUids ?? [],
    objects: [],
    removedObjects: [],
  };
}

import { ikada } from "#proto/agent.js";
import { Agent } from "../../../node-agent/core/agent.js";
import { fakeDigest, measuredLatencyMs, type FakeOperation } from "../../../node-agent/core/fake-engine.js";
import { FakeProbeNetwork } from "../../../node-agent/core/fake-network.js";
import { obligingImage, type FakeImage } from "../../../node-agent/core/fake-program.js";
import { FakeRuntime } from "../../../node-agent/core/fake-runtime.js";
import { Session, type AgentIdentity, type SessionEvents } from "../../../node-agent/core/session.js";
import { Uplink, type DialledSession } from "../../../node-agent/core/uplink.js";
import { decodeServerMessage, encodeAgentMessage } from "../../../node-agent/wire.js";
import type { NodeStatus } from "../../../src/api/kinds/core.js";
import { toTimestamp } from "../../../src/api/time.js";
import type { Env, Timers } from "../../../src/base/env.js";
import { IkadaError } from "../../../src/base/errors.js";
import { SimulatedClock, SimulatedTimers, type ClockShape } from "../clock.js";
import { SimulatedDisk } from "../disk.js";
import { simulatedEnv } from "../env.js";
import type { SeededRandom } from "../random.js";
import { drawClock } from "../swarm.js";
import { Process, SimulatedCrash, type World } from "../world.js";
import type { ClusterSwarm } from "./cluster-swarm.js";
import type { ConnectionEnd, Connections } from "./connections.js";
import { clusterId } from "./server-site.js";
import { WatchedEngine, type EngineObserver } from "./watched-engine.js";

export interface MachineOptions {
  readonly id: number;
  readonly world: World;
  readonly random: SeededRandom;
  readonly swarm: ClusterSwarm;
  readonly connections: Connections;
  readonly servers: readonly string[];
  /** Opens a connection to a server by its address. */
  readonly dial: (machine: Machine, server: string) => ConnectionEnd;
  readonly observer: (machine: Machine) => EngineObserver;
  readonly onFailpoint: (machine: Machine, name: string) => void;
  /** The agent's process ended because its disk failed. */
  readonly onEnd: (machine: Machine) => void;
}

/** Ids of the images that the registry has, by tag and by digest. */
const registryImages = new Map(
  ["app:v1", "app:v2", "app:v3", "app:v4"].flatMap((tag) => {
    const id = fakeDigest(tag);
    return [tag, `app@${fakeDigest(id)}`].map((name) => [name, id] as const);
  }),
);

/**
 * One machine of the cluster: its power, its engine, its disk, and the agent's process on it. The engine outlives the agent, containers and disk
 * outlive the machine's power as stopped ones.
 */
export class Machine {
  readonly id: number;
  readonly name: string;
  /** The agent's. */
  readonly process: Process;
  readonly clock: ClockShape;
  readonly disk: SimulatedDisk;
  readonly engine: WatchedEngine;
  /** Of the present incarnation. */
  agent: Agent | undefined;
  /** It never comes back. */
  isLost = false;
  /** What runs on it answers no probe. */
  isSick = false;
  /** Counts starts of the agent. */
  starts = 0;
  readonly #options: MachineOptions;
  /** Its power: the engine's timers end with it. */
  readonly #power: Process;
  #powerTimers: Timers;
  #runtime: FakeRuntime | undefined;
  #uplink: Uplink | undefined;
  #engineError: Error | undefined;
  #engineSince = 0;
  #diskFailed = false;
  #boots = 0;

  constructor(options: MachineOptions) {
    const { id, world, swarm } = options;
    this.#options = options;
    this.id = id;
    this.name = `node-${id - firstMachineId + 1}`;
    this.process = new Process(id);
    this.#power = new Process(id);
    this.clock = drawClock(options.random, swarm);
    this.disk = new SimulatedDisk(world, { ...swarm.disk });
    this.disk.onError = () => {
      this.#diskFailed = true;
    };
    this.#power.start();
    this.#powerTimers = new SimulatedTimers(world, this.#power, this.clock);
    this.engine = this.#newEngine();
  }

  get hasPower(): boolean {
    return this.#power.alive;
  }

  /** Starts the agent's process, and the machine when it has no power. */
  start(): void {
    if (this.process.alive || this.isLost) return;
    const { world, swarm, onFailpoint } = this.#options;
    if (!this.#power.alive) this.#boot();
    this.starts++;
    this.process.start();
    this.#diskFailed = false;
    this.#engineError = undefined;
    if (world.trace.verbose) world.note(`[${this.id}] agent of ${this.name} starts`);
    const env = simulatedEnv({
      world,
      process: this.process,
      disk: this.disk,
      clock: this.clock,
      failpoint: (name) => onFailpoint(this, name),
    });
    this.#runtime = new FakeRuntime(this.engine, { clusterId, node: this.name });
    const agent = new Agent({
      env,
      runtime: this.#runtime,
      network: new FakeProbeNetwork(this.engine),
      volumes: this.engine.volumes,
      bootClock: { bootId: `boot-${this.#boots}`, sinceBootMs: () => env.clock.monotonic() },
      nodeName: this.name,
      clusterId,
      hostIP: `192.0.2.${this.id}`,
      allocatable: this.#offer(swarm),
      hostPorts: { first: 1, last: 65_535 },
      keyedHash: (text) => text,
      onEngine: (error) => this.#setEngine(error),
      onFatal: (error) => this.#fail(error),
    });
    agent.start((error) => {
      if (error) return this.#fail(error);
      this.agent = agent;
      return this.#connect(env, agent);
    });
  }

  /** Ends the agent's process. `powerCut`: its disk loses what was not synced. */
  crash(why: string, powerCut = false): void {
    if (!this.process.alive) return;
    const { world, swarm, connections, random } = this.#options;
    const processOnly = !powerCut && !this.#diskFailed && random.chance(swarm.processOnlyShare);
    if (world.trace.verbose) world.note(`[${this.id}] agent of ${this.name} ends ${why}`);
    world.trace.mix(this.id);
    this.process.end();
    this.agent = undefined;
    this.#uplink = undefined;
    this.#runtime?.detach();
    this.disk.crash({ ...swarm.loss, processOnly });
    connections.lose(this.process, powerCut);
  }

  /** Ends all that runs on the machine. */
  cutPower(why: string): void {
    if (!this.#power.alive) return;
    this.crash(why, true);
    if (this.#options.world.trace.verbose) this.#options.world.note(`[${this.id}] ${this.name} has no power: ${why}`);
    this.engine.setDown(true);
    for (const container of this.engine.containers.values()) this.engine.exit(container, 255, false);
    this.#power.end();
  }

  loseForGood(): void {
    this.cutPower("it is lost");
    this.isLost = true;
  }

  /** Leaves the code of a process that `crash` has just ended. */
  unwind(): never {
    throw new SimulatedCrash(`agent of ${this.name}`);
  }

  #boot(): void {
    this.#boots += 1;
    this.#power.start();
    this.#powerTimers = new SimulatedTimers(this.#options.world, this.#power, this.clock);
    this.engine.hung = false;
    this.engine.setDown(false);
  }

  #connect(env: Env, agent: Agent): void {
    const { dial, servers } = this.#options;
    const identity: AgentIdentity = {
      node: this.name,
      clusterId,
      version: "0.0.0",
      bootId: `boot-${this.id}-${this.starts}`,
      labels: { zone: this.id % 2 === 0 ? "even" : "odd" },
    };
    this.#uplink = new Uplink({
      env,
      servers,
      dial: (server, events) => {
        const end = dial(this, server);
        return openSession(end, env, agent, identity, () => this.#status(env), events);
      },
    });
    this.#uplink.start();
  }

  #setEngine(error: Error | undefined): void {
    if ((error === undefined) !== (this.#engineError === undefined))
      this.#engineSince = new SimulatedClock(this.#options.world, this.clock).now();
    this.#engineError = error;
    this.#uplink?.reportNode();
  }

  #offer({ cluster }: ClusterSwarm): Readonly<Record<string, string>> {
    return { cpu: `${cluster.nodeCpuMilli}m`, memory: "8Gi", pods: String(cluster.nodePods) };
  }

  /** As node-agent/node-report.ts tells it, without what differs from one real machine to the next. */
  #status(env: Env): NodeStatus {
    const offer = this.#offer(this.#options.swarm);
    const error = this.#engineError;
    const lastTransitionTime = toTimestamp(this.#engineSince || env.clock.now());
    this.#engineSince ||= env.clock.now();
    return {
      capacity: offer,
      allocatable: offer,
      conditions: [
        error === undefined
          ? { type: "Ready", status: "True", reason: "AgentReady", message: "works", lastTransitionTime }
          : {
              type: "Ready",
              status: "False",
              reason: "ContainerRuntimeDown",
              message: error.message,
              lastTransitionTime,
            },
      ],
      addresses: [{ type: "Hostname", address: this.name }],
    };
  }

  #fail(error: Error): void {
    if (error instanceof SimulatedCrash) return;
    const { world, onEnd } = this.#options;
    if (!this.#diskFailed) {
      world.fail(new Error(`agent of ${this.name} ended by itself: ${error.stack ?? error.message}`));
      return;
    }
    const { epoch } = this.process;
    world.after(0, () => {
      if (this.process.epoch !== epoch) return;
      this.crash(`by itself: ${error.message}`);
      onEnd(this);
    });
  }

  #newEngine(): WatchedEngine {
    const { world, random, swarm, observer } = this.#options;
    const { cluster } = swarm;
    return new WatchedEngine(
      {
        clock: new SimulatedClock(world, this.clock),
        timers: { after: (delayMs, run) => this.#powerTimers.after(delayMs, run) },
        images: {},
        registry: (reference) => {
          const id = registryImages.get(reference);
          if (id === undefined) return `registry: ${reference} not found`;
          return random.chance(cluster.pullErrorRate) ? "registry: no answer" : this.#image(id);
        },
        latencyMs: (operation) => this.#latencyMs(operation),
        failure: (operation) => {
          if (operation === "ping" || !random.chance(cluster.engineErrorRate)) return undefined;
          return {
            error: new IkadaError(random.chance(0.5) ? "Unavailable" : "Deadline", `engine: ${operation} failed`),
            takesEffect: random.chance(0.5),
          };
        },
      },
      observer(this),
    );
  }

  /** Events come in their order. */
  #latencyMs(operation: FakeOperation): number {
    const { random, swarm } = this.#options;
    const { engineSlowness, pullMsMax } = swarm.cluster;
    if (operation === "event") return engineSlowness;
    if (operation === "pull") return random.int(pullMsMax);
    return measuredLatencyMs(operation) * engineSlowness * (0.5 + random.next());
  }

  #image(id: string): FakeImage {
    return { ...obligingImage, id, serve: () => ({ status: this.isSick ? 503 : 200, takesMs: 1 }) };
  }
}

/** Ids of servers are below. */
export const firstMachineId = 101;

/** One session over a simulated connection, as node-agent/session.ts has it over gRPC. */
function openSession(
  end: ConnectionEnd,
  env: Env,
  agent: Agent,
  identity: AgentIdentity,
  nodeStatus: () => NodeStatus,
  events: SessionEvents,
): DialledSession {
  const session = new Session({
    env,
    agent,
    identity,
    nodeStatus,
    wire: {
      send: (message) => void end.send(ikada.agent.v1.AgentMessage.encode(encodeAgentMessage(message)).finish()),
      get isFull() {
        return end.isFull;
      },
    },
    events: {
      onWelcome: (servers) => events.onWelcome(servers),
      onEnd: (error) => {
        end.close();
        events.onEnd(error);
      },
    },
  });
  end.onMessage = (bytes) => {
    session.take(decodeServerMessage(ikada.agent.v1.ServerMessage.decode(bytes)));
  };
  end.onClose = () => session.end(new IkadaError("Unavailable", "the server ended the session"));
  session.start();
  return {
    reportNode: () => session.reportNode(),
    close: () => session.end(new IkadaError("Cancelled", "the agent has ended the session")),
  };
}

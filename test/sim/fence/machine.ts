import { Agent } from "../../../node-agent/core/agent.js";
import { FakeEngine } from "../../../node-agent/core/fake-engine.js";
import { FakeProbeNetwork } from "../../../node-agent/core/fake-network.js";
import { obligingImage } from "../../../node-agent/core/fake-program.js";
import { FakeRuntime } from "../../../node-agent/core/fake-runtime.js";
import { leaseFileName } from "../../../node-agent/core/fencing-leases.js";
import type { BootClock, LeaseBook } from "../../../node-agent/core/lease-book.js";
import { LeaseGuard } from "../../../node-agent/core/lease-guard.js";
import { StateFile } from "../../../node-agent/core/state-file.js";
import type { Env } from "../../../src/base/env.js";
import { SimulatedClock, type ClockShape } from "../clock.js";
import { SimulatedDisk, type DiskFaults } from "../disk.js";
import { simulatedEnv } from "../env.js";
import type { SeededRandom } from "../random.js";
import { clusterId } from "../simulated-replica.js";
import { Process, type World } from "../world.js";

export interface MachineOptions {
  readonly id: number;
  /** Whose certificate it has; two machines may have the same. */
  readonly node: string;
  readonly world: World;
  readonly random: SeededRandom;
  readonly clock: ClockShape;
  readonly disk: DiskFaults;
  /** A container has started. */
  readonly onStart: () => void;
  /** The agent runs. */
  readonly onAgent: (agent: Agent, env: Env) => void;
}

/** One machine with an agent, its guard and an engine, whose containers know nothing of what becomes of the two. */
export class Machine {
  readonly node: string;
  readonly agent: Process;
  readonly engine: FakeEngine;
  /** No message passes. */
  isCut = false;
  #isOff = true;
  readonly #options: MachineOptions;
  readonly #guard: Process;
  readonly #disk: SimulatedDisk;
  #runtimes: FakeRuntime[] = [];
  #boots = 0;
  #bootedAtUs = 0;

  constructor(options: MachineOptions) {
    const { id, node, world, clock, random, onStart } = options;
    this.#options = options;
    this.node = node;
    this.agent = new Process(id);
    this.#guard = new Process(id + 1);
    this.#disk = new SimulatedDisk(world, options.disk);
    this.engine = new FakeEngine({
      clock: new SimulatedClock(world, clock),
      timers: {
        after: (delayMs, run) => {
          const event = world.after(delayMs * 1000, run);
          return { cancel: () => void (event.run = undefined) };
        },
      },
      images: {},
      registry: () => obligingImage,
      latencyMs: () => 1 + random.int(80),
    });
    const start = this.engine.start.bind(this.engine);
    this.engine.start = (container) => {
      start(container);
      onStart();
    };
  }

  /** Of Pods of this name, with where they run. */
  running(podName: string): readonly string[] {
    return [...this.engine.containers.values()]
      .filter(({ info }) => info.phase === "running" && info.role === "container" && info.podName === podName)
      .map(({ info }) => `${info.podUid} on machine ${this.agent.id} of node ${this.node}`);
  }

  boot(): void {
    if (!this.#isOff) return;
    this.#isOff = false;
    this.#boots += 1;
    this.#bootedAtUs = this.#options.world.timeUs;
    this.#guard.start();
    this.#startGuard();
    this.startAgent();
  }

  /** Whatever has become of it. */
  mend(): void {
    this.isCut = false;
    this.agent.pausedUntilUs = 0;
    this.boot();
    this.startAgent();
  }

  /** Everything ends, and what the disk did not have is gone. */
  powerOff(): void {
    this.crashAgent(true);
    this.#isOff = true;
    this.#guard.end();
    for (const { id } of this.engine.containers.values()) this.engine.signal(id, "SIGKILL");
  }

  startAgent(): void {
    if (this.agent.alive || this.#isOff) return;
    const { world, node, onAgent } = this.#options;
    this.agent.start();
    const env = this.#env(this.agent);
    const runtime = this.#runtime(this.agent);
    const agent = new Agent({
      env,
      runtime,
      network: new FakeProbeNetwork(this.engine),
      volumes: throughProcess(this.engine.volumes, world, this.agent),
      bootClock: this.#bootClock(),
      nodeName: node,
      clusterId,
      hostIP: "192.0.2.1",
      keyedHash: (text) => text,
      onEngine: () => undefined,
      onFatal: (error) => world.fail(error),
    });
    agent.start((error) => (error ? world.fail(error) : onAgent(agent, env)));
  }

  crashAgent(powerCut = false): void {
    if (!this.agent.alive) return;
    this.agent.end();
    this.#disk.crash({ processOnly: !powerCut, keep: "subset", tearRate: 0.3, tearBytes: 1 });
    for (const runtime of this.#runtimes.splice(0)) runtime.detach();
  }

  #startGuard(): void {
    const env = this.#env(this.#guard);
    const file = new StateFile<LeaseBook>(env.disk, leaseFileName);
    const runtime = this.#runtime(this.#guard);
    new LeaseGuard({
      env,
      runtime,
      bootClock: this.#bootClock(),
      read: (done) => file.load(done),
      isAlone: () => false,
      onEnd: () => undefined,
    }).start();
  }

  #env(process: Process): Env {
    const { world, clock } = this.#options;
    return simulatedEnv({ world, process, disk: this.#disk, clock });
  }

  #runtime(process: Process): FakeRuntime {
    const runtime = new FakeRuntime(this.engine, { clusterId, node: this.node });
    if (process === this.agent) this.#runtimes.push(runtime);
    return throughProcess(runtime, this.#options.world, process);
  }

  #bootClock(): BootClock {
    const { world, clock } = this.#options;
    const clockNow = new SimulatedClock(world, clock);
    const originMs = clockNow.monotonic() - ((world.timeUs - this.#bootedAtUs) / 1000) * clock.rate;
    return { bootId: `boot-${this.#boots}`, sinceBootMs: () => clockNow.monotonic() - originMs };
  }
}

/**
 * What answers by callbacks, as this life of a process sees it: they wait while the process stands still, and never come when it has ended.
 */
function throughProcess<T extends object>(target: T, world: World, process: Process): T {
  const { epoch } = process;
  const later =
    (run: (...args: unknown[]) => unknown) =>
    (...args: unknown[]): void => {
      if (process.epoch === epoch) world.after(0, () => void run(...args), process);
    };
  const wrapped = (value: unknown): unknown => {
    if (typeof value === "function") return later(value as (...args: unknown[]) => unknown);
    const isObserver = typeof value === "object" && value !== null && "onEvent" in value;
    if (!isObserver) return value;
    const names = ["onOpen", "onEvent", "onLost"] as const;
    const observer = value as Readonly<Record<string, (...args: unknown[]) => unknown>>;
    return Object.fromEntries(names.map((name) => [name, later((...args) => observer[name]?.(...args))]));
  };
  return new Proxy(target, {
    get: (object, name) => {
      const value = Reflect.get(object, name, object) as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => (value as (...given: unknown[]) => unknown).apply(object, args.map(wrapped));
    },
  });
}

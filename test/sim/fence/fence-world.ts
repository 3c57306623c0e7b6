import type { Env } from "../../../src/base/env.js";
import { deleteObject } from "../../../src/objects/delete-object.js";
import { override, type Overrides } from "../overrides.js";
import { RaftWorld } from "../raft-world.js";
import { SeededRandom } from "../random.js";
import type { RunSeed } from "../seed-result.js";
import type { SimulatedReplica } from "../simulated-replica.js";
import { drawSwarm, type Swarm } from "../swarm.js";
import type { Users, UsersOptions } from "../users.js";
import { Violation } from "../violation.js";
import type { World } from "../world.js";
import { FenceServer, leaseSeconds, podName } from "./fence-server.js";
import { linkAgent } from "./link.js";
import { Machine } from "./machine.js";

/**
 * The servers of the `raft` world with production's controllers on top, and machines with production's agent, guard and the fake engine: one
 * Pod with a fencing lease, which is made anew whenever it is gone, and must never run twice.
 */
export const runFenceSeed: RunSeed = (seed, options = {}) =>
  new RaftWorld(seed, options, { draw: drawFenceSwarm, users: (site) => new FenceUsers(site) }).run();

const ownSeeds = 2 ** 42;
/** Faults of the servers are this many times less frequent than in the `raft` world, for a lease is this long beside an election. */
const slower = 60;

/** Clocks differ by less than the margin allows, and monotonic ones do not jump: that is what leases stand on. */
function drawFenceSwarm(seed: number, random: SeededRandom, overrides: Overrides = {}): Swarm {
  const swarm = drawSwarm(seed, random, { profile: "general" });
  const own = new SeededRandom(seed + ownSeeds);
  const { chaos } = swarm;
  const slow = (ms: number): number => ms * slower;
  const changed = {
    ...swarm,
    replicas: 3,
    tickMs: 20,
    clients: 0,
    watches: 0,
    oldLogShare: 0,
    compactMs: 0,
    safetyMs: own.between(60, 150) * 1000,
    downMsMax: own.pick([500, 3_000, 8_000]),
    clockRateSpread: own.pick([0, 0.004]),
    chaos: {
      ...chaos,
      crashMs: slow(chaos.crashMs),
      blackoutMs: slow(chaos.blackoutMs),
      partitionMs: slow(chaos.partitionMs),
      clogMs: slow(chaos.clogMs),
      pauseMs: slow(chaos.pauseMs),
      transferMs: slow(chaos.transferMs),
      swizzleMs: slow(chaos.swizzleMs),
      diskHangMs: slow(chaos.diskHangMs),
      diskFullMs: 0,
      clockJumpMs: 0,
      failpointRate: 0,
    },
    network: { ...swarm.network, delayUsMax: Math.min(swarm.network.delayUsMax, 20_000) },
    disk: { ...swarm.disk, syncErrorRate: 0, writeErrorRate: 0, readErrorRate: 0, capacityBytes: Infinity },
    keyValue: { ...swarm.keyValue, errorRate: 0 },
    segmentBytes: 65_536,
    appendEntriesMax: 256,
    inflightMessagesMax: 64,
    snapshots: {
      ...swarm.snapshots,
      chunkBytes: 4096,
      messageBytes: 4096,
      windowBytes: 65_536,
      bytesPerSecond: 10_000_000,
    },
  };
  override(changed, overrides);
  return changed;
}

/** Between two faults of one kind at the machines. */
const faultMsMean = 15_000;
const faultMsMax = 40_000;

class FenceUsers implements Users {
  answered = 0;
  readonly busy = false;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #servers = new Map<number, FenceServer>();
  readonly #machines: Machine[] = [];
  readonly #nodes: readonly string[] = ["node-1", "node-2"];
  readonly #counts = new Map<string, number>();
  /** World time at which any server heard of a node. */
  readonly #heardUs = new Map<string, number>();
  readonly #uids = new Set<string>();
  #core: readonly SimulatedReplica[];
  #calm = false;
  #stopped = false;

  constructor({ world, random, swarm, replicas }: UsersOptions) {
    this.#world = world;
    this.#random = random.fork();
    this.#core = replicas;
    const disk = { ...swarm.disk, stallRate: 0, syncUsMax: 20_000 };
    // Sometimes a third machine has a copy of the first one's certificate.
    const nodes = this.#random.chance(0.3) ? [...this.#nodes, "node-1"] : this.#nodes;
    for (const [at, node] of nodes.entries()) {
      const clock = {
        rate: 1 + (2 * this.#random.next() - 1) * swarm.clockRateSpread,
        wallOffsetMs: this.#random.between(-60_000, 60_000),
        monotonicOffsetMs: this.#random.int(1_000_000),
        timerLatenessUsMax: this.#random.pick([0, 5_000, 50_000]),
      };
      const machine: Machine = new Machine({
        id: 100 + 10 * at,
        node,
        world,
        random: this.#random.fork(),
        clock,
        disk,
        onStart: () => this.#check(),
        onAgent: (agent, env) => {
          const servers = (): readonly FenceServer[] => (this.#stopped ? [] : this.#present());
          const onHeard = (heard: string): void => void this.#heardUs.set(heard, world.timeUs);
          linkAgent({ world, random: this.#random.fork(), machine, agent, env, servers, onHeard });
        },
      });
      this.#machines.push(machine);
    }
  }

  onServing(replica: SimulatedReplica, env: Env): void {
    const { store } = replica;
    if (!store || this.#stopped) return;
    this.#servers.get(replica.id)?.close();
    const nodeSilentMs = (node: string): number | undefined => {
      const heardUs = this.#heardUs.get(node);
      return heardUs === undefined ? undefined : (this.#world.timeUs - heardUs) / 1000;
    };
    const server = new FenceServer({ replica, store, env, nodes: this.#nodes, nodeSilentMs });
    this.#servers.set(replica.id, server);
  }

  start(): void {
    for (const machine of this.#machines) machine.boot();
    this.#every("node cut off", (machine, ms) => {
      machine.isCut = true;
      this.#later(ms, () => (machine.isCut = false));
    });
    this.#every("agent stopped", ({ agent }, ms) => {
      agent.pausedUntilUs = this.#world.timeUs + ms * 1000;
    });
    this.#every("agent killed", (machine, ms) => {
      machine.crashAgent();
      this.#later(ms, () => machine.startAgent());
    });
    this.#every("machine restarted", (machine, ms) => {
      machine.powerOff();
      this.#later(ms, () => machine.boot());
    });
    this.#every("pod deleted", () => this.#delete({ groupKind: "/Pod", namespace: "default", name: podName }));
    this.#every("node deleted", ({ node }) => this.#delete({ groupKind: "/Node", namespace: "", name: node }));
    this.#watch();
  }

  /** Everything works from now on. The copy of a machine is switched off: two that fight for a name run nothing. */
  insist(core: readonly SimulatedReplica[]): void {
    this.#calm = true;
    this.#core = core;
    for (const copy of this.#machines.splice(this.#nodes.length)) copy.powerOff();
    for (const machine of this.#machines.slice(0, this.#nodes.length)) machine.mend();
    this.answered = 0;
  }

  /** The Pod runs. */
  get rest(): boolean {
    return this.#machines.some((machine) => machine.running(podName).length > 0);
  }

  stop(): void {
    this.#stopped = true;
    for (const server of this.#servers.values()) server.close();
  }

  isSettled(): boolean {
    return true;
  }

  check(): void {
    this.#check();
  }

  counts(): Record<string, number> {
    return { "pods made and run": this.#uids.size, ...Object.fromEntries(this.#counts) };
  }

  #present(): readonly FenceServer[] {
    return [...this.#servers.values()].filter(
      ({ replica, store }) => this.#core.includes(replica) && replica.store === store && replica.process.alive,
    );
  }

  #delete(key: { groupKind: string; namespace: string; name: string }): void {
    const [server] = this.#random.shuffle([...this.#present()]);
    const gracePeriodSeconds = this.#random.pick([0, 1, 30]);
    server?.change(key, (live) => {
      if (live === undefined) return undefined;
      const { changes } = deleteObject(live, { gracePeriodSeconds }, server.env.clock.now());
      return changes.updates.length + changes.removes.length > 0 ? changes : undefined;
    });
  }

  /** Each world has its own strength of each fault, and some have none of it. */
  #every(name: string, run: (machine: Machine, ms: number) => void): void {
    if (this.#random.chance(0.3)) return;
    const meanMs = faultMsMean * this.#random.pick([0.5, 1, 3]);
    const next = (): void => {
      this.#world.after(this.#random.int(2 * meanMs * 1000), () => {
        if (this.#calm) return;
        this.#counts.set(`fault: ${name}`, (this.#counts.get(`fault: ${name}`) ?? 0) + 1);
        if (this.#world.trace.verbose) this.#world.note(name);
        run(this.#random.pick(this.#machines), this.#random.int(faultMsMax));
        next();
      });
    };
    next();
  }

  #later(ms: number, run: () => void): void {
    this.#world.after(ms * 1000, () => {
      if (!this.#calm) run();
    });
  }

  /** Containers end at any time, so it is looked at between starts as well. */
  #watch(): void {
    this.#check();
    this.answered += 1;
    this.#world.after(100_000, () => this.#watch());
  }

  #check(): void {
    const running = this.#machines.flatMap((machine) => machine.running(podName));
    for (const one of running) this.#uids.add(one.split(" ")[0] ?? "");
    if (running.length > 1)
      this.#world.fail(new Violation("fence", `${running.join(" and ")}, with a lease of ${leaseSeconds} s`));
  }
}

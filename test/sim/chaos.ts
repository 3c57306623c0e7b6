import { drawPartition, swizzle } from "./chaos-network.js";
import type { SimulatedNetwork } from "./network.js";
import type { SeededRandom } from "./random.js";
import type { SimulatedReplica } from "./simulated-replica.js";
import type { Swarm } from "./swarm.js";
import type { World } from "./world.js";

export interface ChaosOptions<M> {
  readonly world: World;
  readonly random: SeededRandom;
  readonly swarm: Swarm;
  readonly network: SimulatedNetwork<M>;
  readonly replicas: readonly SimulatedReplica[];
}

/** Does to the replicas, their links, clocks and machines what the swarm allows, until it is stopped. */
export class Chaos<M> {
  /** What was done how often. */
  readonly counts = new Map<string, number>();
  readonly #options: ChaosOptions<M>;
  #stopped = false;

  constructor(options: ChaosOptions<M>) {
    this.#options = options;
  }

  start(): void {
    const { chaos, compactMs } = this.#options.swarm;
    this.#every(chaos.crashMs, "crash", () => this.#crash());
    this.#every(chaos.blackoutMs, "blackout", () => this.#blackout());
    this.#every(chaos.partitionMs, "partition", () => this.#partition());
    this.#every(chaos.clogMs, "clog", () => this.#clog());
    this.#every(chaos.pauseMs, "pause", () => this.#pause());
    this.#every(chaos.clockJumpMs, "clock jump", () => this.#jumpClock());
    this.#every(chaos.transferMs, "transfer", () => this.#transfer());
    this.#every(chaos.swizzleMs, "swizzle", () => this.#swizzle());
    this.#every(chaos.diskHangMs, "disk hang", () => this.#hangDisk());
    this.#every(chaos.rotMs, "bit rot", () => this.#rot());
    this.#every(chaos.diskFullMs, "disk full", () => this.#fillDisk());
    this.#every(compactMs, "compaction", () => this.#compact());
  }

  stop(): void {
    this.#stopped = true;
  }

  /** For the replicas' failpoints. */
  atFailpoint(replica: SimulatedReplica, name: string): void {
    const { random, swarm } = this.#options;
    if (this.#stopped || !random.chance(swarm.chaos.failpointRate)) return;
    this.count(`failpoint ${name}`);
    replica.crash(`at failpoint ${name}`);
    this.#startLater(replica);
    replica.unwind();
  }

  /** A process that ended by itself, for a reason that is no fault, comes back like one that crashed. */
  afterEnd(replica: SimulatedReplica): void {
    this.count("ended by a disk error");
    this.#startLater(replica);
  }

  #every(meanMs: number, name: string, run: () => boolean): void {
    if (meanMs === 0) return;
    const { world, random } = this.#options;
    world.after(random.int(2 * meanMs * 1000), () => {
      if (this.#stopped) return;
      if (run()) this.count(name);
      this.#every(meanMs, name, run);
    });
  }

  count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  #crash(): boolean {
    const { random, replicas } = this.#options;
    // Now and then the leader on purpose: it has most to lose.
    const victim = this.#leader(0.4) ?? random.pick(replicas);
    if (!victim.process.alive) return false;
    if (random.chance(0.5)) this.#crashInWrite(victim);
    else this.#crashNow(victim);
    return true;
  }

  #compact(): boolean {
    const { random, replicas } = this.#options;
    const { store, process } = random.pick(replicas);
    if (!store || !process.alive) return false;
    store.compactThen(random.between(store.compactRevision(), store.revision()), () => undefined);
    return true;
  }

  #crashNow(victim: SimulatedReplica): void {
    victim.crash("by chaos");
    this.#startLater(victim);
  }

  /** Between the beginning of the next write and its end, where most can be torn. */
  #crashInWrite(victim: SimulatedReplica): void {
    const { world, random } = this.#options;
    const { disk, process } = victim;
    disk.onWrite = () => {
      disk.onWrite = () => undefined;
      const { epoch } = process;
      world.after(random.int(disk.faults.latencyUsMax + disk.faults.syncUsMax), () => {
        if (!this.#stopped && process.epoch === epoch) this.#crashNow(victim);
      });
    };
  }

  /** With this probability a replica that leads. */
  #leader(probability: number): SimulatedReplica | undefined {
    const { random, replicas } = this.#options;
    const leaders = replicas.filter((replica) => replica.leads());
    return leaders.length > 0 && random.chance(probability) ? random.pick(leaders) : undefined;
  }

  #blackout(): boolean {
    for (const replica of this.#options.replicas) {
      if (replica.process.alive) replica.crash("in a blackout", true);
      this.#startLater(replica);
    }
    return true;
  }

  #startLater(replica: SimulatedReplica): void {
    const { world, random, swarm } = this.#options;
    const { epoch } = replica.process;
    world.after(random.int(swarm.downMsMax * 1000), () => {
      if (!this.#stopped && replica.process.epoch === epoch) replica.start();
    });
  }

  #partition(): boolean {
    const { world, random, swarm } = this.#options;
    const ids = random.shuffle(this.#options.replicas.map((replica) => replica.id));
    const leader = this.#leader(0.5)?.id;
    if (leader !== undefined) ids.sort((left, right) => Number(right === leader) - Number(left === leader));
    const links = drawPartition(random, ids);
    for (const [from, to] of links) this.#options.network.setCut(from, to, true);
    world.after(random.int(swarm.downMsMax * 3000), () => {
      if (this.#stopped) return;
      for (const [from, to] of links) this.#options.network.setCut(from, to, false);
    });
    return true;
  }

  #clog(): boolean {
    const { world, random, swarm, network, replicas } = this.#options;
    const from = random.pick(replicas).id;
    const to = random.pick(replicas).id;
    if (from === to) return false;
    network.setClogged(from, to, true);
    world.after(random.int(swarm.downMsMax * 2000), () => network.setClogged(from, to, false));
    return true;
  }

  #pause(): boolean {
    const { world, random, swarm, replicas } = this.#options;
    const { process } = random.pick(replicas);
    if (!process.alive) return false;
    process.pausedUntilUs = world.timeUs + random.int(swarm.downMsMax * 1500);
    return true;
  }

  #swizzle(): boolean {
    const { world, random, swarm, network, replicas } = this.#options;
    const ids = replicas.map((replica) => replica.id);
    swizzle(world, random, network, ids, random.between(1, swarm.downMsMax * 1000));
    return true;
  }

  /** Long enough for a leader to notice, and to be noticed, now and then. */
  #hangDisk(): boolean {
    const { world, random, swarm, replicas } = this.#options;
    const victim = this.#leader(0.6) ?? random.pick(replicas);
    const ticks = random.pick([5, 40, 200]);
    victim.disk.hang(world.timeUs + random.int(ticks * swarm.tickMs * 1000));
    return true;
  }

  /**
   * The atlas of faults: bits rot on the disks of the same minority only, so that a quorum of whole logs is left; one at a time; and
   * not in a log whose end a power cut tears as well, since then nothing proves that the record in front had been whole. The damage shows
   * at the start that follows.
   */
  #rot(): boolean {
    const { random, replicas, swarm } = this.#options;
    const count = Math.floor((swarm.replicas - 1) / 2);
    if (count === 0) return false;
    const victim = random.pick(replicas.slice(0, count));
    if (!victim.process.alive || !victim.disk.isIdle || !victim.rot()) return false;
    this.#crashNow(victim);
    return true;
  }

  #fillDisk(): boolean {
    const { world, random, swarm, replicas } = this.#options;
    const { disk } = this.#leader(0.4) ?? random.pick(replicas);
    const before = disk.faults.capacityBytes;
    if (before !== Infinity) return false;
    disk.faults.capacityBytes = disk.usedBytes + random.int(2_000);
    world.after(random.int(swarm.downMsMax * 3000), () => {
      disk.faults.capacityBytes = before;
    });
    return true;
  }

  /** Wall clocks jump both ways; monotonic ones only ahead, as when a virtual machine was frozen. */
  #jumpClock(): boolean {
    const { random, replicas, swarm } = this.#options;
    const { clock } = random.pick(replicas);
    if (random.chance(0.7)) clock.wallOffsetMs += random.between(-60_000, 60_000);
    else clock.monotonicOffsetMs += random.int(swarm.downMsMax * 2);
    return true;
  }

  #transfer(): boolean {
    const { random, replicas, world } = this.#options;
    const asked = random.pick(replicas);
    const to = random.pick(replicas).id;
    if (!asked.consensus) return false;
    world.after(0, () => asked.consensus?.transferLeadership(to), asked.process);
    return true;
  }
}

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
    const { chaos } = this.#options.swarm;
    this.#every(chaos.crashMs, "crash", () => this.#crash());
    this.#every(chaos.blackoutMs, "blackout", () => this.#blackout());
    this.#every(chaos.partitionMs, "partition", () => this.#partition());
    this.#every(chaos.clogMs, "clog", () => this.#clog());
    this.#every(chaos.pauseMs, "pause", () => this.#pause());
    this.#every(chaos.clockJumpMs, "clock jump", () => this.#jumpClock());
    this.#every(chaos.transferMs, "transfer", () => this.#transfer());
  }

  stop(): void {
    this.#stopped = true;
  }

  /** For the replicas' failpoints. */
  atFailpoint(replica: SimulatedReplica, name: string): void {
    const { random, swarm } = this.#options;
    if (this.#stopped || !random.chance(swarm.chaos.failpointRate)) return;
    this.#count(`failpoint ${name}`);
    replica.crash(`at failpoint ${name}`);
    this.#startLater(replica);
    replica.unwind();
  }

  /** A process that ended by itself, for a reason that is no fault, comes back like one that crashed. */
  afterEnd(replica: SimulatedReplica): void {
    this.#count("ended by a disk error");
    this.#startLater(replica);
  }

  #every(meanMs: number, name: string, run: () => boolean): void {
    if (meanMs === 0) return;
    const { world, random } = this.#options;
    world.after(random.int(2 * meanMs * 1000), () => {
      if (this.#stopped) return;
      if (run()) this.#count(name);
      this.#every(meanMs, name, run);
    });
  }

  #count(name: string): void {
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
    const links = this.#drawPartition();
    for (const [from, to] of links) this.#options.network.setCut(from, to, true);
    world.after(random.int(swarm.downMsMax * 3000), () => {
      if (this.#stopped) return;
      for (const [from, to] of links) this.#options.network.setCut(from, to, false);
    });
    return true;
  }

  /** The directed links to cut: one member or some from the others, both ways or one, a ring, a bridge, or at random. */
  #drawPartition(): [number, number][] {
    const { random, replicas } = this.#options;
    const ids = random.shuffle(replicas.map((replica) => replica.id));
    const leader = this.#leader(0.5)?.id;
    if (leader !== undefined) ids.sort((left, right) => Number(right === leader) - Number(left === leader));
    const links: [number, number][] = [];
    const kind = random.int(5);
    const border = kind === 0 ? 1 : random.between(1, ids.length - 1);
    const oneWay = random.chance(0.4) ? random.between(1, 2) : 0;
    ids.forEach((from, fromAt) => {
      ids.forEach((to, toAt) => {
        if (from === to) return;
        const crosses = fromAt < border !== toAt < border;
        const distance = Math.abs(fromAt - toAt);
        const isBridge = fromAt === 0 || toAt === 0;
        const isNeighbour = distance === 1 || distance === ids.length - 1;
        const cut =
          kind <= 1
            ? crosses && (oneWay === 0 || (oneWay === 1) === fromAt < border)
            : kind === 2
              ? !isBridge && crosses
              : kind === 3
                ? ids.length > 3 && !isNeighbour
                : random.chance(0.3);
        if (cut) links.push([from, to]);
      });
    });
    return links;
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

  #jumpClock(): boolean {
    const { random, replicas } = this.#options;
    random.pick(replicas).clock.wallOffsetMs += random.between(-60_000, 60_000);
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

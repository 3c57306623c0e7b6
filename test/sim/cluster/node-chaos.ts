import type { SeededRandom } from "../random.js";
import type { SimulatedReplica } from "../simulated-replica.js";
import type { World } from "../world.js";
import type { ClusterSwarm } from "./cluster-swarm.js";
import type { Connections } from "./connections.js";
import type { Machine } from "./machine.js";
import type { Operator } from "./operator.js";

export interface NodeChaosOptions {
  readonly world: World;
  readonly random: SeededRandom;
  readonly swarm: ClusterSwarm;
  readonly connections: Connections;
  readonly replicas: readonly SimulatedReplica[];
  /** All that there are so far. */
  readonly machines: readonly Machine[];
  readonly operator: Operator;
  /** Starts one more machine; false: there are no more. */
  readonly join: () => boolean;
  /** An engine's program whose end nobody asked for. */
  readonly count: (name: string) => void;
}

/** Machines that are left at least: what users want has to fit somewhere. */
const machinesMin = 2;

/** Does to agents, machines, engines, containers and the ways to the servers what the swarm allows, until it is stopped. */
export class NodeChaos {
  readonly #options: NodeChaosOptions;
  #stopped = false;
  /** The leader is killed once the next entry is committed. */
  #isArmed = false;

  constructor(options: NodeChaosOptions) {
    this.#options = options;
  }

  start(): void {
    const { chaos } = this.#options.swarm.cluster;
    this.#every(chaos.agentCrashMs, "agent crash", () => this.#crashAgent());
    this.#every(chaos.agentPauseMs, "agent pause", () => this.#pauseAgent());
    this.#every(chaos.cutMs, "node cut off", () => this.#cut());
    this.#every(chaos.rebootMs, "reboot", () => this.#reboot());
    this.#every(chaos.lossMs, "machine loss", () => this.#lose());
    this.#every(chaos.joinMs, "machine joins", () => this.#options.join());
    this.#every(chaos.engineHangMs, "engine hang", () => this.#hangEngine());
    this.#every(chaos.engineDownMs, "engine down", () => this.#stopEngine());
    this.#every(chaos.containerDeathMs, "container death", () => this.#killContainer("container"));
    this.#every(chaos.sandboxDeathMs, "sandbox death", () => this.#killContainer("sandbox"));
    this.#every(chaos.sickMs, "sick node", () => this.#sicken());
    this.#every(chaos.clockJumpMs, "node clock jump", () => this.#jumpClock());
    this.#every(chaos.cordonMs, "cordon", () => this.#cordon());
    this.#every(chaos.leaderKillMs, "leader killed after an entry", () => (this.#isArmed = true));
  }

  /** No new faults; what was done is undone, but for machines that are lost for good. */
  stop(): void {
    const { machines, connections, operator, swarm } = this.#options;
    this.#stopped = true;
    connections.heal();
    for (const machine of machines) {
      machine.isSick = false;
      machine.engine.hung = false;
      machine.clock.wallOffsetMs = 0;
      Object.assign(machine.disk.faults, { stallRate: 0, syncErrorRate: 0, writeErrorRate: 0, readErrorRate: 0 });
      if (!machine.isLost) operator.do("uncordon", machine.name);
      else if (swarm.cluster.deletesNodes) operator.do("delete", machine.name);
      if (machine.isLost) continue;
      machine.start();
      machine.engine.setDown(false);
    }
  }

  /** An entry of the log is committed. */
  onCommitted(): void {
    if (!this.#isArmed || this.#stopped) return;
    this.#isArmed = false;
    const { world, random, replicas, swarm } = this.#options;
    world.after(random.pick([0, 0, random.int(5_000)]), () => {
      const leader = replicas.find((replica) => replica.leads());
      if (this.#stopped || !leader?.process.alive) return;
      leader.crash("after an entry");
      const { epoch } = leader.process;
      world.after(random.int(swarm.downMsMax * 1000), () => {
        if (!this.#stopped && leader.process.epoch === epoch) leader.start();
      });
    });
  }

  /** For the agents' failpoints. */
  atFailpoint(machine: Machine, name: string): void {
    const { random, swarm, count } = this.#options;
    if (this.#stopped || !random.chance(swarm.cluster.chaos.failpointRate)) return;
    count(`failpoint ${name}`);
    machine.crash(`at failpoint ${name}`);
    this.restartLater(machine);
    machine.unwind();
  }

  restartLater(machine: Machine): void {
    const { world, random, swarm } = this.#options;
    const { epoch } = machine.process;
    world.after(random.int(swarm.downMsMax * 1500), () => {
      if (machine.process.epoch === epoch) machine.start();
    });
  }

  #every(meanMs: number, name: string, run: () => boolean): void {
    if (meanMs === 0) return;
    const { world, random, count } = this.#options;
    world.after(random.int(2 * meanMs * 1000), () => {
      if (this.#stopped) return;
      if (run()) count(name);
      this.#every(meanMs, name, run);
    });
  }

  /** One that has power. */
  #pick(): Machine | undefined {
    const powered = this.#options.machines.filter(({ hasPower }) => hasPower);
    return powered.length > 0 ? this.#options.random.pick(powered) : undefined;
  }

  /** Runs `undo` after a while, unless all was undone by then. */
  #later(factor: number, undo: () => void): void {
    const { world, random, swarm } = this.#options;
    world.after(random.int(swarm.downMsMax * factor * 1000), () => {
      if (!this.#stopped) undo();
    });
  }

  #crashAgent(): boolean {
    const machine = this.#pick();
    if (!machine?.process.alive) return false;
    machine.crash("by chaos", this.#options.random.chance(0.3));
    this.restartLater(machine);
    return true;
  }

  #pauseAgent(): boolean {
    const { world, random, swarm } = this.#options;
    const machine = this.#pick();
    if (!machine?.process.alive) return false;
    machine.process.pausedUntilUs = world.timeUs + random.int(swarm.downMsMax * 2000);
    return true;
  }

  /** Now and then for longer than it takes to give a node up. */
  #cut(): boolean {
    const { random, connections, replicas } = this.#options;
    const machine = this.#pick();
    if (!machine) return false;
    const fromAll = random.chance(0.6);
    const direction = random.int(3);
    const servers = replicas.filter(() => fromAll || random.chance(0.5)).map(({ id }) => id);
    const set = (cut: boolean): void => {
      for (const server of servers) {
        if (direction !== 1) connections.setCut(machine.id, server, cut);
        if (direction !== 2) connections.setCut(server, machine.id, cut);
      }
    };
    set(true);
    this.#later(random.pick([1, 3, 8]), () => set(false));
    return true;
  }

  #reboot(): boolean {
    const machine = this.#pick();
    if (!machine) return false;
    machine.cutPower("reboot");
    this.restartLater(machine);
    return true;
  }

  #lose(): boolean {
    const { machines, random, world, operator, swarm } = this.#options;
    const machine = this.#pick();
    if (!machine || machines.filter(({ isLost }) => !isLost).length <= machinesMin) return false;
    machine.loseForGood();
    const afterMs = random.int(swarm.downMsMax * 6);
    world.after(afterMs * 1000, () => {
      if (!this.#stopped && swarm.cluster.deletesNodes) operator.do("delete", machine.name);
    });
    return true;
  }

  #hangEngine(): boolean {
    const machine = this.#pick();
    if (!machine) return false;
    machine.engine.hung = true;
    this.#later(3, () => (machine.engine.hung = false));
    return true;
  }

  #stopEngine(): boolean {
    const machine = this.#pick();
    if (!machine) return false;
    machine.engine.setDown(true);
    this.#later(3, () => {
      if (machine.hasPower) machine.engine.setDown(false);
    });
    return true;
  }

  #killContainer(role: "container" | "sandbox"): boolean {
    const { random } = this.#options;
    const machine = this.#pick();
    const running = [...(machine?.engine.containers.values() ?? [])].filter(
      ({ info }) => info.phase === "running" && info.role === role,
    );
    if (!machine || running.length === 0) return false;
    const isOom = role === "container" && random.chance(0.3);
    machine.engine.exit(random.pick(running), isOom ? 137 : random.pick([0, 1, 1]), isOom);
    return true;
  }

  #sicken(): boolean {
    const machine = this.#pick();
    if (!machine) return false;
    machine.isSick = true;
    this.#later(2, () => (machine.isSick = false));
    return true;
  }

  #jumpClock(): boolean {
    const { random, swarm } = this.#options;
    const machine = this.#pick();
    if (!machine) return false;
    if (random.chance(0.7)) machine.clock.wallOffsetMs += random.between(-20_000, 20_000);
    else machine.clock.monotonicOffsetMs += random.int(swarm.downMsMax * 2);
    return true;
  }

  #cordon(): boolean {
    const { operator } = this.#options;
    const machine = this.#pick();
    if (!machine) return false;
    operator.do("cordon", machine.name);
    this.#later(3, () => operator.do("uncordon", machine.name));
    return true;
  }
}

import type { Index, Message, NodeId, Term } from "../../raft/core/types.js";
import type { SnapshotMessage } from "../../raft/snapshot/messages.js";
import { BoundsInvariants } from "./bounds.js";
import { Chaos } from "./chaos.js";
import { MemberChanges } from "./chaos-members.js";
import { RaftInvariants } from "./invariants.js";
import { messageCodec } from "./message-codec.js";
import type { SimulatedDisk } from "./disk.js";
import { SimulatedNetwork } from "./network.js";
import { clusterId, SimulatedReplica } from "./simulated-replica.js";
import { drawOldHistory, placeOldHistory } from "./old-log.js";
import type { RunOptions, RunSeed, SeedResult } from "./seed-result.js";
import { drawSwarm, type Swarm } from "./swarm.js";
import { RaftUsers, type Users, type UsersOptions } from "./users.js";
import { Violation } from "./violation.js";
import { World } from "./world.js";

/**
 * Three or five replicas of the store, made of the production core, log, driver and state machine, with clients and
 * watchers, in a world full of faults. Three phases: SAFETY with faults, LIVENESS with a healed quorum, which must
 * answer, and FULL with all healed, who must become equal. Invariants are checked at every step and, of what clients saw, at the end.
 */
export const runRaftSeed: RunSeed = (seed, options = {}) =>
  new RaftWorld(seed, options, { draw: drawSwarm, users: (site) => new RaftUsers(site) }).run();

/** What a world of replicas is about. */
export interface WorldKind {
  readonly draw: typeof drawSwarm;
  readonly users: (options: UsersOptions) => Users;
  /** Simulated time in which a healed quorum must have answered every client, and in which all must have become equal. @default a minute */
  readonly recoveryUsMax?: number;
  /** Simulated time that passes after all is settled, before the end is judged. @default 0 */
  readonly epilogueUs?: number;
}

const recoveryUsMaxDefault = 60_000_000;

export class RaftWorld {
  readonly #seed: number;
  readonly #world: World;
  readonly #swarm: Swarm;
  readonly #network: SimulatedNetwork<Message>;
  readonly #snapshotNetwork: SimulatedNetwork<SnapshotMessage>;
  readonly #invariants: RaftInvariants;
  readonly #bounds: BoundsInvariants;
  readonly #replicas: SimulatedReplica[] = [];
  readonly #users: Users;
  /** Requests that were answered in the phase with faults. */
  #answeredAmidFaults = 0;
  #leadersAmidFaults = 0;
  /** Members that began with a log of an older version. */
  #oldLogs = 0;
  readonly #chaos: Chaos<Message>;
  readonly #memberChanges: MemberChanges;
  readonly #recoveryUsMax: number;
  readonly #epilogueUs: number;

  constructor(seed: number, options: RunOptions, kind: WorldKind) {
    const world = new World({ seed, ...options });
    const { random } = world;
    const swarm = kind.draw(seed, random, options.set);
    for (let skipped = 0; skipped < swarm.salt; skipped++) random.uint32();
    this.#recoveryUsMax = kind.recoveryUsMax ?? recoveryUsMaxDefault;
    this.#epilogueUs = kind.epilogueUs ?? 0;
    this.#seed = seed;
    this.#world = world;
    this.#swarm = swarm;
    this.#network = new SimulatedNetwork(world, swarm.network, swarm.useCodec ? messageCodec : undefined);
    this.#snapshotNetwork = new SimulatedNetwork(world, swarm.network);
    this.#network.twin = this.#snapshotNetwork;
    const members = Array.from({ length: swarm.replicas }, (_, at) => at + 1);
    this.#invariants = new RaftInvariants(members);
    this.#bounds = new BoundsInvariants(swarm);
    this.#network.observe = (from, _to, messages) => {
      this.#bounds.onBatch(messages);
      for (const message of messages) this.#onSend(from, message);
    };
    this.#snapshotNetwork.observe = (from, to) => this.#bounds.onSnapshot(from, to);
    this.#invariants.onNewlyCommitted = (entry) => {
      const holders = this.#holders(entry.index, entry.term);
      if (!this.#invariants.membership.areQuorum(holders, entry.index))
        throw new Violation(
          "R12 durable before answered",
          `index ${entry.index} is committed and on the disks of ${[...holders].join() || "none"} only`,
        );
      this.#users.onCommitted?.(entry);
    };
    this.#invariants.isOnQuorum = (index, term) =>
      this.#invariants.membership.areQuorum(this.#holders(index, term), index);
    this.#invariants.changesBehind = (id, index) => this.#replicas[id - 1]?.durableLog.changesBehind(index) ?? 0;
    const machines = Array.from({ length: swarm.replicas + swarm.members.spares }, (_, at) => at + 1);
    for (const id of machines) {
      const replica: SimulatedReplica = new SimulatedReplica({
        id,
        members,
        world,
        swarm,
        network: this.#network,
        snapshotNetwork: this.#snapshotNetwork,
        invariants: this.#invariants,
        onFailpoint: (name) => this.#chaos.atFailpoint(replica, name),
        onEnd: () => this.#chaos.afterEnd(replica),
        onServing: (env) => this.#users.onServing?.(replica, env),
      });
      this.#replicas.push(replica);
    }
    if (swarm.oldLogShare > 0) this.#placeOldLogs(members);
    this.#chaos = new Chaos({ world, random: random.fork(), swarm, network: this.#network, replicas: this.#replicas });
    this.#memberChanges = new MemberChanges({
      world,
      random: random.fork(),
      chaos: swarm.members,
      replicas: this.#replicas,
      membership: this.#invariants.membership,
      count: (name) => this.#chaos.count(name),
    });
    const isCut = (from: NodeId, to: NodeId): boolean => this.#network.isCut(from, to);
    this.#users = kind.users({ world, random, swarm, replicas: this.#replicas, isCut });
  }

  run(): SeedResult {
    let violation: SeedResult["violation"];
    try {
      this.#safety();
      this.#liveness();
      this.#full();
      this.#checkEnd();
    } catch (thrown) {
      const { rule, message } =
        thrown instanceof Violation
          ? thrown
          : { rule: "crash" as const, message: `crash: ${thrown instanceof Error ? thrown.stack : String(thrown)}` };
      violation = { rule, message, trace: this.#world.trace.lines() };
    }
    return {
      seed: this.#seed,
      hash: this.#world.trace.hash(),
      simulatedMs: this.#world.timeUs / 1000,
      events: this.#world.events,
      counts: this.#counts(),
      ...(violation ? { swarm: this.#swarm } : {}),
      violation,
    };
  }

  /** Who has the entry on disk. */
  #holders(index: Index, term: Term): Set<NodeId> {
    const holding = this.#replicas.filter((replica) => replica.durableLog.holds(index, term));
    return new Set(holding.map((replica) => replica.id));
  }

  #placeOldLogs(members: readonly number[]): void {
    const { trace, random } = this.#world;
    const { oldLogShare, members: changes } = this.#swarm;
    const history = drawOldHistory(random, clusterId, members, changes.changeMs === 0);
    const diskOf = (id: number): SimulatedDisk => (this.#replicas[id - 1] as SimulatedReplica).disk;
    const old = placeOldHistory(random, history, oldLogShare, diskOf);
    this.#oldLogs = old.length;
    if (trace.verbose)
      this.#world.note(`${old.join()} begin with up to ${history.entries.length} entries of version 1`);
  }

  #safety(): void {
    const { trace } = this.#world;
    if (trace.verbose) this.#world.note(`SAFETY ${JSON.stringify(this.#swarm)}`);
    for (const replica of this.#replicas.slice(0, this.#swarm.replicas)) replica.start();
    this.#users.start();
    this.#chaos.start();
    this.#memberChanges.start();
    this.#world.runUntil(this.#swarm.safetyMs * 1000);
    this.#leadersAmidFaults = this.#invariants.terms();
    if (this.#swarm.profile === "calm") this.#checkCalm();
    this.#answeredAmidFaults = this.#users.answered;
  }

  /** A healthy cluster keeps its leader, and hardly anybody asks for another one. */
  #checkCalm(): void {
    const { campaigns } = this.#invariants;
    const elections = this.#leadersAmidFaults - 1;
    if (elections <= 0 && campaigns <= this.#world.timeUs / 60_000_000) return;
    throw new Violation("liveness", `${elections} elections and ${campaigns} campaigns in a healthy cluster`);
  }

  /** A random quorum is healed; the others stay as they are and hear or reach the quorum in one direction at most. */
  #liveness(): void {
    const { random, trace } = this.#world;
    this.#chaos.stop();
    this.#memberChanges.stop();
    const core = this.#drawCore();
    const others = this.#replicas.filter((replica) => !core.includes(replica));
    this.#calm();
    this.#network.heal(core.map((replica) => replica.id));
    for (const other of others) {
      const direction = random.int(3);
      for (const replica of core) {
        this.#network.setCut(other.id, replica.id, direction !== 1);
        this.#network.setCut(replica.id, other.id, direction !== 2);
      }
    }
    if (trace.verbose) this.#world.note(`LIVENESS of ${core.map((replica) => replica.id).join()}`);
    for (const replica of core) replica.heal();
    this.#users.insist(core);
    this.#runUntil(() => this.#users.rest, "a healed quorum answers all clients");
  }

  /**
   * A quorum of those who can work. Where members changed it is all of them, also those who are on their way in: a change that is
   * under way may make anybody a voter.
   */
  #drawCore(): SimulatedReplica[] {
    const { random } = this.#world;
    const working = this.#replicas.filter((replica) => !replica.hasHalted);
    if (this.#swarm.members.changeMs > 0) return working;
    const quorum = Math.floor(this.#replicas.length / 2) + 1;
    // One whose log rotted may wait for others to repair it, without a vote.
    const [sound, rotten] = [false, true].map((isRotten) =>
      random.shuffle(working.filter((one) => one.isRotten === isRotten)),
    );
    return [...(sound ?? []), ...(rotten ?? [])].slice(0, random.between(quorum, working.length));
  }

  /** Members by the newest configuration that work. */
  #present(): SimulatedReplica[] {
    const { membership } = this.#invariants;
    return this.#replicas.filter((replica) => membership.isMember(replica.id) && !replica.hasHalted);
  }

  #onSend(from: number, message: Message): void {
    if (message.from !== from) throw new Violation("crash", `member ${from} sent a message of ${message.from}`);
    this.#invariants.onSend(message);
    const replica = this.#replicas[from - 1];
    replica?.durableLog.onSend(message);
    if (message.type === "MsgHeartbeat" && replica) this.#checkDisk(replica);
  }

  /** A leader whose disk has not answered for long must have fallen silent: with it the others would wait for nothing. */
  #checkDisk({ id, disk, process }: SimulatedReplica): void {
    const { tickMs, electionTicks } = this.#swarm;
    const { timeUs } = this.#world;
    const sinceUs = disk.waitingSinceUs;
    const isAwake = process.pausedUntilUs + 5_000 * tickMs < timeUs;
    if (sinceUs === undefined || !isAwake || timeUs - sinceUs < 8_000 * electionTicks * tickMs) return;
    throw new Violation("liveness", `member ${id} leads on, its disk has hung for ${(timeUs - sinceUs) / 1000} ms`);
  }

  #full(): void {
    if (this.#world.trace.verbose) this.#world.note("FULL");
    this.#network.heal(this.#replicas.map((replica) => replica.id));
    for (const replica of this.#replicas) replica.heal();
    this.#users.stop(this.#present());
    this.#runUntil(() => !this.#users.busy, "all requests are answered");
    this.#runUntil(() => this.#isSettled(), "all replicas apply the same and all watchers see it");
    this.#world.runUntil(this.#world.timeUs + this.#epilogueUs);
  }

  #isSettled(): boolean {
    const last = this.#invariants.committed().length;
    // Asked after every event: first what is seldom true and quickly seen.
    if (!this.#replicas.some((replica) => replica.store?.appliedIndex() === last)) return false;
    const present = this.#present();
    const [first] = present;
    return (
      this.#invariants.membership.latest.outgoing.length === 0 &&
      present.every((replica) => replica.store?.appliedIndex() === last) &&
      (first === undefined || this.#users.isSettled(first))
    );
  }

  #checkEnd(): void {
    const present = this.#present();
    const digests = new Set(present.map((replica) => replica.store?.digest()));
    if (digests.size !== 1) throw new Violation("R5 state machine safety", `states differ: ${[...digests].join()}`);
    this.#users.check(this.#invariants.committed(), present);
  }

  /** No new faults from the network and the disks. */
  #calm(): void {
    Object.assign(this.#swarm.network, { lossRate: 0, duplicateRate: 0, lateRate: 0, delayUsMax: 300, ordered: true });
    Object.assign(this.#swarm.keyValue, { errorRate: 0 });
    for (const { disk } of this.#replicas) {
      disk.hang(0);
      Object.assign(disk.faults, {
        stallRate: 0,
        syncErrorRate: 0,
        writeErrorRate: 0,
        readErrorRate: 0,
        syncUsMax: Math.min(disk.faults.syncUsMax, 2_000),
        capacityBytes: Infinity,
      });
    }
  }

  #runUntil(reached: () => boolean, what: string): void {
    const startedUs = this.#world.timeUs;
    if (reached()) return;
    this.#world.runUntil(startedUs + this.#recoveryUsMax, reached);
    if (reached()) return;
    const states = this.#replicas.map((replica) => replica.describe());
    const unsettled = this.#users.unsettled;
    if (unsettled) throw new Violation("O3 desired state", `not within ${this.#recoveryUsMax / 1e6} s: ${unsettled}`);
    throw new Violation("liveness", `not within ${this.#recoveryUsMax / 1e6} s: ${what}; ${states.join("; ")}`);
  }

  #counts(): Record<string, number> {
    return {
      "snapshots installed": this.#replicas.reduce((sum, replica) => sum + replica.snapshotsInstalled, 0),
      "logs of an older version": this.#oldLogs,
      "answered amid faults": this.#answeredAmidFaults,
      "entries committed": this.#invariants.committed().length,
      "leaders amid faults": this.#leadersAmidFaults,
      campaigns: this.#invariants.campaigns,
      leaders: this.#invariants.terms(),
      "members changed": this.#invariants.membership.changes,
      "history compacted": Number(this.#present().some(({ store }) => (store?.compactRevision() ?? 0) > 0)),
      ...this.#users.counts(),
      ...Object.fromEntries([...this.#chaos.counts].map(([name, count]) => [`fault: ${name}`, count])),
    };
  }
}

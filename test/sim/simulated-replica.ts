import { Driver } from "../../raft/driver.js";
import type { ConsensusHandlers, ConsensusStatus } from "../../raft/consensus.js";
import type { ConfState, Index, Message, NodeId } from "../../raft/core/types.js";
import type { Env } from "../../src/base/env.js";
import type { SnapshotMessage } from "../../raft/snapshot/messages.js";
import { type OpenedState, openState } from "../../store/open-state.js";
import { Replica } from "../../store/replica.js";
import type { ClockShape } from "./clock.js";
import { SimulatedDisk } from "./disk.js";
import { DurableLog } from "./durable-log.js";
import { simulatedEnv } from "./env.js";
import type { RaftInvariants } from "./invariants.js";
import { SimulatedKeyValue } from "./key-value.js";
import type { SimulatedNetwork } from "./network.js";
import { drawClock, type Swarm } from "./swarm.js";
import { Violation } from "./violation.js";
import { Process, SimulatedCrash, type World } from "./world.js";

export interface SimulatedReplicaOptions {
  readonly id: NodeId;
  readonly members: readonly NodeId[];
  readonly world: World;
  readonly swarm: Swarm;
  readonly network: SimulatedNetwork<Message>;
  /** The same links, for snapshots. */
  readonly snapshotNetwork: SimulatedNetwork<SnapshotMessage>;
  readonly invariants: RaftInvariants;
  readonly onFailpoint: (name: string) => void;
  /** The process ended because its disk failed. */
  readonly onEnd: () => void;
  /** The process has come so far that it answers. */
  readonly onServing: (env: Env) => void;
}

export const clusterId = "simulation";

/** One machine with a replica on it: production's driver, log and store, wired as production wires them. */
export class SimulatedReplica {
  readonly id: NodeId;
  readonly process: Process;
  readonly disk: SimulatedDisk;
  readonly clock: ClockShape;
  /** Of the present incarnation, once it has started. */
  store: Replica | undefined;
  snapshotsInstalled = 0;
  consensus: Driver | undefined;
  readonly durableLog: DurableLog;
  /** Of the present incarnation, as it was last told. */
  configuration: ConfState | undefined;
  hasStarted = false;
  /** It found its disk damaged beyond repair and said so: it stays down. */
  hasHalted = false;
  /** Bits of its log have flipped. */
  isRotten = false;
  /** Its process has ended. */
  onDown: () => void = () => undefined;
  /** What consensus tells, after the store has taken it in. */
  onStatus: (status: ConsensusStatus) => void = () => undefined;
  #keyValue: SimulatedKeyValue;
  readonly #options: SimulatedReplicaOptions;
  #diskFailed = false;
  /** A bit has flipped since the log was opened last. */
  #hasUnseenRot = false;
  /** It begins without a past in a cluster that has one: not as one of the first members. */
  #joins: boolean;

  constructor(options: SimulatedReplicaOptions) {
    const { id, world, swarm } = options;
    this.#options = options;
    this.id = id;
    this.process = new Process(id);
    this.disk = new SimulatedDisk(world, { ...swarm.disk });
    this.clock = drawClock(world.random, swarm);
    this.durableLog = new DurableLog(id, this.disk);
    this.#keyValue = this.#newKeyValue();
    this.#joins = !options.members.includes(id);
    this.disk.onError = () => {
      this.#diskFailed = true;
    };
  }

  start(): void {
    if (this.process.alive || this.hasHalted) return;
    this.hasStarted = true;
    const { world, network, invariants, onFailpoint } = this.#options;
    this.process.start();
    this.#diskFailed = false;
    this.durableLog.reset();
    invariants.onRestart(this.id);
    if (world.trace.verbose) world.note(`[${this.id}] start`);
    const env = simulatedEnv({
      world,
      process: this.process,
      disk: this.disk,
      clock: this.clock,
      failpoint: onFailpoint,
    });
    const endpoint = network.attach(this.process);
    const keyValue = this.#keyValue.open(this.process);
    openState(env, keyValue, clusterId, (error, opened) => {
      if (error) return this.#end(error);
      return this.#open(env, endpoint, keyValue, opened);
    });
  }

  /** Ends the process now. A power cut loses what the disk has not; the end of a process alone does not. */
  crash(why: string, powerCut = false): void {
    const { world, network, swarm } = this.#options;
    const { random } = world;
    const processOnly = !powerCut && !this.#diskFailed && random.chance(swarm.processOnlyShare);
    if (world.trace.verbose) world.note(`[${this.id}] crash ${why}${processOnly ? ", its page cache stays" : ""}`);
    world.trace.mix(this.id);
    this.process.end();
    this.store = undefined;
    this.consensus = undefined;
    this.configuration = undefined;
    this.disk.crash({ ...swarm.loss, processOnly });
    this.#keyValue.crash(swarm.loss);
    network.detach(this.process);
    this.#options.snapshotNetwork.detach(this.process);
    this.onDown();
  }

  /** Ends the process and gives the machine an empty disk, as one that was removed from the cluster may get. */
  replaceDisk(): void {
    const { invariants } = this.#options;
    if (this.process.alive) this.crash("for a new disk");
    this.disk.wipe();
    this.#keyValue = this.#newKeyValue();
    this.durableLog.forget();
    invariants.forget(this.id);
    this.hasStarted = false;
    this.#joins = true;
  }

  /**
   * Bit rot somewhere in the log: from now on the machine may halt, and what its disk holds proves nothing. One bit between two openings: two
   * of them in the last write can't be told from a torn one.
   */
  rot(): boolean {
    if (this.#hasUnseenRot) return false;
    const { random } = this.#options.world;
    const files = this.disk.files().filter((path) => path.startsWith("log/"));
    const path = files.length > 0 ? random.pick(files) : undefined;
    const bytes = path === undefined ? undefined : this.disk.durableBytes(path);
    if (path === undefined || !bytes || bytes.length === 0) return false;
    this.isRotten = true;
    this.#hasUnseenRot = true;
    this.durableLog.blind();
    const offset = random.int(bytes.length);
    if (this.#options.world.trace.verbose) this.#options.world.note(`[${this.id}] bit rot in ${path} at ${offset}`);
    this.disk.flipBit(path, offset, random.int(8));
    return true;
  }

  /** As a leader sees it: how many entries a member lacks. */
  lagOf(node: NodeId): Index {
    const status = this.store?.status();
    const match = status?.progress.find(({ id }) => id === node)?.match;
    return match === undefined || !status ? Infinity : status.lastIndex - match;
  }

  /** Leaves the code of a process that `crash` has just ended. */
  unwind(): never {
    throw new SimulatedCrash(`member ${this.id}`);
  }

  heal(): void {
    this.start();
  }

  leads(): boolean {
    return this.store?.status()?.role === "Leader";
  }

  describe(): string {
    const { store, process } = this;
    if (!store) return `${this.id} ${process.alive ? "starting" : "down"}`;
    const status = store.status();
    const role = status ? `${status.role} of term ${status.term}, leader ${status.leader}` : "silent";
    return `${this.id} ${role}, applied ${store.appliedIndex()}`;
  }

  #newKeyValue(): SimulatedKeyValue {
    const { world, swarm } = this.#options;
    const keyValue = new SimulatedKeyValue(world, swarm.keyValue);
    keyValue.onError = () => {
      this.#diskFailed = true;
    };
    return keyValue;
  }

  #open(
    env: Env,
    endpoint: ReturnType<SimulatedNetwork<Message>["attach"]>,
    keyValue: ReturnType<SimulatedKeyValue["open"]>,
    { state, snapshot }: OpenedState,
  ): void {
    const { id, members, swarm, invariants, snapshotNetwork } = this.#options;
    const onFatal = (error: Error): void => this.#end(error);
    const store = new Replica({
      env,
      keyValue,
      state,
      onFatal,
      flushIntervalMs: swarm.flushIntervalMs,
      recent: { eventsMax: swarm.recentEventsMax, bytesMax: 1 << 20 },
    });
    const handlers = this.#observed(store);
    const options = {
      id,
      clusterId,
      initialMembers: this.#joins ? [] : members,
      appliedIndex: state.appliedIndex,
      snapshot,
      snapshotChannel: snapshotNetwork.attach(this.process),
      ...(swarm.compaction && { compaction: swarm.compaction }),
      snapshots: swarm.snapshots,
      tickMs: swarm.tickMs,
      electionTicks: swarm.electionTicks,
      electionJitterTicks: swarm.electionJitterTicks,
      segmentBytes: swarm.segmentBytes,
      growBytes: swarm.growBytes,
      reserveBytes: swarm.growBytes,
      markerBytes: swarm.markerBytes,
      appendEntriesMax: swarm.appendEntriesMax,
      inflightMessagesMax: swarm.inflightMessagesMax,
    };
    invariants.onApplied(id, state.appliedIndex, store.digest(), store.revision());
    Driver.open(options, env, endpoint, handlers, (error, driver) => {
      if (error) return this.#end(error);
      this.#hasUnseenRot = false;
      this.durableLog.checkCut();
      this.store = store;
      this.consensus = driver;
      store.connect(driver);
      return this.#options.onServing(env);
    });
  }

  /** Shows the invariants all that passes between consensus and store. */
  #observed(store: Replica): ConsensusHandlers {
    const { invariants } = this.#options;
    const { epoch } = this.process;
    return {
      onCommitted: (entries) => {
        invariants.onCommitted(this.id, entries);
        store.onCommitted(entries);
        if (this.process.epoch !== epoch) return;
        invariants.onApplied(this.id, store.appliedIndex(), store.digest(), store.revision());
      },
      onSnapshotWanted: (request) => store.onSnapshotWanted(request),
      onSnapshot: (snapshot) => {
        this.snapshotsInstalled++;
        invariants.onSnapshot(this.id, snapshot.index, snapshot.term);
        store.onSnapshot(snapshot);
      },
      onReadIndex: (tag, index) => store.onReadIndex(tag, index),
      onRefused: (tag, reason, detail) => store.onRefused(tag, reason, detail),
      onMembersChanged: (tag, configuration) => store.onMembersChanged(tag, configuration),
      onStatus: (status: ConsensusStatus) => {
        invariants.onStatus(status);
        this.configuration = status.configuration;
        this.durableLog.onDurableIndex(status.durableIndex);
        store.onStatus(status);
        if (this.store === store) this.onStatus(status);
      },
      onFatal: (error) => store.onFatal(error),
    };
  }

  /** The process gives up. It may, when its disk has failed. */
  #end(error: Error): void {
    // A failpoint's crash on its way out, caught by code that reports whatever it catches: there is nobody to report any more.
    if (error instanceof SimulatedCrash) return;
    const { invariants } = this.#options;
    const isRemoved = !invariants.membership.isMember(this.id);
    if (this.isRotten) this.hasHalted = true;
    if (!this.#diskFailed && !this.isRotten && !isRemoved)
      throw new Violation("crash", `member ${this.id} ended by itself: ${error.stack ?? error.message}`);
    const { epoch } = this.process;
    // The code that reported the error runs to its end first.
    this.#options.world.after(0, () => {
      if (this.process.epoch !== epoch) return;
      this.crash(`by itself: ${error.message}`);
      if (!this.hasHalted) this.#options.onEnd();
    });
  }
}

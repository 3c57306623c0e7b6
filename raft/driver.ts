import type { Done, Env, Finished, Network } from "../src/base/env.js";
import { invariant } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { AdaptiveTimeout } from "./adaptive-timeout.js";
import { Compaction, type CompactionTuning, defaultCompactionTuning } from "./compaction.js";
import { decodeConfChange, encodeConfState } from "./conf-change.js";
import { Configurations } from "./configurations.js";
import type { ConfChange } from "./core/configuration.js";
import type { Consensus, ConsensusHandlers, ConsensusStatus } from "./consensus.js";
import { defaultRaftConfig } from "./core/config.js";
import { isVoter } from "./core/configuration.js";
import type { MemoryStorage } from "./core/memory-storage.js";
import type { Status } from "./core/raft.js";
import { Raft } from "./core/raft.js";
import type { Entry, Index, Message, NodeId, Ready } from "./core/types.js";
import { diskHealth } from "./disk-watch.js";
import { EarlyCampaign } from "./early-campaign.js";
import { failpoints } from "./failpoints.js";
import { HeldProposals } from "./held-proposals.js";
import { clusterHash } from "./log/format.js";
import type { RaftLog } from "./log/raft-log.js";
import type { OpenReplicaOptions, Replica } from "./open-replica.js";
import { openReplica } from "./open-replica.js";
import { MemberChanges } from "./member-changes.js";
import { PendingReads } from "./pending-reads.js";
import type { WrittenSnapshot } from "./snapshot/file-writer.js";
import type { SnapshotMessage } from "./snapshot/messages.js";
import { receivedSnapshot, Snapshots } from "./snapshot/snapshots.js";
import { defaultSnapshotTuning, type SnapshotTuning } from "./snapshot/tuning.js";
import { StatusFeed } from "./status-feed.js";
import { TickClock } from "./tick-clock.js";

export interface DriverOptions extends Omit<OpenReplicaOptions, "node"> {
  readonly id: NodeId;
  /** One step of the logical clock, and the time between heartbeats. @default limits.tickMs */
  readonly tickMs?: number;
  /** @default limits.electionTicks */
  readonly electionTicks?: number;
  /** @default limits.electionJitterTicks */
  readonly electionJitterTicks?: number;
  /** @default limits.appendEntriesMax */
  readonly appendEntriesMax?: number;
  /** @default limits.inflightMessagesMax */
  readonly inflightMessagesMax?: number;
  /** What is not told is as usual. */
  readonly compaction?: Partial<CompactionTuning>;
  readonly snapshots?: Partial<SnapshotTuning>;
  /** The way for snapshots, apart from that of messages. Without it a member that needs one gets none. */
  readonly snapshotChannel?: Network<SnapshotMessage> | undefined;
}

/** Pre-votes are asked for again after 100 to 150 ms: about two rounds on a slow network. */
const preVoteRetryTicks = 2;
/** Messages of one turn; more than any correct set of peers sends in it. */
const receivedMax = 2 * limits.peerQueueMessagesMax;

/**
 * The one loop around the core. Everything that happens (ticks, messages, proposals, reads, completed writes)
 * is queued; a turn takes it all in, then does what the core wants done. So all input of one round of the event loop
 * becomes one write and one batch of messages per peer.
 *
 * Invariants:
 * 1. The core is called in turns only, never from a completion or a caller.
 * 2. Messages that depend on a write leave after it is durable; the log completes writes in order.
 * 3. `onCommitted` gets only entries that are durable here (the core hands out no others), in order, without gaps.
 * 4. After a fatal error, or a stop, nothing is sent, written or delivered.
 */
export class Driver implements Consensus {
  readonly #env: Env;
  readonly #network: Network<Message>;
  readonly #handlers: ConsensusHandlers;
  readonly #core: Raft;
  readonly #storage: MemoryStorage;
  readonly #log: RaftLog;
  readonly #id: NodeId;
  /** On a calm machine; `#timeout` may make it longer. */
  readonly #electionTimeoutMs: number;
  readonly #electionJitterTicks: number;
  readonly #timeout: AdaptiveTimeout;
  #electionTicks: number;

  readonly #ticks: TickClock;
  readonly #campaign: EarlyCampaign;
  readonly #status: StatusFeed;
  readonly #proposals = new HeldProposals();
  readonly #reads: PendingReads;
  readonly #memberChanges: MemberChanges;

  readonly #cluster: number;
  readonly #configurations: Configurations;
  readonly #compaction: Compaction;
  readonly #snapshots: Snapshots;
  /** Readies with a snapshot whose write is under way. */
  #resetting = 0;
  #durableIndex: Index = 0;

  #received: Message[] = [];
  /** What has to be told to the core or its storage, in a turn. */
  #due: (() => void)[] = [];
  #persisted: Ready[] = [];
  /** Committed entries that wait until the Ready which told of them is durable; in order. */
  #heldBack: Ready[] = [];
  #lateMs: number | undefined;
  #lostPeers: NodeId[] = [];
  #transferTo: NodeId | undefined;
  /** What the state machine had applied at the start. */
  readonly #knownIndex: Index;
  #appliedIndex: Index;
  #reportedApplied: Index;
  readonly #outbox = new Map<NodeId, Message[]>();

  #turnIsDue = false;
  #isOver = false;
  #isMuted = false;
  #leader: NodeId = 0;
  /** Term and leader. */
  #leadership = "";
  #stopping: { readonly done: Finished; readonly deadlineMs: number } | undefined;

  /**
   * Opens the member's log and starts it. Fails, with nothing started, when the log is damaged or not
   * this member's. Handlers are called from the first turn on, after `done`.
   */
  static open(
    options: DriverOptions,
    env: Env,
    network: Network<Message>,
    handlers: ConsensusHandlers,
    done: Done<Driver>,
  ): void {
    let driver: Driver | undefined;
    let failed = false;
    const onFatal = (error: Error): void => {
      if (driver) return driver.#fail(error);
      // The log failed while the first record was written: the completion below will never come.
      failed = true;
      return done(error, undefined as never);
    };
    openReplica({ ...options, node: options.id }, env, onFatal, (error, replica) => {
      if (failed) return;
      if (error) return done(error, undefined as never);
      driver = new Driver(options, env, network, handlers, replica);
      done(null, driver);
      return driver.#start();
    });
  }

  private constructor(
    options: DriverOptions,
    env: Env,
    network: Network<Message>,
    handlers: ConsensusHandlers,
    replica: Replica,
  ) {
    this.#env = env;
    this.#network = network;
    this.#handlers = handlers;
    this.#id = options.id;
    this.#log = replica.log;
    this.#storage = replica.storage;
    this.#knownIndex = options.appliedIndex;
    this.#appliedIndex = replica.initial.applied;
    this.#reportedApplied = replica.initial.applied;
    const { tickMs = limits.tickMs, electionTicks = limits.electionTicks } = options;
    const electionJitterTicks = options.electionJitterTicks ?? limits.electionJitterTicks;
    const config = {
      ...defaultRaftConfig,
      id: options.id,
      electionTicks,
      electionJitterTicks,
      preVoteRetryTicks,
      appendBytesMax: limits.appendBytesMax,
      appendEntriesMax: options.appendEntriesMax ?? limits.appendEntriesMax,
      inflightMessagesMax: options.inflightMessagesMax ?? limits.inflightMessagesMax,
      inflightBytesMax: limits.inflightBytesMax,
      uncommittedBytesMax: limits.uncommittedBytesMax,
    };
    this.#core = new Raft(config, replica.initial, replica.storage, (bound) => env.random.int(bound));
    this.#electionTimeoutMs = electionTicks * tickMs;
    this.#electionTicks = electionTicks;
    this.#electionJitterTicks = electionJitterTicks;
    const ticksMax = Math.max(electionTicks, limits.electionTicksMax);
    this.#timeout = new AdaptiveTimeout({ tickMs, ticksMin: electionTicks, ticksMax });
    this.#reads = new PendingReads(env.random);
    this.#memberChanges = new MemberChanges(this.#core, handlers, () => this.#configurations.latestIndex);
    this.#ticks = new TickClock(env, tickMs, (lateMs) => {
      this.#lateMs = lateMs;
      this.#wake();
    });
    this.#campaign = new EarlyCampaign({
      env,
      tickMs,
      term: () => this.#core.status().term,
      attempt: () => this.#campaignEarly(),
    });
    this.#status = new StatusFeed(env, (status) => handlers.onStatus(status));
    this.#cluster = clusterHash(options.clusterId);
    this.#configurations = new Configurations(replica.configurations);
    this.#compaction = new Compaction({ ...defaultCompactionTuning, ...options.compaction });
    const inTurn = (run: () => void): void => {
      this.#due.push(run);
      this.#wake();
    };
    this.#snapshots = new Snapshots({
      env,
      channel: options.snapshotChannel,
      cluster: this.#cluster,
      tuning: { ...defaultSnapshotTuning, ...options.snapshots },
      configurationAt: (index) => this.#configurations.at(index),
      committed: () => this.#core.status().commit,
      onWanted: (request) => handlers.onSnapshotWanted(request),
      onOffered: (snapshot) => inTurn(() => this.#storage.offerSnapshot(snapshot)),
      onSent: (to, ok) => inTurn(() => this.#core.reportSnapshot(to, ok)),
      onReceived: (message) => inTurn(() => this.#core.step(message)),
    });
  }

  propose(tag: number, data: Uint8Array): void {
    if (this.#isOver) return;
    if (data.length > limits.entryBytesMax) {
      this.#env.timers.after(0, () => this.#handlers.onRefused(tag, "TooLarge"));
      return;
    }
    this.#proposals.add(tag, data, this.#now());
    this.#wake();
  }

  readIndex(tag: number): void {
    this.#reads.add(tag, this.#now());
    this.#wake();
  }

  /** What is durable lets the log be cut. */
  applied(index: Index, durable: Index): void {
    invariant(durable <= index, "what is durable is applied");
    this.#durableIndex = Math.max(this.#durableIndex, durable);
    // What the state machine began with counts when it is delivered again: a repaired log may be behind it.
    if (index > this.#knownIndex) this.#appliedIndex = Math.max(this.#appliedIndex, index);
    this.#wake();
  }

  snapshotTaken(written: WrittenSnapshot | undefined): void {
    if (!this.#isOver) this.#snapshots.taken(written);
  }

  transferLeadership(to: NodeId): void {
    this.#transferTo = to;
    this.#wake();
  }

  changeMembers(tag: number, change: ConfChange, asOf?: Index): void {
    if (this.#isOver) return;
    this.#memberChanges.add({ tag, change, asOf });
    this.#wake();
  }

  /** Hands leadership over if it can within two election timeouts, then closes the log. No handler is called afterwards. */
  stop(done: Finished): void {
    invariant(!this.#stopping, "a driver is stopped once");
    if (this.#isOver) {
      this.#env.timers.after(0, () => done(new Error("the Raft log has failed")));
      return;
    }
    this.#stopping = { done, deadlineMs: this.#now() + 2 * this.#electionTimeoutMs };
    for (const tag of [...this.#proposals.clear(), ...this.#reads.clear(), ...this.#memberChanges.clear()])
      this.#handlers.onRefused(tag, "NoLeader");
    this.#wake();
  }

  #start(): void {
    this.#network.onReceive((from, messages) => this.#receive(from, messages));
    this.#network.onPeer((peer, connected) => {
      if (connected) return;
      this.#lostPeers.push(peer);
      this.#wake();
    });
    this.#network.onRoundTrip?.((peer, ms) => this.#timeout.answered(peer, ms, this.#now()));
    this.#ticks.start();
    const { voters } = this.#core.status().configuration;
    // Nobody else can win, so there is nothing to wait for.
    if (voters.length === 1 && voters[0] === this.#id) this.#core.campaign();
    this.#wake();
  }

  #receive(from: NodeId, messages: readonly Message[]): void {
    const mine = messages.filter((message) => message.from === from && message.to === this.#id);
    if (from === this.#leader) this.#timeout.heard(this.#leadership, this.#now());
    const taken = mine.slice(0, receivedMax - this.#received.length);
    if (taken.length < messages.length)
      this.#env.log.warn("dropped Raft messages", {
        from,
        forOthers: messages.length - mine.length,
        tooMany: mine.length - taken.length,
      });
    for (const message of taken) this.#received.push(message);
    this.#wake();
  }

  #wake(): void {
    if (this.#turnIsDue || this.#isOver) return;
    this.#turnIsDue = true;
    this.#env.timers.after(0, () => {
      this.#turnIsDue = false;
      if (!this.#isOver) this.#turn();
    });
  }

  /** Messages come before the tick: a heartbeat that waits in the queue is no silence. */
  #turn(): void {
    for (const message of taken(this.#received))
      if (message.type !== "MsgProp" || !this.#log.isDiskFull) this.#core.step(message);
    for (const ready of taken(this.#persisted)) this.#takePersisted(ready);
    for (const run of taken(this.#due)) run();
    if (this.#appliedIndex > this.#reportedApplied) {
      this.#reportedApplied = this.#appliedIndex;
      this.#core.applied(this.#appliedIndex);
    }
    for (const peer of taken(this.#lostPeers)) this.#losePeer(peer);
    if (this.#lateMs !== undefined) this.#tick(this.#lateMs);
    this.#lateMs = undefined;
    if (this.#transferTo === 0) this.#handOver(this.#core.status(), "it was asked for");
    else if (this.#transferTo !== undefined) this.#core.transferLeadership(this.#transferTo);
    this.#transferTo = undefined;
    this.#propose();
    this.#memberChanges.propose();
    if (this.#reads.hasWaiting) this.#reads.ask(this.#now(), (context) => this.#core.readIndex(context));
    while (this.#core.hasReady()) this.#take(this.#core.ready());
    this.#send();
    if (this.#storage.takeSnapshotWanted()) this.#snapshots.want();
    this.#compact();
    this.#log.flush();
    this.#report();
  }

  #take(ready: Ready): void {
    this.#env.failpoint(failpoints.afterReady);
    const { hardState, entries, committedEntries } = ready;
    // A configuration must not count before it is sure to count after a restart: whoever led with it could else come back with the one before,
    // whose quorum may never meet.
    const changes = committedEntries.some(({ type }) => type === "ConfChange");
    const mustSync = ready.mustSync || changes;
    const meta = ready.snapshot;
    const snapshot = meta && { ...meta, configuration: encodeConfState(meta.configuration) };
    if (snapshot) this.#resetting += 1;
    this.#log.append({ snapshot, hardState, entries, mustSync }, () => {
      this.#persisted.push(ready);
      this.#wake();
    });
    for (const message of ready.messages) this.#post(message);
    if (changes || this.#heldBack.length > 0) this.#heldBack.push(ready);
    else this.#deliver(committedEntries);
    for (const { context, index } of ready.readStates)
      for (const tag of this.#reads.answered(context)) this.#handlers.onReadIndex(tag, index);
  }

  #takePersisted(ready: Ready): void {
    const { snapshot, entries } = ready;
    if (snapshot) {
      this.#storage.reset(snapshot);
      this.#configurations.reset(snapshot.index, snapshot.configuration);
      this.#resetting -= 1;
    }
    this.#storage.append(entries);
    this.#compaction.appended(entries);
    this.#core.persisted(ready.number);
    if (snapshot) {
      this.#env.failpoint(failpoints.snapshotReset);
      this.#env.log.info("the log begins behind a snapshot", { index: snapshot.index });
      // A member whose log lost its end may have the state already.
      if (snapshot.index <= this.#knownIndex) this.applied(snapshot.index, snapshot.index);
      else this.#handlers.onSnapshot(receivedSnapshot(snapshot, this.#cluster));
    }
    if (ready.messagesAfterPersist.length > 0) {
      this.#env.failpoint(failpoints.beforeSendPersisted);
      for (const message of ready.messagesAfterPersist) this.#post(message);
    }
    while (this.#heldBack[0] && this.#heldBack[0].number <= ready.number)
      this.#deliver(this.#heldBack.shift()!.committedEntries);
  }

  #deliver(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    for (const { type, index, data } of entries)
      if (type === "ConfChange") this.#configurations.add(index, this.#core.applyConfChange(decodeConfChange(data)));
    // After a repair of the log come entries again that the state machine has.
    const known = entries.findLast(({ index }) => index <= this.#knownIndex);
    if (known) {
      this.#appliedIndex = Math.max(this.#appliedIndex, known.index);
      this.#wake();
    }
    const fresh = known ? entries.filter(({ index }) => index > known.index) : entries;
    if (fresh.length > 0) this.#handlers.onCommitted(fresh);
    this.#memberChanges.delivered(entries);
    this.#env.failpoint(failpoints.afterCommitDelivered);
  }

  /** Memory and disk; a reset that is under way replaces all of it anyway. */
  #compact(): void {
    if (this.#resetting > 0) return;
    const index = this.#compaction.cut(
      this.#storage,
      this.#durableIndex,
      () => this.#core.status(),
      this.#snapshots.sending,
    );
    const term = index === undefined ? undefined : this.#storage.term(index);
    const configuration = index === undefined ? undefined : this.#configurations.at(index);
    if (index === undefined || term === undefined || !configuration) return;
    this.#storage.compact(index);
    this.#configurations.forgetBefore(index);
    this.#log.compact({ index, term, configuration: encodeConfState(configuration) });
  }

  #post(message: Message): void {
    if (message.type === "MsgSnap") return this.#snapshots.send(message);
    const waiting = this.#outbox.get(message.to);
    if (waiting) waiting.push(message);
    else this.#outbox.set(message.to, [message]);
  }

  #send(): void {
    if (this.#outbox.size === 0) return;
    this.#env.failpoint(failpoints.beforeSend);
    if (!this.#isMuted) for (const [peer, messages] of this.#outbox) this.#network.send(peer, messages);
    this.#outbox.clear();
  }

  #tick(lateMs: number): void {
    const now = this.#now();
    this.#watchDisk(now);
    if (lateMs > this.#electionTimeoutMs / 2) {
      this.#env.log.warn("the consensus loop was paused", { lateMs: Math.round(lateMs) });
      this.#core.restartElectionTimer();
    }
    this.#adaptTimeout(lateMs, now);
    if (!this.#isMuted) this.#core.tick();
    this.#reads.retry(now - this.#electionTimeoutMs);
    for (const tag of [...this.#proposals.expired(now), ...this.#reads.expired(now)])
      this.#handlers.onRefused(tag, "NoLeader");
  }

  #adaptTimeout(lateMs: number, now: number): void {
    this.#timeout.late(lateMs, now);
    const ticks = this.#timeout.ticks(now);
    if (ticks === this.#electionTicks) return;
    this.#electionTicks = ticks;
    this.#core.setElectionTicks(ticks, this.#electionJitterTicks);
  }

  /** Muted, a leader falls silent and a follower does not campaign: the others go on without it. */
  #watchDisk(now: number): void {
    const health = diskHealth(this.#log.writingSinceMs, now, this.#electionTimeoutMs);
    const isStalled = health === "Stalled";
    if (isStalled !== this.#isMuted) this.#env.log.warn(isStalled ? "the disk hangs" : "the disk works again");
    this.#isMuted = isStalled;
    if (health === "Slow") this.#handOver(this.#core.status(), "the disk is slow");
    if (this.#log.isDiskFull) this.#handOver(this.#core.status(), "the disk is full");
  }

  #losePeer(peer: NodeId): void {
    this.#core.reportUnreachable(peer);
    if (this.#core.status().leader !== peer) return;
    this.#env.log.info("lost the connection to the leader", { leader: peer });
    this.#core.forgetLeader();
    this.#campaign.leaderLost(this.#id, peer, this.#core.status().configuration.voters);
  }

  #campaignEarly(): boolean {
    if (this.#isOver || this.#isMuted || this.#stopping || this.#core.status().leader !== 0) return false;
    this.#core.campaign();
    this.#wake();
    return true;
  }

  #propose(): void {
    if (this.#log.isDiskFull) for (const tag of this.#proposals.clear()) this.#handlers.onRefused(tag, "DiskFull");
    while (!this.#proposals.isEmpty) {
      const { tags, data } = this.#proposals.batch();
      const result = this.#core.propose(data);
      if (result.outcome === "Refused" && result.reason !== "Overloaded") return;
      this.#proposals.remove(tags.length);
      if (result.outcome === "Refused") for (const tag of tags) this.#handlers.onRefused(tag, "Overloaded");
    }
  }

  #report(): void {
    const status = this.#core.status();
    const { id, role, term, leader, commit, lastIndex, durableIndex, configuration, progress } = status;
    if (!status.isRecovering) this.#log.recovered();
    const leadership = `${term} ${leader}`;
    if (leadership !== this.#leadership) {
      this.#leadership = leadership;
      this.#leader = leader;
      if (leader !== 0) this.#campaign.cancel();
      // Whoever was asked does not lead any more.
      this.#reads.retry(Number.POSITIVE_INFINITY);
      if (leader !== 0 && (this.#reads.hasWaiting || !this.#proposals.isEmpty)) this.#wake();
      this.#env.log.info("leadership changed", { term, leader, role });
    }
    const consensusStatus: ConsensusStatus = {
      id,
      role,
      term,
      leader,
      commit,
      lastIndex,
      durableIndex,
      configuration,
      progress: progress.map((member) => ({ id: member.id, match: member.match, active: member.active })),
    };
    this.#status.update(consensusStatus);
    this.#continueStop(status);
  }

  #handOver(status: Status, why: string): boolean {
    const { role, transferee, progress, configuration } = status;
    if (role !== "Leader") return false;
    if (transferee !== 0) return true;
    const others = progress.filter(({ id, active }) => id !== this.#id && active && isVoter(configuration, id));
    const best = others.sort((left, right) => right.match - left.match)[0];
    if (!best || !this.#core.transferLeadership(best.id)) return false;
    this.#env.log.info("handing leadership over", { to: best.id, why });
    this.#wake();
    return true;
  }

  #continueStop(status: Status): void {
    const stopping = this.#stopping;
    if (!stopping) return;
    if (this.#now() < stopping.deadlineMs && this.#handOver(status, "this replica stops")) return;
    this.#end();
    this.#log.close(stopping.done);
  }

  #fail(error: Error): void {
    if (this.#isOver && !this.#stopping) return;
    this.#end();
    this.#handlers.onFatal(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#snapshots.stop();
    this.#ticks.stop();
    this.#campaign.cancel();
    this.#status.stop();
  }

  #now(): number {
    return this.#env.clock.monotonic();
  }
}

const nothing: readonly never[] = [];

/** All of a queue, which is empty afterwards. Most are at most turns: no array is made then. */
function taken<T>(queue: T[]): readonly T[] {
  return queue.length === 0 ? nothing : queue.splice(0);
}

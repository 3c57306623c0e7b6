import assert from "node:assert/strict";
import { applyChange, leaveJointChange, members, type ConfChange } from "../../../raft/core/configuration.js";
import { defaultRaftConfig } from "../../../raft/core/config.js";
import { Raft } from "../../../raft/core/raft.js";
import type { InitialState } from "../../../raft/core/state.js";
import type { ConfState, Entry, Index, Message, NodeId, Term } from "../../../raft/core/types.js";
import { bytes, encodeChange, voters } from "./group.js";
import { RandomNode, changeOf } from "./random-node.js";

/** mulberry32: enough chance for a test, the same everywhere. */
function randomFrom(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * bound);
  };
}

/** What happened in a run, to see that it was worth something. */
export interface Happenings {
  committed: number;
  leaders: number;
  reads: number;
  snapshots: number;
  changes: number;
  recovered: number;
  wiped: number;
}

/**
 * A group under loss, doubling, reordering and delay without bound, crashes with asynchronous disks, damaged logs, slow state
 * machines, snapshots, transfers, reads, and members that change, come back and come back empty. Every step is
 * followed by checks of the invariants of Figure 3; a violation throws.
 */
export class RandomNetwork {
  readonly #random: (bound: number) => number;
  readonly #nodes: RandomNode[] = [];
  #messages: Message[] = [];
  readonly #leaders = new Map<Term, NodeId>();
  /** What is committed: entry i at place i - 1, and the configuration as of it at place i. */
  readonly #ledger: Entry[] = [];
  readonly #configurations: ConfState[];
  #context = 0;
  #proposals = 0;
  readonly #happened = { reads: 0, snapshots: 0, recovered: 0, wiped: 0 };
  readonly #membership: boolean;
  readonly #snapshots: boolean;
  readonly #damages: boolean;
  /** Members with a higher id join later. */
  readonly #firstMembers: number;
  #cut: NodeId = 0;
  /** A node whose clock runs at a fifth of the others' pace: it leads on long after it was deposed. */
  readonly #slow: NodeId;
  readonly #checkQuorum: boolean;
  readonly #preVote: boolean;
  /** Only with clocks that agree. */
  readonly #leaseReads: boolean;
  readonly #stepDownOnRemoval: boolean;
  readonly #electionTicks: number;
  /** One delivery in so many leaves its message in the network to come again. */
  readonly #doubling: number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    const count = this.#oneIn(3) ? 5 : 3;
    this.#firstMembers = count;
    this.#membership = this.#oneIn(2);
    this.#snapshots = !this.#oneIn(3);
    this.#damages = this.#oneIn(3);
    this.#slow = this.#random(4);
    this.#checkQuorum = !this.#oneIn(3);
    this.#preVote = !this.#oneIn(4);
    this.#leaseReads = this.#checkQuorum && this.#oneIn(3);
    this.#stepDownOnRemoval = !this.#oneIn(3);
    this.#electionTicks = 3 + this.#random(8);
    this.#doubling = 4 + this.#random(20);
    this.#configurations = [voters(...Array.from({ length: count }, (_, place) => place + 1))];
    for (let id = 1; id <= count + (this.#membership ? 2 : 0); id++) {
      this.#nodes.push(
        new RandomNode(
          id,
          (node, initial) => this.#start(node, initial),
          (index) => this.#configurations[index]!,
        ),
      );
    }
  }

  get happened(): Happenings {
    const changes = this.#ledger.filter(({ type }) => type === "ConfChange").length;
    return { committed: this.#ledger.length, leaders: this.#leaders.size, changes, ...this.#happened };
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      this.#disturb();
      for (const node of this.#nodes) this.#check(node);
    }
  }

  /** No more faults: a leader must be found, all must agree, and what is proposed must be committed everywhere. */
  recover(): void {
    this.#cut = 0;
    for (let round = 0; round < 600; round++) {
      for (const node of this.#nodes) node.raft.tick();
      for (let calm = false; !calm;) calm = this.#deliverAll();
      for (const node of this.#nodes) this.#check(node);
      const leader = this.#nodes.find((node) => node.raft.status().role === "Leader");
      if (leader !== undefined && round % 40 === 0) this.#goOn(leader);
      if (round > 200 && leader !== undefined && this.#agree(leader)) return;
    }
    assert.fail(`no agreement: ${JSON.stringify(this.#nodes.map((node) => node.raft.status()))}`);
  }

  /** What a driver and its operator do: propose, leave a joint configuration, give up on snapshots that were lost. */
  #goOn(leader: RandomNode): void {
    leader.raft.propose([bytes("after")]);
    const { configuration, progress } = leader.raft.status();
    if (configuration.outgoing.length > 0 && !configuration.autoLeave) {
      leader.raft.proposeConfChange(leaveJointChange, encodeChange(leaveJointChange));
    }
    for (const { id, state } of progress) if (state === "Snapshot") leader.raft.reportSnapshot(id, false);
  }

  #agree(leader: RandomNode): boolean {
    const { commit, configuration, lastIndex, term } = leader.raft.status();
    if (commit !== lastIndex || configuration.outgoing.length > 0 || this.#ledger[commit - 1]?.term !== term)
      return false;
    const others = this.#nodes.filter(({ id }) => members(configuration).includes(id));
    return others.every((node) => node.raft.status().applied === commit && !node.raft.status().isRecovering);
  }

  #start(node: RandomNode, initial: InitialState): Raft {
    const config = {
      ...defaultRaftConfig,
      id: node.id,
      electionTicks: this.#electionTicks,
      electionJitterTicks: this.#electionTicks,
      checkQuorum: this.#checkQuorum,
      preVote: this.#preVote,
      leaseReads: this.#leaseReads,
      stepDownOnRemoval: this.#stepDownOnRemoval,
      appendEntriesMax: 1 + this.#random(8),
      inflightMessagesMax: 1 + this.#random(4),
    };
    return new Raft(config, initial, node.storage, this.#random);
  }

  #disturb(): void {
    const node = this.#nodes[this.#random(this.#nodes.length)]!;
    const chance = this.#random(1000);
    if (chance < 390) this.#deliverOne();
    else if (chance < 460) this.#tick(node);
    else if (chance < 630) this.#takeReady(node);
    else if (chance < 780) this.#send(node.complete(1 + this.#random(2)));
    else if (chance < 870) node.apply(1 + this.#random(4), this.#oneIn(2));
    else if (chance < 885) this.#propose(node);
    else if (chance < 900) this.#read(node);
    else if (chance < 930) this.#deliverOne();
    else this.#disturbRarely(node, chance - 930);
  }

  #disturbRarely(node: RandomNode, chance: number): void {
    if (chance < 3) node.crash(this.#random(node.writing.length + 1));
    else if (chance < 5) node.raft.transferLeadership(1 + this.#random(this.#nodes.length));
    else if (chance < 7) node.raft.forgetLeader();
    else if (chance < 9) node.raft.reportUnreachable(1 + this.#random(this.#nodes.length));
    else if (chance < 12) this.#cutOff(node);
    else if (chance < 30) this.#changeMembers();
    else if (chance < 32) this.#messages = this.#messages.filter(() => !this.#oneIn(4));
    else if (chance < 44) this.#snapshot(node);
    else if (chance < 48) node.raft.reportSnapshot(1 + this.#random(this.#nodes.length), this.#oneIn(2));
    else if (chance < 49) this.#damage(node);
    else if (chance < 59) this.#wipe(node);
    else this.#deliverOne();
  }

  #tick(node: RandomNode): void {
    if (this.#leaseReads) for (const each of this.#nodes) each.raft.tick();
    else if (node.id !== this.#slow || this.#oneIn(5)) node.raft.tick();
  }

  /** Often the leader, else whom chance named. */
  #cutOff(node: RandomNode): void {
    const leader = this.#nodes.find(({ raft }) => raft.status().role === "Leader");
    if (this.#cut !== 0) this.#cut = 0;
    else if (this.#oneIn(4)) this.#cut = (this.#oneIn(2) ? leader : node)?.id ?? node.id;
  }

  #oneIn(bound: number): boolean {
    return this.#random(bound) === 0;
  }

  #deliverOne(): void {
    if (this.#messages.length === 0) return;
    // Mostly among the newest, so that the group gets on; sometimes among all that were ever kept.
    const reach = this.#oneIn(20) ? this.#messages.length : Math.min(this.#messages.length, 12);
    const place = this.#messages.length - 1 - this.#random(reach);
    const message = this.#messages[place]!;
    if (!this.#oneIn(this.#doubling)) this.#messages.splice(place, 1);
    if (this.#messages.length > 400) this.#messages.splice(0, 100);
    if (this.#cut !== 0 && (message.from === this.#cut || message.to === this.#cut)) return;
    this.#nodes[message.to - 1]?.raft.step(message);
  }

  #takeReady(node: RandomNode): void {
    if (!node.raft.hasReady()) return;
    const ready = node.raft.ready();
    this.#messages.push(...ready.messages);
    node.writing.push(ready);
    node.applying.push(...ready.committedEntries);
    if (ready.snapshot !== undefined) this.#happened.snapshots++;
    for (const committed of ready.committedEntries) this.#noteCommitted(node, committed);
    for (const { context, index } of ready.readStates) {
      const known = node.reads.get(context);
      assert(known !== undefined, `read ${context} was answered twice or never asked`);
      assert(index >= known, `read at ${index}, but ${known} was committed before it was asked for`);
      node.reads.delete(context);
      this.#happened.reads++;
    }
  }

  #send(done: ReturnType<RandomNode["complete"]>): void {
    for (const ready of done) this.#messages.push(...ready.messagesAfterPersist);
  }

  #propose(node: RandomNode): void {
    node.raft.propose(Array.from({ length: 1 + this.#random(2) }, () => bytes(`p${++this.#proposals}`)));
  }

  #read(node: RandomNode): void {
    const context = ++this.#context;
    const known = Math.max(...this.#nodes.map(({ raft }) => raft.status().commit));
    if (node.raft.readIndex(context)) node.reads.set(context, known);
  }

  /** Sometimes one to send, sometimes a shorter log, mostly both. */
  #snapshot(node: RandomNode): void {
    if (!this.#snapshots) return;
    if (!this.#oneIn(3)) node.offerSnapshot();
    if (!this.#oneIn(3)) node.compact(Math.max(0, node.durableApplied - this.#random(4)));
  }

  /** One at a time, and only while the others are a majority that has everything: two damages of three can lose data. */
  #damage(node: RandomNode): void {
    const configurations = [
      ...this.#nodes.map(({ raft }) => raft.status().configuration),
      this.#configurations.at(-1)!,
    ];
    const isSmall = configurations.some((each) =>
      [each.voters, each.outgoing].some(({ length }) => length === 1 || length === 2),
    );
    if (!this.#damages || this.#membership || isSmall || this.#nodes.some(({ recoverTo }) => recoverTo > 0)) return;
    node.damage(1 + this.#random(4));
    this.#happened.recovered++;
  }

  /** A member that joined later and was removed comes back empty, under its id. */
  #wipe(node: RandomNode): void {
    const isMember = members(this.#configurations.at(-1)!).includes(node.id);
    if (node.id <= this.#firstMembers || isMember || node.durableApplied === 0) return;
    node.wipe();
    this.#happened.wiped++;
  }

  #changeMembers(): void {
    const leader = this.#nodes.find(({ raft }) => raft.status().role === "Leader");
    if (!this.#membership || leader === undefined) return;
    const { configuration } = leader.raft.status();
    const change = this.#drawChange(configuration);
    const result = applyChange(configuration, change);
    // Fewer than two voters left alone with unbounded loss make a dull run.
    if ("configuration" in result && result.configuration.voters.length < 2) return;
    leader.raft.proposeConfChange(change, encodeChange(change));
  }

  #drawChange({ outgoing, autoLeave }: ConfState): ConfChange {
    if (outgoing.length > 0 && !autoLeave) return leaveJointChange;
    const types = ["AddVoter", "AddVoter", "AddLearner", "Remove"] as const;
    const steps = Array.from({ length: 1 + this.#random(2) }, () => ({
      type: types[this.#random(types.length)]!,
      node: this.#drawMember(),
    }));
    const transitions = ["JointImplicit", "JointExplicit", "Auto", "Auto", "Auto"] as const;
    return { transition: transitions[this.#random(transitions.length)]!, steps };
  }

  /** Often one that joins later, so that it comes, goes and comes again. */
  #drawMember(): NodeId {
    const later = this.#nodes.length - this.#firstMembers;
    if (this.#oneIn(2)) return this.#firstMembers + 1 + this.#random(later);
    return 1 + this.#random(this.#nodes.length);
  }

  /** Everything that is ready, written, applied and delivered once, in order. True when nothing was. */
  #deliverAll(): boolean {
    let calm = true;
    for (const node of this.#nodes) {
      for (; node.raft.hasReady(); calm = false) this.#takeReady(node);
      for (; node.writing.length > 0; calm = false) this.#send(node.complete(node.writing.length));
      for (; node.applying.length > 0; calm = false) node.apply(node.applying.length, true);
      if (node.storage.takeSnapshotWanted()) node.offerSnapshot();
    }
    const messages = this.#messages.splice(0);
    for (const message of messages) this.#nodes[message.to - 1]?.raft.step(message);
    return calm && messages.length === 0;
  }

  /** State machine safety and log matching on what is committed: one entry per index, for all and ever. */
  #noteCommitted(node: RandomNode, committed: Entry): void {
    const known = this.#ledger[committed.index - 1];
    if (known === undefined) {
      assert.equal(committed.index, this.#ledger.length + 1, "a gap among the committed entries");
      this.#ledger.push(committed);
      this.#configurations.push(this.#changed(committed));
      return;
    }
    assert.equal(committed.term, known.term, `node ${node.id} committed another entry at ${committed.index}`);
    assert.deepEqual(committed.data, known.data);
  }

  #changed(committed: Entry): ConfState {
    const before = this.#configurations.at(-1)!;
    if (committed.type !== "ConfChange") return before;
    const result = applyChange(before, changeOf(committed));
    assert("configuration" in result, `entry ${committed.index} can't be applied`);
    return result.configuration;
  }

  #check(node: RandomNode): void {
    const { role, term, commit, applied, lastIndex, durableIndex } = node.raft.status();
    assert(term >= node.lastTerm, `the term of ${node.id} fell`);
    assert(commit >= node.lastCommit, `the commit index of ${node.id} fell`);
    assert(
      applied <= commit && commit <= lastIndex && applied <= durableIndex,
      `the indexes of ${node.id} are out of order`,
    );
    node.lastTerm = term;
    node.lastCommit = commit;
    if (role !== "Leader" || this.#leaders.get(term) === node.id) return;
    assert(!this.#leaders.has(term), `nodes ${this.#leaders.get(term)} and ${node.id} both lead term ${term}`);
    assert(node.recoverTo === 0 || !node.raft.status().isRecovering, `node ${node.id} leads and has lost entries`);
    this.#leaders.set(term, node.id);
    this.#checkCompleteness(node);
  }

  /** Leader completeness: a new leader's log holds all that was committed. It is in storage: to win took a durable vote. */
  #checkCompleteness(node: RandomNode): void {
    for (let index: Index = node.storage.firstIndex(); index <= this.#ledger.length; index++) {
      const { term } = this.#ledger[index - 1]!;
      assert.equal(node.storage.term(index), term, `new leader ${node.id} lacks entry ${index}`);
    }
  }
}

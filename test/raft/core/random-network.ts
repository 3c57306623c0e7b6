import assert from "node:assert/strict";
import { applyChange, leaveJointChange, type ConfChange } from "../../../raft/core/configuration.js";
import { defaultRaftConfig } from "../../../raft/core/config.js";
import { MemoryStorage } from "../../../raft/core/memory-storage.js";
import { Raft } from "../../../raft/core/raft.js";
import type { ConfState, Entry, HardState, Index, Message, NodeId, Ready, Term } from "../../../raft/core/types.js";
import { bytes, encodeChange, voters } from "./group.js";

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

/** One member with a disk that completes writes late and loses in a crash what it hasn't completed. */
class Node {
  readonly id: NodeId;
  readonly storage = new MemoryStorage();
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  /** What the state machine has durably: index, and the configuration as of it. */
  durableApplied: Index = 0;
  durableConfiguration: ConfState;
  raft: Raft;
  writing: Ready[] = [];
  applying: Entry[] = [];
  /** Reads by context: the highest commit index known anywhere when they were asked for. */
  reads = new Map<number, Index>();
  lastTerm: Term = 0;
  lastCommit: Index = 0;

  constructor(id: NodeId, configuration: ConfState, start: (node: Node) => Raft) {
    this.id = id;
    this.durableConfiguration = configuration;
    this.raft = start(this);
  }
}

/**
 * A group under loss, doubling, reordering and delay without bound, crashes with asynchronous disks, slow state machines,
 * transfers, reads and membership changes. Every step is followed by checks of the invariants of Figure 3; a violation
 * throws with the seed.
 */
export class RandomNetwork {
  readonly #random: (bound: number) => number;
  readonly #nodes: Node[] = [];
  #messages: Message[] = [];
  readonly #leaders = new Map<Term, NodeId>();
  /** What is committed: entry i at place i - 1. */
  readonly #ledger: Entry[] = [];
  #context = 0;
  #proposals = 0;
  #answeredReads = 0;
  readonly #membership: boolean;
  #cut: NodeId = 0;
  /** A node whose clock runs at a fifth of the others' pace: it leads on long after it was deposed. */
  readonly #slow: NodeId;
  readonly #checkQuorum: boolean;
  readonly #preVote: boolean;
  readonly #electionTicks: number;
  /** One delivery in so many leaves its message in the network to come again. */
  readonly #doubling: number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    const count = this.#oneIn(3) ? 5 : 3;
    this.#membership = this.#oneIn(2);
    this.#slow = this.#random(4);
    this.#checkQuorum = !this.#oneIn(3);
    this.#preVote = !this.#oneIn(4);
    this.#electionTicks = 3 + this.#random(8);
    this.#doubling = 4 + this.#random(20);
    const initial = voters(...Array.from({ length: count }, (_, place) => place + 1));
    for (let id = 1; id <= count + (this.#membership ? 2 : 0); id++) {
      this.#nodes.push(new Node(id, initial, (node) => this.#start(node)));
    }
  }

  /** What happened, to see that the run was worth something. */
  get summary(): { committed: number; leaders: number; reads: number } {
    return { committed: this.#ledger.length, leaders: this.#leaders.size, reads: this.#answeredReads };
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
      if (round % 40 === 0) leader?.raft.propose([bytes("after")]);
      if (round > 200 && leader !== undefined && this.#agree(leader)) return;
    }
    assert.fail(`no agreement: ${JSON.stringify(this.#nodes.map((node) => node.raft.status()))}`);
  }

  #agree(leader: Node): boolean {
    const { commit, configuration, lastIndex, term } = leader.raft.status();
    if (commit !== lastIndex || configuration.outgoing.length > 0 || this.#ledger[commit - 1]?.term !== term)
      return false;
    const others = this.#nodes.filter(
      ({ id }) => configuration.voters.includes(id) || configuration.learners.includes(id),
    );
    return others.every((node) => node.durableApplied === commit || node.raft.status().applied === commit);
  }

  #start(node: Node): Raft {
    const config = {
      ...defaultRaftConfig,
      id: node.id,
      electionTicks: this.#electionTicks,
      electionJitterTicks: this.#electionTicks,
      checkQuorum: this.#checkQuorum,
      preVote: this.#preVote,
      appendEntriesMax: 1 + this.#random(4),
      inflightMessagesMax: 1 + this.#random(4),
    };
    const { hardState, durableConfiguration: configuration, durableApplied: applied } = node;
    return new Raft(config, { hardState, configuration, applied }, node.storage, this.#random);
  }

  #disturb(): void {
    const node = this.#nodes[this.#random(this.#nodes.length)]!;
    const chance = this.#random(1000);
    if (chance < 390) this.#deliverOne();
    else if (chance < 470) this.#tick(node);
    else if (chance < 650) this.#takeReady(node);
    else if (chance < 800) this.#completeWrite(node);
    else if (chance < 890) this.#applySome(node);
    else if (chance < 940) this.#propose(node);
    else if (chance < 960) this.#read(node);
    else if (chance < 968) this.#crash(node);
    else if (chance < 972) node.raft.transferLeadership(1 + this.#random(this.#nodes.length));
    else if (chance < 976) node.raft.forgetLeader();
    else if (chance < 980) node.raft.reportUnreachable(1 + this.#random(this.#nodes.length));
    else if (chance < 982) this.#cutOff(node);
    else if (chance < 990) this.#changeMembers(node);
    else if (chance < 992) this.#messages = this.#messages.filter(() => !this.#oneIn(4));
    else this.#deliverOne();
  }

  #tick(node: Node): void {
    if (node.id !== this.#slow || this.#oneIn(5)) node.raft.tick();
  }

  /** Often the leader, else whom chance named. */
  #cutOff(node: Node): void {
    const leader = this.#nodes.find(({ raft }) => raft.status().role === "Leader");
    this.#cut = this.#cut !== 0 ? 0 : ((this.#oneIn(2) ? leader : node)?.id ?? node.id);
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

  #takeReady(node: Node): void {
    if (!node.raft.hasReady()) return;
    const ready = node.raft.ready();
    this.#messages.push(...ready.messages);
    node.writing.push(ready);
    node.applying.push(...ready.committedEntries);
    for (const committed of ready.committedEntries) this.#noteCommitted(node, committed);
    for (const { context, index } of ready.readStates) {
      const known = node.reads.get(context);
      assert(known !== undefined, `read ${context} was answered twice or never asked`);
      assert(index >= known, `read at ${index}, but ${known} was committed before it was asked for`);
      node.reads.delete(context);
      this.#answeredReads++;
    }
  }

  /** The disk completes the oldest write, sometimes several with one report. */
  #completeWrite(node: Node): void {
    const count = Math.min(node.writing.length, 1 + this.#random(2));
    const done = node.writing.splice(0, count);
    for (const ready of done) this.#write(node, ready);
    const last = done.at(-1);
    if (last === undefined) return;
    node.raft.persisted(last.number);
    for (const ready of done) this.#messages.push(...ready.messagesAfterPersist);
  }

  #write(node: Node, ready: Ready): void {
    node.storage.append(ready.entries);
    if (ready.hardState === undefined) return;
    assert(ready.hardState.term >= node.hardState.term, "a lower term was written");
    if (ready.hardState.term === node.hardState.term && node.hardState.vote !== 0) {
      assert.equal(ready.hardState.vote, node.hardState.vote, "the vote changed within a term");
    }
    node.hardState = ready.hardState;
  }

  #applySome(node: Node): void {
    const entries = node.applying.splice(0, 1 + this.#random(4));
    for (const committed of entries) {
      if (committed.type === "ConfChange") this.#applyChange(node, committed);
    }
    const last = entries.at(-1);
    if (last === undefined) return;
    node.raft.applied(last.index);
    if (this.#oneIn(2)) {
      node.durableApplied = last.index;
      node.durableConfiguration = node.raft.status().configuration;
    }
  }

  #applyChange(node: Node, committed: Entry): void {
    const change: ConfChange =
      committed.data.length === 0
        ? leaveJointChange
        : (JSON.parse(new TextDecoder().decode(committed.data)) as ConfChange);
    node.raft.applyConfChange(change);
  }

  #propose(node: Node): void {
    node.raft.propose(Array.from({ length: 1 + this.#random(3) }, () => bytes(`p${++this.#proposals}`)));
  }

  #read(node: Node): void {
    const context = ++this.#context;
    const known = Math.max(...this.#nodes.map(({ raft }) => raft.status().commit));
    if (node.raft.readIndex(context)) node.reads.set(context, known);
  }

  /** The process ends; of the writes under way some may have reached the disk. */
  #crash(node: Node): void {
    for (const ready of node.writing.splice(0, this.#random(node.writing.length + 1))) this.#write(node, ready);
    node.writing = [];
    node.applying = [];
    node.reads.clear();
    node.lastCommit = 0;
    node.lastTerm = node.hardState.term;
    node.raft = this.#start(node);
  }

  #changeMembers(node: Node): void {
    if (!this.#membership || node.raft.status().role !== "Leader") return;
    const types = ["AddVoter", "AddVoter", "AddLearner", "Remove"] as const;
    const steps = Array.from({ length: 1 + this.#random(2) }, () => ({
      type: types[this.#random(types.length)]!,
      node: 1 + this.#random(this.#nodes.length),
    }));
    const change: ConfChange = { transition: this.#oneIn(3) ? "JointImplicit" : "Auto", steps };
    const result = applyChange(node.raft.status().configuration, change);
    // Fewer than two voters left alone with unbounded loss make a dull run.
    if ("configuration" in result && result.configuration.voters.length < 2) return;
    node.raft.proposeConfChange(change, encodeChange(change));
  }

  /** Everything that is ready, written, applied and delivered once, in order. True when nothing was. */
  #deliverAll(): boolean {
    let calm = true;
    for (const node of this.#nodes) {
      for (; node.raft.hasReady(); calm = false) this.#takeReady(node);
      for (; node.writing.length > 0; calm = false) this.#completeWrite(node);
      for (; node.applying.length > 0; calm = false) this.#applySome(node);
    }
    const messages = this.#messages.splice(0);
    for (const message of messages) this.#nodes[message.to - 1]?.raft.step(message);
    return calm && messages.length === 0;
  }

  /** State machine safety and log matching on what is committed: one entry per index, for all and ever. */
  #noteCommitted(node: Node, committed: Entry): void {
    const known = this.#ledger[committed.index - 1];
    if (known === undefined) {
      assert.equal(committed.index, this.#ledger.length + 1, "a gap among the committed entries");
      this.#ledger.push(committed);
      return;
    }
    assert.equal(committed.term, known.term, `node ${node.id} committed another entry at ${committed.index}`);
    assert.deepEqual(committed.data, known.data);
    assert(node.storage.term(committed.index) !== undefined || node.writing.length > 0);
  }

  #check(node: Node): void {
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
    this.#leaders.set(term, node.id);
    this.#checkCompleteness(node);
  }

  /** Leader completeness: a new leader's log holds all that was committed. It is in storage: to win took a durable vote. */
  #checkCompleteness(node: Node): void {
    for (const committed of this.#ledger) {
      assert.equal(
        node.storage.term(committed.index),
        committed.term,
        `new leader ${node.id} lacks entry ${committed.index}`,
      );
    }
  }
}

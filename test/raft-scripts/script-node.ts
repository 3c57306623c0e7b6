import { defaultRaftConfig, type RaftConfig } from "../../raft/core/config.js";
import { isJoint, isVoter, members } from "../../raft/core/configuration.js";
import { MemoryStorage } from "../../raft/core/memory-storage.js";
import { draft } from "../../raft/core/message.js";
import { Raft, type Status } from "../../raft/core/raft.js";
import type { ConfState, Entry, HardState, Message, NodeId, SnapshotMeta } from "../../raft/core/types.js";
import { ApplyPacing } from "./apply-pacing.js";
import { decodeChange, encodeChange, type ScriptChange } from "./change-codec.js";
import { readyText } from "./describe.js";
import { isResponse, type LocalMessage, type ScriptMessage } from "./messages.js";
import { ReadyGatherer, type PendingReady } from "./pending-ready.js";

export interface NodeOptions {
  /** Of the core, where a script asks for other than the default of the scripts. */
  readonly config: Partial<RaftConfig>;
  /** Writes and applies are done by threads of their own, when the script says so. */
  readonly asyncStorage: boolean;
  /** Of encoded entries that one Ready hands to the state machine. */
  readonly committedBytesMax: number;
}

const dropped = "raft proposal dropped";
export const electionTicks = 3;
export const heartbeatTicks = 1;

const noData = new Uint8Array(0);
const nobody: ConfState = { voters: [], outgoing: [], learners: [], learnersNext: [], autoLeave: false };

/** One member: the core, its log, and a driver whose every move the script decides. */
export class ScriptNode {
  readonly id: NodeId;
  readonly storage: MemoryStorage;
  readonly isAsync: boolean;
  readonly inflightMax: number;
  /** What the storage threads have to do. */
  readonly appendWork: LocalMessage[] = [];
  readonly applyWork: LocalMessage[] = [];
  readonly #raft: Raft;
  readonly #gatherer: ReadyGatherer;
  readonly #send: (message: ScriptMessage) => void;
  readonly #takesAnyChange: boolean;
  /** What a snapshot taken now would stand for. */
  #newest: SnapshotMeta | undefined;
  /** Which Ready an answer to itself belongs to. */
  readonly #numbers = new WeakMap<Message, number>();
  #persisted = 0;
  readonly #pacing: ApplyPacing;
  /** What the next waits for a leader are longer by; below the core's bound when it is drawn by chance. */
  #jitter = electionTicks - 1;

  /** A node without a snapshot knows nothing, not even a member. */
  constructor(
    id: NodeId,
    options: NodeOptions,
    snapshot: SnapshotMeta | undefined,
    send: (message: ScriptMessage) => void,
  ) {
    this.id = id;
    this.isAsync = options.asyncStorage;
    this.#send = send;
    const config: RaftConfig = { ...defaultRaftConfig, ...scriptConfig, ...options.config, id };
    this.inflightMax = config.inflightMessagesMax;
    this.#takesAnyChange = config.confChangeGuard === "None";
    const before = snapshot ?? { index: 0, term: 0 };
    this.storage = new MemoryStorage(before);
    this.#remember(snapshot);
    const hardState: HardState = { term: 0, vote: 0, commit: before.index };
    const initial = { hardState, configuration: snapshot?.configuration ?? nobody, applied: before.index };
    // Not by chance: a script that waits for an election says how long. The large bound is that of a process's incarnation.
    this.#raft = new Raft(config, initial, this.storage, (bound) => (bound > 1000 ? id : this.#jitter));
    // No earlier process of this node can have promised a leader not to vote, which the core would wait for.
    if (config.leaseReads) for (let tick = 0; tick < electionTicks; tick++) this.#raft.tick();
    this.#raft.restartElectionTimer();
    this.#pacing = new ApplyPacing(options.committedBytesMax);
    this.#gatherer = new ReadyGatherer(this.#raft, hardState, before, this.#pacing, !this.isAsync);
  }

  get status(): Status {
    return this.#raft.status();
  }

  get isVoter(): boolean {
    return isVoter(this.status.configuration, this.id);
  }

  /** What this node would send to a member that needs a snapshot. */
  get newestSnapshot(): SnapshotMeta | undefined {
    return this.#newest;
  }

  hasReady(): boolean {
    return this.#gatherer.hasReady();
  }

  campaign(): void {
    this.#raft.campaign();
    this.#gatherer.gather();
  }

  tick(count: number): void {
    for (let tick = 0; tick < count; tick++) {
      this.#raft.tick();
      this.#gatherer.gather();
    }
  }

  transferLeadership(to: NodeId): void {
    this.#raft.transferLeadership(to);
    this.#gatherer.gather();
  }

  forgetLeader(): void {
    this.#raft.forgetLeader();
    this.#gatherer.gather();
  }

  reportUnreachable(id: NodeId): void {
    this.#raft.reportUnreachable(id);
    this.#gatherer.gather();
  }

  /** The wait for a leader that has begun takes so long; the next ones are again as before. */
  setElectionTimeout(ticks: number): void {
    const before = this.#jitter;
    this.#jitter = ticks - electionTicks;
    this.#raft.setElectionTicks(electionTicks, electionTicks);
    this.#jitter = before;
  }

  /** The text of what went wrong, as etcd/raft words it. */
  propose(data: readonly Uint8Array[]): string | undefined {
    const result = this.#raft.propose(data);
    this.#gatherer.gather();
    return result.outcome === "Refused" ? dropped : undefined;
  }

  /**
   * etcd/raft forwards a change like any proposal, and turns one that can't be made now into an entry without effect, where the
   * core refuses both: the node does the same with what was refused.
   */
  proposeChange(change: ScriptChange): string | undefined {
    const { role, leader, term, configuration } = this.status;
    const data = encodeChange(change);
    if (role !== "Leader") {
      if (leader === 0) return dropped;
      const entries: Entry[] = [{ term: 0, index: 0, type: "ConfChange", data }];
      this.#gatherer.addMessage(Object.assign(draft("MsgProp", this.id, leader, term), { entries }));
      return undefined;
    }
    // A change without steps only ever leaves a joint configuration there, whatever its transition.
    if (change.steps.length === 0 && !isJoint(configuration) && !this.#takesAnyChange) return this.propose([noData]);
    const result = this.#raft.proposeConfChange(change, data);
    this.#gatherer.gather();
    if (result.outcome !== "Refused") return undefined;
    if (result.reason !== "ConfChangePending" && result.reason !== "InvalidConfChange") return dropped;
    return this.propose([noData]);
  }

  /** Takes a message from the network, from itself, or from its threads. */
  step(message: ScriptMessage): string | undefined {
    if ("local" in message) this.#stepLocal(message);
    else if (message.from === this.id) this.#stepOwn(message);
    else if (message.type === "MsgProp") return this.#stepProposal(message);
    else {
      if (isResponse(message) && !members(this.status.configuration).includes(message.from)) {
        return "raft: cannot step as peer not found";
      }
      this.#raft.step(message);
    }
    this.#gatherer.gather();
    return undefined;
  }

  #stepProposal(message: Message): string | undefined {
    const change = message.entries.find(({ type }) => type === "ConfChange");
    if (change !== undefined) return this.proposeChange(decodeChange(change));
    const { role, leader } = this.status;
    if (role === "Follower" && leader !== 0) {
      // Passed on once more, in the name of who asked first.
      this.#gatherer.addMessage({ ...message, to: leader });
      return undefined;
    }
    return this.propose(message.entries.map(({ data }) => data));
  }

  /** A vote or entries of an earlier term are reported with what was written later: the term may have changed what they stand for. */
  #stepOwn(message: Message): void {
    const { role, term } = this.status;
    if (message.type === "MsgPreVoteResp" ? role === "PreCandidate" : message.term === term) {
      this.#tellPersisted(this.#numbers.get(message) ?? 0);
    }
  }

  #stepLocal(message: LocalMessage): void {
    if (message.local === "MsgStorageApplyResp") {
      this.#tellApplied(undefined, message.entries);
      return;
    }
    if (message.term !== this.status.term && message.snapshot === undefined) return;
    this.#tellPersisted(message.number);
    if (message.snapshot !== undefined) this.#raft.applied(message.snapshot.index);
  }

  #tellPersisted(number: number): void {
    if (number <= this.#persisted) return;
    this.#persisted = number;
    this.#raft.persisted(number);
    this.#gatherer.gather();
  }

  /** Handles what the core wants done by now and returns what it was. */
  processReady(): string {
    const ready = this.#gatherer.take();
    return this.isAsync ? this.#handOver(ready) : this.#handleAtOnce(ready);
  }

  /** Writes, applies and sends in one go. */
  #handleAtOnce(ready: PendingReady): string {
    const { committedEntries, afterPersist } = ready;
    const messages = [...ready.messages, ...afterPersist.filter(({ to }) => to !== this.id)];
    const text = readyText(ready, messages);
    this.#write(ready.snapshot, ready.entries);
    if (ready.early > 0) {
      this.#tellPersisted(ready.number);
      this.#gatherer.forgetCommitted(ready.early);
    }
    this.#apply(committedEntries);
    for (const message of messages) this.#send(message);
    for (const number of ready.numbers.values()) this.#tellPersisted(number);
    this.#tellPersisted(ready.number);
    this.#tellApplied(ready.snapshot, committedEntries);
    return text;
  }

  #tellApplied(snapshot: SnapshotMeta | undefined, committed: readonly Entry[]): void {
    const last = committed.at(-1)?.index ?? snapshot?.index;
    if (last === undefined) return;
    if (committed.length > 0) this.#pacing.applied();
    this.#raft.applied(last);
    this.#gatherer.gather();
  }

  /** Makes messages to the storage threads of it. */
  #handOver(ready: PendingReady): string {
    const local = [...this.#appendMessage(ready), ...this.#applyMessage(ready)];
    for (const message of ready.messages) this.#send(message);
    for (const message of local)
      (message.local === "MsgStorageAppend" ? this.appendWork : this.applyWork).push(message);
    return readyText(ready, [...ready.messages, ...local]);
  }

  #appendMessage(ready: PendingReady): LocalMessage[] {
    const { number, hardState, snapshot, entries, afterPersist } = ready;
    const isNeeded = hardState !== undefined || snapshot !== undefined || entries.length > 0 || afterPersist.length > 0;
    if (!isNeeded) return [];
    for (const [answer, itsNumber] of ready.numbers) this.#numbers.set(answer, itsNumber);
    const { term, durableIndex, lastIndex } = this.status;
    const hasUnstable = lastIndex > Math.max(durableIndex, snapshot?.index ?? 0);
    const responses: ScriptMessage[] = [...afterPersist];
    if (hasUnstable || snapshot !== undefined) {
      const { index, term: logTerm } = hasUnstable ? this.#gatherer.last : { index: 0, term: 0 };
      responses.push({ ...this.#local("MsgStorageAppendResp", number), term, logTerm, index, snapshot });
    }
    const message = this.#local("MsgStorageAppend", number);
    return [{ ...message, term: hardState?.term ?? 0, hardState, entries, snapshot, responses }];
  }

  #applyMessage({ committedEntries: entries }: PendingReady): LocalMessage[] {
    if (entries.length === 0) return [];
    const responses = [{ ...this.#local("MsgStorageApplyResp", 0), entries }];
    return [{ ...this.#local("MsgStorageApply", 0), entries, responses }];
  }

  #local(local: LocalMessage["local"], number: number): LocalMessage {
    const nothing = { term: 0, logTerm: 0, index: 0, hardState: undefined, entries: [], snapshot: undefined };
    return { local, node: this.id, number, responses: [], ...nothing };
  }

  /** Does the next piece of a thread's work; the caller has printed it. */
  processAppend(message: LocalMessage): void {
    this.#write(message.snapshot, message.entries);
    const tells = message.responses.some((response) => "local" in response || response.to === this.id);
    for (const response of message.responses) this.#send(response);
    // Nobody will ask for it: neither entries nor a vote of its own were in it.
    if (!tells) this.#tellPersisted(message.number);
  }

  processApply(message: LocalMessage): void {
    this.#apply(message.entries);
    for (const response of message.responses) this.#send(response);
  }

  #write(snapshot: SnapshotMeta | undefined, entries: readonly Entry[]): void {
    if (snapshot !== undefined) {
      this.storage.reset(snapshot);
      this.#remember(snapshot);
    }
    this.storage.append(entries);
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.type === "ConfChange") this.#raft.applyConfChange(decodeChange(entry));
      this.#gatherer.gather();
      this.#remember({ index: entry.index, term: entry.term, configuration: this.status.configuration });
    }
  }

  #remember(snapshot: SnapshotMeta | undefined): void {
    this.#newest = snapshot ?? this.#newest;
    this.storage.offerSnapshot(this.#newest);
  }
}

/** As etcd/raft's scripts have it: small times, no bounds. */
const scriptConfig: Partial<RaftConfig> = {
  electionTicks,
  electionJitterTicks: electionTicks,
  heartbeatTicks,
  appendBytesMax: Infinity,
  appendEntriesMax: Infinity,
  inflightMessagesMax: 2 ** 31 - 1,
  inflightBytesMax: Infinity,
  uncommittedBytesMax: Infinity,
  committedBytesMax: Infinity,
  preVote: false,
  checkQuorum: false,
  stepDownOnRemoval: false,
  confChangeGuard: "EarlierChanges",
  refusalsTellCommit: false,
};

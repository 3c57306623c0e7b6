import { checkConfig, checkElectionTicks, type RaftConfig } from "./config.js";
import { checked, isVoter } from "./configuration.js";
import { impliedCommit } from "./implied-commit.js";
import { invariant } from "./invariant.js";
import { RaftLog } from "./log.js";
import { Lease } from "./lease.js";
import type { Draft } from "./message.js";
import type { Progress } from "./progress.js";
import { ForwardedReads, ReadIndexQueue } from "./read-index.js";
import type { ConfState, HardState, Index, Message, NodeId, RaftStorage, ReadState, Role, Term } from "./types.js";

/** What a node knows when it starts, read from its disk. */
export interface InitialState {
  readonly hardState: HardState;
  /** The configuration as of entry `applied`. */
  readonly configuration: ConfState;
  /** What the state machine has applied, durably. Committed entries are handed out from the next one on. */
  readonly applied: Index;
  /**
   * Above 0: the end of the log was lost, and everything that was acknowledged lies at or below this index. This node neither
   * votes nor campaigns until its log is durable and committed up to there again, or up to an entry of a later term than
   * `hardState` knows, whose leader had all that was committed before. A state machine that is ahead of what is left of the log
   * starts with `applied` at the log's end, `configuration` as of there, and is given those entries again. @default 0
   */
  readonly recoverTo?: Index;
}

/** Uniform in [0, bound). The only chance in the core. */
export type RandomBelow = (bound: number) => number;

/**
 * Everything that a node is at one instant (Figure 2, "State", and what the thesis adds). The rules are functions on
 * it: election.ts, follower.ts, replication.ts, reads.ts, transfer.ts, membership.ts; `Raft` in raft.ts joins them.
 */
export class RaftState {
  readonly config: RaftConfig;
  readonly id: NodeId;
  readonly random: RandomBelow;
  readonly log: RaftLog;

  /** Persistent: handed out in a Ready before anything that depends on it may leave. */
  term: Term;
  vote: NodeId;
  /** Term and vote of the last Ready that was reported as persisted. */
  durableTerm: Term;
  durableVote: NodeId;

  role: Role = "Follower";
  /** Who leads `term`, as far as known; 0 when unknown. */
  leader: NodeId = 0;
  configuration: ConfState;
  /** `configuration` came by a snapshot of this index. */
  configurationIndex: Index = 0;
  /** 0 in a healthy node. */
  #recoverTo: Index;
  /** No acknowledgement that was lost is of a later term. */
  readonly #recoverTerm: Term;
  /** Indexes of configuration changes that were handed out as committed and wait for `applyConfChange`. */
  readonly handedOutConfChanges: Index[] = [];

  /** Ticks since the start. */
  ticks = 0;
  /** When a leader was last heard, of whatever term; the start counts as such. */
  leaderHeardAt = 0;
  electionTicks: number;
  electionJitterTicks: number;
  /** This wait's length: base and jitter. */
  electionTimeout = 0;
  electionElapsed = 0;
  heartbeatElapsed = 0;

  /** Pre-candidates: the Ready behind which their own consent counts; 0 until it is taken. */
  preVoteReady = 0;
  /** Candidates: who answered what. A voter's first answer stands. */
  readonly votes = new Map<NodeId, boolean>();

  /** Leaders: every member's progress, this node's own among them. Empty in other roles. */
  readonly progress = new Map<NodeId, Progress>();
  /** Leaders: something for the members may be ready to leave. */
  replicationDue = false;
  /** Leaders: the transferee may have every entry now. */
  offerDue = false;
  /** Leaders: no configuration change is accepted before everything up to here is applied. */
  pendingConfIndex: Index = 0;
  /** Leaders: payload bytes appended here and not applied yet. */
  uncommittedBytes = 0;
  /** Leaders: who is to take over; proposals are refused meanwhile. */
  transferee: NodeId = 0;
  readonly reads = new ReadIndexQueue();
  readonly lease = new Lease();

  /** Followers: the newest session of this node that the term's leader has used. */
  leaderSession = 0;
  /** Followers: up to here an append of the term's leader has shown the logs to be equal; 0 before the first one. */
  agreedIndex: Index = 0;
  /** Followers: reads sent to the leader. */
  readonly forwardedReads: ForwardedReads;

  messages: Message[] = [];
  messagesAfterPersist: Message[] = [];
  readStates: ReadState[] = [];

  constructor(config: RaftConfig, initial: InitialState, storage: RaftStorage, random: RandomBelow) {
    checkConfig(config);
    const { hardState, configuration, applied, recoverTo = 0 } = initial;
    this.config = config;
    this.id = config.id;
    this.random = random;
    this.term = hardState.term;
    this.vote = hardState.vote;
    this.durableTerm = hardState.term;
    this.durableVote = hardState.vote;
    this.configuration = checked(configuration);
    this.#recoverTo = recoverTo;
    this.#recoverTerm = hardState.term;
    const committed = Math.max(hardState.commit, applied);
    const isImplied = config.confChangeGuard !== "None" && recoverTo === 0;
    const commit = isImplied ? impliedCommit(storage, committed) : hardState.commit;
    this.log = new RaftLog(storage, commit, applied, recoverTo > 0);
    // A node that has only been given a snapshot has not taken part in any term yet.
    const isNew = hardState.term === 0 && hardState.vote === 0 && this.log.lastIndex < this.log.firstIndex;
    invariant(
      isNew || this.log.lastTerm <= this.term,
      () => `the log ends in term ${this.log.lastTerm}, the node knows only ${this.term}: its hard state was lost`,
    );
    this.electionTicks = config.electionTicks;
    this.electionJitterTicks = config.electionJitterTicks;
    this.forwardedReads = new ForwardedReads(1 + random(incarnations));
    this.drawElectionTimeout();
  }

  get isVoter(): boolean {
    return isVoter(this.configuration, this.id);
  }

  /** Part of what this node has acknowledged is not in its log, as far as it can tell. */
  get isRecovering(): boolean {
    if (this.#recoverTo === 0) return false;
    const safe = Math.min(this.log.durableIndex, this.log.committed);
    if (safe >= this.#recoverTo || (this.log.term(safe) ?? 0) > this.#recoverTerm) this.#recoverTo = 0;
    return this.#recoverTo > 0;
  }

  get recoverTo(): Index {
    return this.#recoverTo;
  }

  /** The leader has committed an entry of its own term: its commit index is not behind any earlier leader's. */
  get hasCommittedInTerm(): boolean {
    return this.log.term(this.log.committed) === this.term;
  }

  /** The base timeout in which a follower keeps to the leader it hears. */
  get hearsLeader(): boolean {
    return this.leader !== 0 && this.electionElapsed < this.electionTicks;
  }

  setElectionTicks(electionTicks: number, jitterTicks: number): void {
    checkElectionTicks(electionTicks, jitterTicks, this.config.heartbeatTicks);
    this.electionTicks = electionTicks;
    this.electionJitterTicks = jitterTicks;
    this.drawElectionTimeout();
  }

  drawElectionTimeout(): void {
    const jitter = this.electionJitterTicks === 0 ? 0 : this.random(this.electionJitterTicks);
    this.electionTimeout = this.electionTicks + jitter;
  }

  /** Sends a message that promises nothing about this node's disk. */
  send(message: Draft): void {
    this.messages.push(message);
  }

  /** Sends a message that is true only once everything the core has asked to be written by now is durable. */
  sendAfterPersist(message: Draft): void {
    this.messagesAfterPersist.push(message);
  }

  /** Figure 2, all servers: a higher term, or the term's leader, makes a follower. */
  becomeFollower(term: Term, leader: NodeId): void {
    this.enterTerm(term);
    this.role = "Follower";
    this.leader = leader;
  }

  /** Forgets what belongs to the role and, when the term rises, the vote. */
  enterTerm(term: Term): void {
    invariant(term >= this.term, () => `the term would fall from ${this.term} to ${term}`);
    if (term > this.term) {
      this.term = term;
      this.vote = 0;
      this.leaderSession = 0;
      this.agreedIndex = 0;
      this.forwardedReads.clear();
    }
    this.leader = 0;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.drawElectionTimeout();
    this.votes.clear();
    this.progress.clear();
    this.replicationDue = false;
    this.offerDue = false;
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
    this.transferee = 0;
    this.reads.clear();
    this.lease.clear();
  }
}

/** Two processes of one node in a row draw the same number once in so many restarts. */
const incarnations = 2 ** 31;

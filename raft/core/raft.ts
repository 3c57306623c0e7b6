import type { RaftConfig } from "./config.js";
import type { ConfChange } from "./configuration.js";
import { campaign, handleTimeoutNow, handleVoteRequest, handleVoteResponse, noteVoteDurable } from "./election.js";
import { handleAppend, handleHeartbeat, handleSnapshot } from "./follower.js";
import { passesTermGate } from "./gate.js";
import { invariant } from "./invariant.js";
import { tickLeader } from "./leadership.js";
import { applyConfChange, leaveJointWhenDue, proposeConfChange } from "./membership.js";
import type { ProgressState } from "./progress.js";
import { handleProposal, propose, type ProposeResult } from "./proposal.js";
import { handleReadRequest, handleReadResponse, requestRead } from "./reads.js";
import { ReadyQueue } from "./ready.js";
import { handleAppendResponse, handleHeartbeatResponse, noteOwnDurable } from "./replication.js";
import { RaftState, type InitialState, type RandomBelow } from "./state.js";
import { handleTransferRequest, transferLeadership } from "./transfer.js";
import type { ConfState, Index, Message, NodeId, RaftStorage, Ready, Role, Term } from "./types.js";

/** A node at one instant, for people, metrics and tests. */
export interface Status {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId;
  readonly leader: NodeId;
  readonly commit: Index;
  readonly applied: Index;
  readonly lastIndex: Index;
  /** Highest index of the own log that was reported as persisted. */
  readonly durableIndex: Index;
  readonly configuration: ConfState;
  /** The log lacks what was acknowledged: no votes until it is back. */
  readonly isRecovering: boolean;
  /** Who is to take over, 0 when nobody. */
  readonly transferee: NodeId;
  /** Leader only: every member, this node included. */
  readonly progress: readonly ProgressStatus[];
}

export interface ProgressStatus {
  readonly id: NodeId;
  readonly state: ProgressState;
  readonly match: Index;
  readonly next: Index;
  readonly session: number;
  /** Heard from since the last check of the quorum. */
  readonly active: boolean;
  readonly paused: boolean;
  /** The index of the snapshot that is on its way, 0 without. */
  readonly pendingSnapshot: Index;
  readonly inflightMessages: number;
}

/**
 * One member of a Raft group: a state machine of its inputs, without clock, chance, I/O or promises. The driver feeds
 * `tick` and `step`, takes what is to be done with `ready`, and reports back with `persisted` and `applied`:
 *
 *     while (raft.hasReady()) {
 *       const ready = raft.ready();
 *       // send ready.messages; write ready.snapshot, ready.hardState and ready.entries, all at once; hand ready.committedEntries to the
 *       // state machine, calling applyConfChange for each ConfChange entry, then applied(index)
 *       // when the write is durable: storage.reset(ready.snapshot) if there is one; storage.append(ready.entries);
 *       //   raft.persisted(ready.number); the state machine installs the snapshot, then applied(snapshot.index);
 *       //   then send ready.messagesAfterPersist
 *     }
 *
 * The contract of storage is at the top of log.ts. Broken invariants throw `RaftInvariantError`; the process must end.
 */
export class Raft {
  readonly #state: RaftState;
  readonly #readies: ReadyQueue;

  constructor(config: RaftConfig, initial: InitialState, storage: RaftStorage, random: RandomBelow) {
    this.#state = new RaftState(config, initial, storage, random);
    this.#readies = new ReadyQueue(this.#state, initial.hardState);
  }

  /** One step of the logical clock. With `leaseReads`, to be called for every interval that has passed. */
  tick(): void {
    const state = this.#state;
    state.ticks++;
    state.electionElapsed++;
    if (state.role === "Leader") tickLeader(state);
    else if (state.electionElapsed >= state.electionTimeout) campaign(state);
  }

  /** Takes a message from another member, of any age, any number of times. */
  step(message: Message): void {
    const state = this.#state;
    if (message.to !== state.id || message.from === state.id || message.from === 0) return;
    if (passesTermGate(state, message)) this.#dispatch(message);
  }

  #dispatch(message: Message): void {
    const state = this.#state;
    switch (message.type) {
      case "MsgApp":
        if (state.role !== "Leader") handleAppend(state, message);
        return;
      case "MsgHeartbeat":
        if (state.role !== "Leader") handleHeartbeat(state, message);
        return;
      case "MsgAppResp":
        handleAppendResponse(state, message);
        return;
      case "MsgHeartbeatResp":
        handleHeartbeatResponse(state, message);
        return;
      case "MsgVote":
      case "MsgPreVote":
        handleVoteRequest(state, message);
        return;
      case "MsgVoteResp":
      case "MsgPreVoteResp":
        handleVoteResponse(state, message);
        return;
      case "MsgProp":
        handleProposal(state, message);
        return;
      case "MsgReadIndex":
        handleReadRequest(state, message);
        return;
      case "MsgReadIndexResp":
        handleReadResponse(state, message);
        return;
      case "MsgTimeoutNow":
        if (state.role === "Follower") handleTimeoutNow(state);
        return;
      case "MsgTransferLeader":
        handleTransferRequest(state, message);
        return;
      case "MsgSnap":
        if (state.role !== "Leader") handleSnapshot(state, message);
        return;
    }
  }

  /** Starts an election now, with a pre-vote if configured. Without effect on a leader, a non-voter, or before a committed configuration change is applied. */
  campaign(): void {
    campaign(this.#state);
  }

  /** Proposes entries, all or none. On others than the leader they are forwarded, which is fire and forget. */
  propose(data: readonly Uint8Array[]): ProposeResult {
    return propose(this.#state, data);
  }

  /** Proposes a change of the members, on the leader only. `data` is what every replica will decode from the log; for leaving a joint configuration it must be empty. */
  proposeConfChange(change: ConfChange, data: Uint8Array): ProposeResult {
    return proposeConfChange(this.#state, change, data);
  }

  /** Makes a committed change effective: once per `ConfChange` entry in `committedEntries`, in order, before `applied` covers it. An entry without data is `leaveJointChange`. */
  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this.#state, change);
  }

  /** Asks for a linearizable read index; answered by a `ReadState` with this context, or never. False when it can't even be asked for. */
  readIndex(context: number): boolean {
    return requestRead(this.#state, context);
  }

  /** Hands leadership over to a voter; passed on when another node leads. False when it can't begin. */
  transferLeadership(to: NodeId): boolean {
    return transferLeadership(this.#state, to);
  }

  /**
   * A follower stops keeping to its leader, for example since the connection to it broke: it may vote for others at once.
   * Refused, that is false, with `leaseReads`: the leader counts on the follower's silence. Without effect in other roles.
   */
  forgetLeader(): boolean {
    const { config, role } = this.#state;
    if (config.leaseReads || role !== "Follower") return false;
    this.#state.leader = 0;
    return true;
  }

  /** What was sent to this member is probably lost: a leader stops sending ahead until the member answers. */
  reportUnreachable(id: NodeId): void {
    const progress = this.#state.progress.get(id);
    if (progress?.state === "Replicate" && id !== this.#state.id) progress.becomeProbe();
  }

  /** The transfer of a snapshot to this member has ended: `ok` when the member has it. Has to come for every MsgSnap, or the member gets nothing any more. */
  reportSnapshot(id: NodeId, ok: boolean): void {
    this.#state.progress.get(id)?.snapshotEnded(ok);
  }

  /** A node that was paused itself has not waited for a leader: its wait begins anew. A leader's lease is interrupted. */
  restartElectionTimer(): void {
    this.#state.lease.interrupt();
    if (this.#state.role !== "Leader") this.#state.electionElapsed = 0;
  }

  /** Changes the wait for a leader at run time; a new one is drawn at once. */
  setElectionTicks(electionTicks: number, jitterTicks: number): void {
    this.#state.setElectionTicks(electionTicks, jitterTicks);
  }

  /** Ready 1 … `readyNumber` are durable and in storage. */
  persisted(readyNumber: number): void {
    this.#readies.persisted(readyNumber);
    noteVoteDurable(this.#state, readyNumber);
    if (this.#state.role === "Leader") noteOwnDurable(this.#state);
  }

  /** The state machine has applied everything up to `index`. */
  applied(index: Index): void {
    const state = this.#state;
    const unappliedChange = state.handedOutConfChanges[0];
    invariant(
      unappliedChange === undefined || unappliedChange > index,
      () => `${index} reported as applied, but the configuration change ${unappliedChange} was not`,
    );
    state.uncommittedBytes = Math.max(0, state.uncommittedBytes - state.log.appliedTo(index));
    leaveJointWhenDue(state);
  }

  hasReady(): boolean {
    return this.#readies.hasReady();
  }

  /** Everything to be done by now. Taking it is accepting it. */
  ready(): Ready {
    return this.#readies.take();
  }

  status(): Status {
    const { id, role, term, vote, leader, log, configuration, transferee } = this.#state;
    const progress: ProgressStatus[] = [];
    for (const member of this.#state.progress.values()) {
      const { id, state, match, next, session, recentlyActive, paused, pendingSnapshot, inflights } = member;
      progress.push({
        id,
        state,
        match,
        next,
        session,
        active: recentlyActive,
        paused,
        pendingSnapshot,
        inflightMessages: inflights.count,
      });
    }
    const { committed: commit, applied, lastIndex, durableIndex } = log;
    const { isRecovering } = this.#state;
    return {
      id,
      role,
      term,
      vote,
      leader,
      commit,
      applied,
      lastIndex,
      durableIndex,
      configuration,
      isRecovering,
      transferee,
      progress,
    };
  }
}

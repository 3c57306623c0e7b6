import { isVoter, members } from "./configuration.js";
import { promisesSilence } from "./lease.js";
import { draft, transferCampaign } from "./message.js";
import { Progress } from "./progress.js";
import { voteResult } from "./quorum.js";
import { appendOwn, noteOwnDurable } from "./replication.js";
import type { RaftState } from "./state.js";
import type { Message, NodeId } from "./types.js";

/**
 * Starts an election, or the pre-vote before it, unless this node leads, is no voter, lacks what it has acknowledged, or has
 * not applied a committed configuration change: with a configuration that is one step behind it might count the wrong quorum.
 */
export function campaign(state: RaftState): void {
  if (!mayCampaign(state) || promisesSilence(state)) return;
  if (state.config.preVote) startPreVote(state);
  else startElection(state, 0);
}

/** The leader asks this node to take over (thesis 3.10): no pre-vote, and voters need not wait for the leader to go silent. */
export function handleTimeoutNow(state: RaftState): void {
  if (mayCampaign(state)) startElection(state, transferCampaign);
}

function mayCampaign(state: RaftState): boolean {
  const { log, role } = state;
  if (role === "Leader" || !state.isVoter || state.isRecovering || log.isRestoring) return false;
  return !log.hasUnappliedConfChange();
}

/**
 * Thesis 9.6: asks whether an election could be won. Neither term nor vote change, so nothing need be written. Its own consent
 * counts when the Ready that begins it is durable all the same: a node whose disk hangs could not vote for itself either.
 */
function startPreVote(state: RaftState): void {
  state.role = "PreCandidate";
  state.leader = 0;
  state.electionElapsed = 0;
  state.drawElectionTimeout();
  const { preVoteRetryTicks } = state.config;
  if (preVoteRetryTicks > 0) state.electionTimeout = preVoteRetryTicks + state.random(preVoteRetryTicks);
  state.votes.clear();
  for (const id of otherVoters(state)) {
    state.send(voteRequest(state, "MsgPreVote", id, state.term + 1, 0));
  }
  state.preVoteReady = 0;
}

/**
 * Paper 5.2. The requests wait until term and vote are durable: a node that crashed after asking in term T and had
 * forgotten T would ask in it again, perhaps with a shorter log, and be given the votes that the longer one won. Its
 * own vote counts from the same moment (`noteVoteDurable`).
 */
function startElection(state: RaftState, context: number): void {
  state.enterTerm(state.term + 1);
  state.role = "Candidate";
  state.vote = state.id;
  for (const id of otherVoters(state)) {
    state.sendAfterPersist(voteRequest(state, "MsgVote", id, state.term, context));
  }
}

function otherVoters(state: RaftState): NodeId[] {
  const { configuration, id } = state;
  return members(configuration).filter((member) => member !== id && isVoter(configuration, member));
}

function voteRequest(
  state: RaftState,
  type: "MsgVote" | "MsgPreVote",
  to: NodeId,
  term: number,
  context: number,
): Message {
  const request = draft(type, state.id, to, term);
  request.index = state.log.lastIndex;
  request.logTerm = state.log.lastTerm;
  request.context = context;
  return request;
}

/** Called when Ready 1 … `readyNumber` are durable: the candidate's vote for itself is worth something only then. */
export function noteVoteDurable(state: RaftState, readyNumber: number): void {
  if (state.votes.has(state.id)) return;
  const isPreVoteDurable = state.preVoteReady > 0 && state.preVoteReady <= readyNumber;
  const isVoteDurable = state.durableTerm === state.term && state.durableVote === state.id;
  if (state.role === "PreCandidate" ? isPreVoteDurable : state.role === "Candidate" && isVoteDurable) {
    recordVote(state, state.id, true);
  }
}

/**
 * Figure 2, RequestVote. Learners answer too: the asker may know of a promotion that this node has not applied yet.
 * The gate in raft.ts has already dropped requests that would disturb a leader which is heard.
 */
export function handleVoteRequest(state: RaftState, request: Message): void {
  const isPreVote = request.type === "MsgPreVote";
  const isFree = state.vote === 0 && state.leader === 0;
  const mayVote = isFree || state.vote === request.from || (isPreVote && request.term > state.term);
  const upToDate = state.log.isUpToDate(request.index, request.logTerm);
  // A recovering node may have acknowledged entries that neither it nor the asker has.
  const granted = mayVote && upToDate && !state.isRecovering;
  // A granted pre-vote speaks of the term asked for; a refusal tells the asker the term it has missed.
  const term = granted ? request.term : state.term;
  const response = draft(isPreVote ? "MsgPreVoteResp" : "MsgVoteResp", state.id, request.from, term);
  response.reject = !granted;
  if (!granted && state.config.refusalsTellCommit) {
    response.commit = state.log.committed;
    response.logTerm = state.log.term(response.commit) ?? 0;
  }
  if (granted && !isPreVote) {
    state.vote = request.from;
    state.electionElapsed = 0;
  }
  state.sendAfterPersist(response);
}

/**
 * A refusal tells what the voter knows to be committed. An entry that stands here with the same term is the same (Log Matching), so it is
 * committed here too. A change of the members may end so, of which this node would not hear otherwise: a leader that it removed leads no
 * more, and its vote, which the old members' majority still needs here, goes only to logs as long as its own.
 */
function commitAsRefused(state: RaftState, { commit, logTerm }: Message): void {
  const { log } = state;
  if (commit <= log.committed || logTerm === 0 || !log.matches(commit, logTerm)) return;
  log.commitTo(commit);
  // As for one that has not begun yet: the votes may be those of the wrong quorum.
  if (state.role !== "Leader" && log.hasUnappliedConfChange()) state.becomeFollower(state.term, state.leader);
}

export function handleVoteResponse(state: RaftState, response: Message): void {
  if (response.reject) commitAsRefused(state, response);
  if (state.role === "Candidate" && response.type === "MsgVoteResp") {
    recordVote(state, response.from, !response.reject);
  } else if (state.role === "PreCandidate" && response.type === "MsgPreVoteResp") {
    const isOfThisRound = response.reject || response.term === state.term + 1;
    if (isOfThisRound) recordVote(state, response.from, !response.reject);
  }
}

function recordVote(state: RaftState, from: NodeId, granted: boolean): void {
  if (!state.votes.has(from)) state.votes.set(from, granted);
  const result = voteResult(state.configuration, state.votes);
  if (result === "Lost") state.becomeFollower(state.term, 0);
  if (result !== "Won") return;
  if (state.role === "PreCandidate") startElection(state, 0);
  else becomeLeader(state);
}

/** Paper 5.2 and 5.4.2: the no-op of the new term is what commits all that earlier terms have left. */
function becomeLeader(state: RaftState): void {
  state.enterTerm(state.term);
  state.role = "Leader";
  state.leader = state.id;
  const noOpIndex = state.log.lastIndex + 1;
  for (const id of members(state.configuration)) {
    state.progress.set(id, new Progress(id, noOpIndex, noOpIndex, state.config));
  }
  state.progress.get(state.id)?.becomeReplicate();
  // Changes that earlier leaders left are in front of the no-op: none is accepted before that is applied. It also keeps
  // a leader that has committed nothing in its term from changing members (the single-server bug, raft-dev 2015).
  state.pendingConfIndex = state.config.confChangeGuard === "NoOp" ? noOpIndex : noOpIndex - 1;
  appendOwn(state, "Normal", [noData]);
  noteOwnDurable(state);
}

const noData = new Uint8Array(0);

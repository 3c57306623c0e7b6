import { extendLease, holdsLease } from "./lease.js";
import { draft } from "./message.js";
import type { Progress } from "./progress.js";
import { committedIndex } from "./quorum.js";
import type { PendingRead } from "./read-index.js";
import type { RaftState } from "./state.js";
import type { Message, NodeId } from "./types.js";

/**
 * Asks for an index at which a local read is linearizable (thesis 6.4), on the leader or through it. The answer is a
 * `ReadState` with this context; a lost one never comes, callers set deadlines. False when no leader is known or too many wait.
 */
export function requestRead(state: RaftState, context: number): boolean {
  if (state.role === "Leader") return admitRead(state, state.id, context, 0);
  if (state.leader === 0) return false;
  const request = draft("MsgReadIndex", state.id, state.leader, state.term);
  request.context = state.forwardedReads.add(context, state.config.pendingReadsMax);
  request.session = state.forwardedReads.incarnation;
  state.send(request);
  return true;
}

/** Leader: a follower forwards a read. Beyond the bound it is dropped, the follower's caller runs into its deadline. */
export function handleReadRequest(state: RaftState, request: Message): void {
  if (state.role === "Leader") admitRead(state, request.from, request.context, request.session);
}

function admitRead(state: RaftState, from: NodeId, context: number, session: number): boolean {
  if (state.reads.length >= state.config.pendingReadsMax) return false;
  // Before the first commit of the term, earlier leaders may have committed more than this node knows (paper 8).
  const index = state.hasCommittedInTerm ? state.log.committed : 0;
  if (index > 0 && holdsLease(state)) {
    answer(state, { from, context, session, index });
    return true;
  }
  state.reads.add(from, context, session, index);
  return true;
}

/** Leader: a member answered a heartbeat that carried this position. */
export function acknowledgeReads(state: RaftState, progress: Progress, position: number): void {
  if (position <= progress.readPosition || position > state.reads.issued) return;
  progress.readPosition = position;
  extendLease(state);
  releaseReads(state);
}

/** Answers the reads whose heartbeat round a quorum has acknowledged: no later leader existed when they came in. */
export function releaseReads(state: RaftState): void {
  const confirmed = committedIndex(state.configuration, (id) => state.progress.get(id)?.readPosition ?? 0);
  for (const read of state.reads.confirmed(confirmed)) {
    answer(state, read);
  }
}

function answer(state: RaftState, { from, context, session, index }: Omit<PendingRead, "position">): void {
  if (from === state.id) {
    state.readStates.push({ index, context });
    return;
  }
  const response = draft("MsgReadIndexResp", state.id, from, state.term);
  response.index = index;
  response.context = context;
  response.session = session;
  state.send(response);
}

/** Follower: the leader's answer to a forwarded read. */
export function handleReadResponse(state: RaftState, response: Message): void {
  const context = state.forwardedReads.take(response.context, response.session);
  if (context !== undefined) state.readStates.push({ index: response.index, context });
}

import { isVoter } from "./configuration.js";
import { draft } from "./message.js";
import type { RaftState } from "./state.js";
import type { Message, NodeId } from "./types.js";

/**
 * Hands leadership to a voter (thesis 3.10): it is brought up to date, then told to campaign at once; proposals are
 * refused meanwhile. Given up after one election timeout. A follower passes the wish on. False when it can't begin.
 */
export function transferLeadership(state: RaftState, to: NodeId): boolean {
  if (state.role !== "Leader") {
    if (state.leader === 0) return false;
    const request = draft("MsgTransferLeader", state.id, state.leader, state.term);
    request.context = to;
    state.send(request);
    return true;
  }
  // To stay the leader is a way to call a transfer off.
  if (to === state.id) abortTransfer(state);
  if (to === state.id || !isVoter(state.configuration, to)) return false;
  if (to === state.transferee) return true;
  state.transferee = to;
  state.electionElapsed = 0;
  if (!offerLeadership(state)) {
    state.progress.get(to)!.appendDue = true;
    state.replicationDue = true;
  }
  return true;
}

export function handleTransferRequest(state: RaftState, request: Message): void {
  if (state.role === "Leader") transferLeadership(state, request.context);
}

/** Tells the transferee to campaign once it has every entry. Asked again whenever it reports progress. */
export function offerLeadership(state: RaftState): boolean {
  if (state.transferee === 0 || state.progress.get(state.transferee)?.match !== state.log.lastIndex) return false;
  state.lease.forfeit();
  state.send(draft("MsgTimeoutNow", state.id, state.transferee, state.term));
  return true;
}

/** Proposals are taken again. The transferee may still win, if it was told to campaign already. */
export function abortTransfer(state: RaftState): void {
  state.transferee = 0;
}

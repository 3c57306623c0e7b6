import { restoreFromOldTerm } from "./follower.js";
import { promisesSilence } from "./lease.js";
import { draft, transferCampaign } from "./message.js";
import type { RaftState } from "./state.js";
import type { Message } from "./types.js";

/**
 * Compares terms (Figure 2, rules for all servers) before a message's rule is applied: a higher term makes a follower,
 * a lower one is ignored or told about ours. False when the message is done with.
 */
export function passesTermGate(state: RaftState, message: Message): boolean {
  if (message.term < state.term) {
    answerOldTerm(state, message);
    return false;
  }
  if (disturbsLeader(state, message)) return false;
  if (message.term > state.term && !speaksOfFutureTerm(message)) state.becomeFollower(message.term, 0);
  return true;
}

/**
 * A candidate that lost touch does not depose a leader the others hear (thesis 4.2.3, 6.4): requests of a higher term
 * are dropped within the base election timeout after the leader's last message, unless the leader asked for the election.
 */
function disturbsLeader(state: RaftState, message: Message): boolean {
  if (message.type !== "MsgVote" && message.type !== "MsgPreVote") return false;
  if (message.type === "MsgVote" && message.context === transferCampaign) return false;
  if (promisesSilence(state)) return true;
  return message.term > state.term && state.config.checkQuorum && state.hearsLeader;
}

/** Pre-votes ask about a term that nobody has taken yet; asking and granting must not make it real. */
function speaksOfFutureTerm(message: Message): boolean {
  return message.type === "MsgPreVote" || (message.type === "MsgPreVoteResp" && !message.reject);
}

/**
 * Most messages of an old term need no answer. Two senders would be stuck without one: a leader of an old term whose
 * messages a node with a higher term ignores, and a node that asks for pre-votes in terms that are over. A snapshot is worth
 * having whoever sent it.
 */
function answerOldTerm(state: RaftState, message: Message): void {
  const { preVote, checkQuorum } = state.config;
  if (message.type === "MsgApp" || message.type === "MsgHeartbeat") {
    // Without both, the next vote request of this term would tell the leader.
    if (preVote || checkQuorum) state.sendAfterPersist(draft("MsgAppResp", state.id, message.from, state.term));
  } else if (message.type === "MsgPreVote") {
    const response = draft("MsgPreVoteResp", state.id, message.from, state.term);
    response.reject = true;
    state.sendAfterPersist(response);
  } else if (message.type === "MsgSnap") {
    restoreFromOldTerm(state, message);
  }
}

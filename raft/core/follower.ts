import { draft, isWellFormedAppend } from "./message.js";
import type { RaftState } from "./state.js";
import type { Message } from "./types.js";

/**
 * Figure 2, AppendEntries, receiver. Every answer waits until all that was taken over by now is durable: also the answer
 * to a duplicate, whose first copy may still be on its way to the disk.
 */
export function handleAppend(state: RaftState, append: Message): void {
  hearLeader(state, append);
  if (!isWellFormedAppend(append)) return;
  const { log } = state;
  const response = draft("MsgAppResp", state.id, append.from, state.term);
  response.session = append.session;
  // What is committed here agrees with every later leader (paper 5.4.3), so an old append needs no look at the entry before.
  if (append.index <= log.committed || log.matches(append.index, append.logTerm)) {
    const lastNew = append.index + append.entries.length;
    log.merge(append.entries);
    log.commitTo(Math.min(append.commit, lastNew));
    response.index = Math.max(lastNew, log.committed);
  } else {
    const hint = log.agreementBefore(append.index, append.logTerm);
    response.index = append.index;
    response.reject = true;
    response.rejectHint = hint;
    response.logTerm = log.term(hint) ?? 0;
  }
  state.sendAfterPersist(response);
}

export function handleHeartbeat(state: RaftState, heartbeat: Message): void {
  hearLeader(state, heartbeat);
  // The leader tells no more of the commit index than it knows to be here. Only an empty log may lack it: that of a member
  // which was removed and added again under its id while this heartbeat was on its way.
  if (state.log.lastIndex > 0) state.log.commitTo(heartbeat.commit);
  const response = draft("MsgHeartbeatResp", state.id, heartbeat.from, state.term);
  response.context = heartbeat.context;
  response.session = heartbeat.session;
  state.send(response);
}

/** A message of the term's leader came. It restarts the wait for a leader, whatever the message's fate. */
function hearLeader(state: RaftState, message: Message): void {
  if (state.role !== "Follower") state.becomeFollower(state.term, message.from);
  state.leader = message.from;
  state.electionElapsed = 0;
}

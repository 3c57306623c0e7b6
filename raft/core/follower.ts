import { checked } from "./configuration.js";
import { draft, isWellFormedAppend, recoveringRefusal } from "./message.js";
import type { Draft } from "./message.js";
import type { RaftState } from "./state.js";
import type { Index, Message, SnapshotMeta } from "./types.js";

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
    state.agreedIndex = Math.max(state.agreedIndex, lastNew);
    response.index = Math.max(lastNew, log.committed);
  } else {
    refuse(state, response, append.index, log.agreementBefore(append.index, append.logTerm));
  }
  state.sendAfterPersist(response);
}

function refuse(state: RaftState, response: Draft, index: Index, hint: Index): void {
  response.index = index;
  response.reject = true;
  response.rejectHint = hint;
  response.logTerm = state.log.term(hint) ?? 0;
}

export function handleHeartbeat(state: RaftState, heartbeat: Message): void {
  hearLeader(state, heartbeat);
  commitAsTold(state, heartbeat);
  const response = draft("MsgHeartbeatResp", state.id, heartbeat.from, state.term);
  response.context = heartbeat.context;
  response.session = heartbeat.session;
  state.send(response);
  if (state.isRecovering) tellLoss(state, heartbeat);
}

/**
 * The leader tells no more of the commit index than it knows to be here. Only two logs may lack it: one that is recovering, of
 * which the leader does not know yet, and that of a member which was removed and added again under its id while this heartbeat
 * was on its way. The latter is empty, or has heard of its new session. Both believe it as far as an append has shown that the
 * logs are equal: an entry of a recovering log may be one that was replaced by what it lost.
 */
function commitAsTold(state: RaftState, heartbeat: Message): void {
  const { log } = state;
  const isOfEarlierSession = heartbeat.session < state.leaderSession;
  const isBehind = log.lastIndex === 0 || isOfEarlierSession || state.isRecovering;
  log.commitTo(isBehind ? Math.min(heartbeat.commit, state.agreedIndex) : heartbeat.commit);
}

/**
 * The leader believes that everything acknowledged is here. An idle one sends no append whose refusal would teach it better, and
 * one that has acknowledgements from before the loss takes a refusal below them for an old one.
 */
function tellLoss(state: RaftState, heartbeat: Message): void {
  const notice = draft("MsgAppResp", state.id, heartbeat.from, state.term);
  notice.session = heartbeat.session;
  const agreed = Math.max(state.log.committed, state.agreedIndex);
  refuse(state, notice, agreed, agreed);
  notice.context = recoveringRefusal;
  notice.commit = state.recoverTo;
  state.sendAfterPersist(notice);
}

/** Paper 7, InstallSnapshot, receiver. The state itself has arrived already. */
export function handleSnapshot(state: RaftState, message: Message): void {
  hearLeader(state, message);
  if (message.snapshot === undefined) return;
  const response = draft("MsgAppResp", state.id, message.from, state.term);
  response.session = message.session;
  restore(state, message.snapshot);
  response.index = state.log.committed;
  state.sendAfterPersist(response);
}

/**
 * What a snapshot stands for is committed, whoever leads by now: a long transfer that an election has overtaken is not thrown
 * away. The leader of today learns of it by the answer to its next append.
 */
export function restoreFromOldTerm(state: RaftState, message: Message): void {
  if (message.snapshot !== undefined && state.role === "Follower") restore(state, message.snapshot);
}

/**
 * Nothing is replaced when the log has all of it already: it is committed then, no more. A member may be missing in
 * the configuration of its own snapshot, when the entry that brought it in is behind: it does not vote meanwhile.
 */
function restore(state: RaftState, snapshot: SnapshotMeta): void {
  const { log } = state;
  if (snapshot.index <= log.committed) return;
  if (log.matches(snapshot.index, snapshot.term)) {
    log.commitTo(snapshot.index);
    return;
  }
  log.restore(snapshot);
  state.configuration = checked(snapshot.configuration);
  state.configurationIndex = snapshot.index;
}

/** A message of the term's leader came. It restarts the wait for a leader, whatever the message's fate. */
function hearLeader(state: RaftState, message: Message): void {
  if (state.role !== "Follower") state.becomeFollower(state.term, message.from);
  state.leader = message.from;
  state.electionElapsed = 0;
  state.leaderHeardAt = state.ticks;
  state.leaderSession = Math.max(state.leaderSession, message.session);
}

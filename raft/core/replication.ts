import { draft, noEntries, recoveringRefusal } from "./message.js";
import { payloadBytes } from "./entries.js";
import type { Progress } from "./progress.js";
import { committedIndex } from "./quorum.js";
import { acknowledgeReads, releaseReads } from "./reads.js";
import type { RaftState } from "./state.js";
import { offerLeadership } from "./transfer.js";
import type { EntryType, Index, Message } from "./types.js";

const noData = new Uint8Array(0);

/** Appends entries of the leader's own term behind its log; they leave with the next Ready, to disk and members at once. */
export function appendOwn(state: RaftState, type: EntryType, data: readonly Uint8Array[]): void {
  for (const bytes of data) {
    state.uncommittedBytes += bytes.length;
    state.log.append({ term: state.term, index: state.log.lastIndex + 1, type, data: bytes });
  }
  state.replicationDue = true;
}

/** The leader is a member like others: its own entries count when they are durable (thesis 10.2.1). */
export function noteOwnDurable(state: RaftState): void {
  const own = state.progress.get(state.id);
  if (own === undefined) return;
  if (own.accepted(state.log.durableIndex)) maybeCommit(state);
}

/** Figure 2, leaders: an entry on a majority is committed, if it is of the leader's own term (paper 5.4.2, Figure 8). */
export function maybeCommit(state: RaftState): void {
  const index = committedIndex(state.configuration, (id) => state.progress.get(id)?.match ?? 0);
  if (index <= state.log.committed) return;
  const isOfOwnTerm = state.log.term(index) === state.term;
  if (!isOfOwnTerm) return;
  const isFirstOfTerm = !state.hasCommittedInTerm;
  state.log.commitTo(index);
  state.replicationDue = true;
  if (isFirstOfTerm) {
    state.reads.resolveIndexes(index);
    releaseReads(state);
  }
}

/** Sends every member what it lacks, as far as its window lets it. Called once per Ready, so that a turn's proposals share a message. */
export function flushReplication(state: RaftState): void {
  if (state.replicationDue) {
    state.replicationDue = false;
    for (const progress of state.progress.values()) {
      if (progress.id === state.id) continue;
      while (isAppendDue(state, progress)) sendAppend(state, progress);
    }
  }
  if (state.offerDue) {
    state.offerDue = false;
    offerLeadership(state);
  }
}

function isAppendDue(state: RaftState, progress: Progress): boolean {
  if (progress.paused || progress.state === "Snapshot") return false;
  if (progress.appendDue || progress.commitIsNews(state.log.committed)) return true;
  return progress.next <= state.log.lastIndex && progress.mayCarryEntries();
}

/** Figure 2, AppendEntries, sender. Into a full window only an empty one is sent: its refusal uncovers losses. */
function sendAppend(state: RaftState, progress: Progress): void {
  const { log, config } = state;
  const previous = progress.next - 1;
  const previousTerm = log.term(previous);
  if (previousTerm === undefined) {
    sendSnapshot(state, progress);
    return;
  }
  const to = Math.min(log.lastIndex + 1, progress.next + config.appendEntriesMax);
  const entries = progress.mayCarryEntries() ? log.entries(progress.next, to, config.appendBytesMax) : noEntries;
  const append = draft("MsgApp", state.id, progress.id, state.term);
  append.index = previous;
  append.logTerm = previousTerm;
  append.entries = entries;
  append.commit = log.committed;
  append.session = progress.session;
  progress.sent(entries.length, payloadBytes(entries), log.committed);
  state.send(append);
}

/**
 * Paper 7: the entry before the next one is cut. The message says what the snapshot is; the driver carries the state, steps
 * the message into the receiver once that has arrived, and tells `reportSnapshot`. Not for a member that is not
 * heard from, and when there is no snapshot yet, it is asked for again with the member's next answer to a heartbeat.
 */
function sendSnapshot(state: RaftState, progress: Progress): void {
  const snapshot = progress.recentlyActive ? state.log.sendableSnapshot() : undefined;
  if (snapshot === undefined) {
    progress.rest();
    return;
  }
  const message = draft("MsgSnap", state.id, progress.id, state.term);
  message.snapshot = snapshot;
  message.session = progress.session;
  progress.becomeSnapshot(snapshot.index);
  state.send(message);
}

/**
 * Heartbeats are apart from appends: small, never queued behind a window, and carrying no more of the commit index than
 * the member is known to have.
 */
export function broadcastHeartbeat(state: RaftState): void {
  const position = state.reads.issue(state.config.leaseReads);
  if (state.config.leaseReads) state.lease.sent(position, state.ticks);
  for (const progress of state.progress.values()) {
    if (progress.id === state.id) {
      progress.readPosition = position;
      continue;
    }
    const heartbeat = draft("MsgHeartbeat", state.id, progress.id, state.term);
    heartbeat.commit = Math.min(progress.match, state.log.committed);
    heartbeat.context = position;
    heartbeat.session = progress.session;
    state.send(heartbeat);
  }
}

/** Finds the progress that an answer speaks of; none when the answer is for an earlier incarnation of the member. */
function progressOf(state: RaftState, response: Message): Progress | undefined {
  const progress = state.progress.get(response.from);
  if (progress === undefined || progress.id === state.id) return undefined;
  return progress.session === response.session ? progress : undefined;
}

export function handleAppendResponse(state: RaftState, response: Message): void {
  const progress = progressOf(state, response);
  if (progress === undefined || response.index > state.log.lastIndex) return;
  progress.recentlyActive = true;
  if (response.context === recoveringRefusal) handleLoss(state, progress, response.rejectHint, response.commit);
  else if (response.reject) handleRefusal(state, progress, response);
  else handleAcceptance(state, progress, response);
}

/**
 * Paper 5.3, the way back to where the logs agree, in steps of terms instead of entries: the follower has skipped its
 * entries of terms above ours, here we skip ours of terms above the hint's.
 */
function handleRefusal(state: RaftState, progress: Progress, response: Message): void {
  const hint = Math.min(response.rejectHint, response.index);
  const agreement = response.logTerm > 0 ? state.log.agreementBefore(hint, response.logTerm) : hint;
  if (progress.refused(response.index, agreement)) state.replicationDue = true;
}

/**
 * The member may have lost what it acknowledged behind `agreed`. When it has all of this log and still misses something, that
 * was never committed; it votes again once the log has grown to where that was, which in an idle group takes entries without data.
 */
function handleLoss(state: RaftState, progress: Progress, agreed: Index, recoverTo: Index): void {
  if (progress.fellBack(agreed)) {
    state.replicationDue = true;
    return;
  }
  const { log, transferee } = state;
  const hasAll = progress.match === log.lastIndex && agreed === log.lastIndex && log.committed === log.lastIndex;
  if (hasAll && transferee === 0) {
    const missing = Math.min(recoverTo - agreed, state.config.appendEntriesMax);
    const empty = Array.from({ length: Math.max(1, missing) }, () => noData);
    appendOwn(state, "Normal", empty);
  }
}

function handleAcceptance(state: RaftState, progress: Progress, response: Message): void {
  const isNews = progress.accepted(response.index);
  const endsProbe = progress.state === "Probe" && response.index === progress.match;
  if (!isNews && !endsProbe) return;
  // Behind a snapshot that arrived, or since the member has got from elsewhere what the log still joins.
  const endsSnapshot = progress.state === "Snapshot" && progress.match + 1 >= state.log.firstIndex;
  if (endsProbe || endsSnapshot) progress.becomeReplicate();
  else progress.inflights.freeThrough(response.index);
  if (isNews) maybeCommit(state);
  state.replicationDue ||= isAppendDue(state, progress);
  // Behind the appends that this answer lets leave: one of them may tell the commit index.
  if (progress.id === state.transferee) state.offerDue = true;
}

export function handleHeartbeatResponse(state: RaftState, response: Message): void {
  const progress = progressOf(state, response);
  if (progress === undefined) return;
  progress.recentlyActive = true;
  if (progress.state === "Snapshot") {
    acknowledgeReads(state, progress, response.context);
    return;
  }
  // The member lives, so what has been out for a whole interval may be lost: ask once more, also through a full window.
  progress.paused = false;
  if (progress.match < state.log.lastIndex || progress.state === "Probe") {
    progress.appendDue = true;
    state.replicationDue = true;
  }
  acknowledgeReads(state, progress, response.context);
  // The order to take over may be lost, or have come before the member had applied a change of the members.
  if (response.from === state.transferee) offerLeadership(state);
}

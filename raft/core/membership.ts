import { applyChange, isVoter, leaveJointChange, members, type ConfChange } from "./configuration.js";
import { invariant } from "./invariant.js";
import { Progress } from "./progress.js";
import { refused, type ProposeResult } from "./proposal.js";
import { appendOwn, maybeCommit } from "./replication.js";
import { releaseReads } from "./reads.js";
import type { RaftState } from "./state.js";
import { abortTransfer } from "./transfer.js";
import type { ConfState, Index, NodeId } from "./types.js";

/**
 * Proposes a configuration change; `data` is its encoded form, which every replica will decode from the log. On the
 * leader only, one at a time: refused while an earlier one, or the leader's no-op, is not applied yet. Since nothing else
 * changes the configuration, a change that is valid now is valid when it is applied.
 */
export function proposeConfChange(state: RaftState, change: ConfChange, data: Uint8Array): ProposeResult {
  if (state.role !== "Leader" || !state.progress.has(state.id)) return refused("NoLeader");
  if (state.transferee !== 0) return refused("Transferring");
  if (state.config.confChangeGuard === "None") return appendConfChange(state, data);
  if (state.pendingConfIndex > state.log.applied) return refused("ConfChangePending");
  const result = applyChange(state.configuration, change);
  if ("error" in result) return { outcome: "Refused", reason: "InvalidConfChange", detail: result.error };
  return appendConfChange(state, data);
}

function appendConfChange(state: RaftState, data: Uint8Array): ProposeResult {
  appendOwn(state, "ConfChange", [data]);
  state.pendingConfIndex = state.log.lastIndex;
  return { outcome: "Accepted", index: state.log.lastIndex, term: state.term };
}

/**
 * A committed change has reached the state machine: from here on it counts. Called once for every `ConfChange` entry in
 * `committedEntries`, in order, before `applied` covers the entry.
 */
export function applyConfChange(state: RaftState, change: ConfChange): ConfState {
  const index = state.handedOutConfChanges.shift();
  invariant(index !== undefined, "applyConfChange without a configuration change among the committed entries");
  // A snapshot has overtaken the state machine: its configuration has the change.
  if (index <= state.configurationIndex) return state.configuration;
  const result = applyChange(state.configuration, change);
  invariant(
    "configuration" in result,
    () => `entry ${index} can't be applied: ${"error" in result ? result.error : ""}`,
  );
  state.configuration = result.configuration;
  if (state.role === "Leader") adoptConfiguration(state, index);
  else if (state.role !== "Follower" && !state.isVoter) state.becomeFollower(state.term, 0);
  return state.configuration;
}

/** Leader: replicates to whom it has to, and steps down when it is no voter any more (paper 6). */
function adoptConfiguration(state: RaftState, index: Index): void {
  const { configuration, progress } = state;
  const before = new Map(progress);
  progress.clear();
  // Anew, so that members are always sent to in ascending order.
  for (const id of members(configuration)) {
    progress.set(id, before.get(id) ?? addedProgress(state, id, index));
  }
  if (!state.isVoter && state.config.stepDownOnRemoval) {
    state.becomeFollower(state.term, 0);
    return;
  }
  state.lease.interrupt();
  if (state.transferee !== 0 && !isVoter(configuration, state.transferee)) abortTransfer(state);
  // A smaller quorum may make more committed, and more reads confirmed, than the last answer did.
  maybeCommit(state);
  releaseReads(state);
  state.replicationDue = true;
}

function addedProgress(state: RaftState, id: NodeId, index: Index): Progress {
  const added = new Progress(id, index, state.log.lastIndex, state.config);
  // Else the next check of the quorum would count a member that had no time to answer as lost.
  added.recentlyActive = true;
  return added;
}

/** Leader: a joint configuration that leaves itself is left as soon as it is applied. Asked again after whatever stood in the way. */
export function leaveJointWhenDue(state: RaftState): void {
  if (state.role !== "Leader" || !state.configuration.autoLeave) return;
  if (state.transferee !== 0 || state.pendingConfIndex > state.log.applied) return;
  invariant(
    "configuration" in applyChange(state.configuration, leaveJointChange),
    "autoLeave outside of joint consensus",
  );
  appendConfChange(state, new Uint8Array(0));
}

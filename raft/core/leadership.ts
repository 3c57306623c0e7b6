import { leaveJointWhenDue } from "./membership.js";
import { voteResult } from "./quorum.js";
import { broadcastHeartbeat } from "./replication.js";
import type { RaftState } from "./state.js";
import { abortTransfer } from "./transfer.js";
import type { NodeId } from "./types.js";

/** The leader's clock: heartbeats, and once per election timeout the checks whether it should go on. */
export function tickLeader(state: RaftState): void {
  state.heartbeatElapsed++;
  if (state.electionElapsed >= state.electionTicks) {
    state.electionElapsed = 0;
    if (state.config.checkQuorum && !quorumIsActive(state)) {
      state.becomeFollower(state.term, 0);
      return;
    }
    if (state.transferee !== 0) {
      abortTransfer(state);
      leaveJointWhenDue(state);
    }
  }
  if (state.heartbeatElapsed >= state.config.heartbeatTicks) {
    state.heartbeatElapsed = 0;
    broadcastHeartbeat(state);
  }
}

/** Thesis 6.2: a leader that a quorum has not answered for an election timeout is cut off; its clients should look for another. */
function quorumIsActive(state: RaftState): boolean {
  const active = new Map<NodeId, boolean>();
  for (const progress of state.progress.values()) {
    active.set(progress.id, progress.recentlyActive || progress.id === state.id);
    progress.recentlyActive = false;
  }
  return voteResult(state.configuration, active) === "Won";
}

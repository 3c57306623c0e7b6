import type { PlantedFault } from "./planted-fault.js";

/** Most hunts set the profile: one world in some draws it, and the hunt need not wait for those. */
const set = { profile: "membership" } as const;

export const membershipFaults: readonly PlantedFault[] = [
  {
    name: "members changed before the term's first commit",
    corner: 1,
    set,
    edits: [
      {
        file: "raft/core/election.js",
        find: 'state.config.confChangeGuard === "NoOp" ? noOpIndex : noOpIndex - 1',
        replace: "0",
      },
    ],
  },
  {
    name: "a second change while one is pending",
    corner: 1,
    set,
    edits: [
      {
        file: "raft/core/membership.js",
        find: "state.pendingConfIndex = state.log.lastIndex;",
        replace: "state.pendingConfIndex = 0;",
      },
    ],
  },
  {
    name: "campaign with an unapplied change",
    corner: 2,
    set,
    edits: [{ file: "raft/core/election.js", find: "return !log.hasUnappliedConfChange();", replace: "return true;" }],
  },
  {
    name: "a torn-off commit index is not made up for",
    corner: 2,
    set,
    edits: [
      {
        file: "raft/core/state.js",
        find: 'config.confChangeGuard !== "None" && recoverTo === 0',
        replace: "false",
      },
    ],
  },
  {
    name: "joint configuration never left",
    corner: 3,
    set,
    edits: [{ file: "raft/core/raft.js", find: "        leaveJointWhenDue(state);\n", replace: "" }],
  },
  {
    name: "joint quorum counts the new half only",
    set,
    edits: [
      {
        file: "raft/core/quorum.js",
        find: "return Math.min(incoming, majorityIndex(configuration.outgoing, acknowledged));",
        replace: "return incoming;",
      },
    ],
  },
  {
    name: "a member that was cut off deposes the leader",
    corner: 5,
    edits: [
      { file: "raft/core/gate.js", find: "if (disturbsLeader(state, message))", replace: "if (false)" },
      { file: "raft/core/config.js", find: "preVote: true,", replace: "preVote: false," },
    ],
  },
  {
    name: "a learner by its own view refuses to vote",
    corner: 6,
    set,
    edits: [
      {
        file: "raft/core/election.js",
        find: "const granted = mayVote && upToDate && !state.isRecovering;",
        replace: "const granted = mayVote && upToDate && !state.isRecovering && state.isVoter;",
      },
    ],
  },
  {
    name: "an answer to an earlier incarnation counts",
    corner: 7,
    set: { profile: "membership", "members.rejoinShare": 1 },
    edits: [
      {
        file: "raft/core/replication.js",
        find: "return progress.session === response.session ? progress : undefined;",
        replace: "return progress;",
      },
    ],
  },
  {
    name: "changes in the log are forgotten by a restart",
    corner: 8,
    set,
    edits: [
      {
        file: "raft/open-replica.js",
        find: 'if (type !== "ConfChange")',
        replace: "if (true)",
      },
    ],
  },
  {
    name: "learners count for commits",
    set,
    edits: [
      {
        file: "raft/core/replication.js",
        find: "const index = committedIndex(state.configuration,",
        replace:
          "const index = committedIndex({ ...state.configuration, voters: [...state.configuration.voters, ...state.configuration.learners] },",
      },
    ],
  },
];

import type { PlantedFault } from "./planted-fault.js";

export const livenessFaults: readonly PlantedFault[] = [
  {
    name: "a leader with a hung disk leads on",
    corner: 20,
    set: { profile: "disk" },
    edits: [
      {
        file: "raft/disk-watch.js",
        find: "if (writingSinceMs === undefined)",
        replace: "if (true)",
      },
    ],
  },
  {
    name: "a leader that nobody answers leads on",
    corner: 21,
    edits: [
      {
        file: "raft/core/leadership.js",
        find: "if (state.config.checkQuorum && !quorumIsActive(state))",
        replace: "if (false)",
      },
    ],
  },
  {
    name: "a candidate of a higher term is stranded",
    corner: 22,
    edits: [{ file: "raft/core/gate.js", find: "answerOldTerm(state, message);", replace: "" }],
  },
  {
    name: "a pre-vote binds the vote",
    corner: 22,
    edits: [{ file: "raft/core/election.js", find: "if (granted && !isPreVote)", replace: "if (granted)" }],
  },
  {
    name: "a transfer never ends",
    corner: 23,
    edits: [{ file: "raft/core/leadership.js", find: "            abortTransfer(state);\n", replace: "" }],
  },
  {
    name: "a heartbeat does not restart the wait",
    corner: 24,
    set: { profile: "calm", safetyMs: 60_000 },
    edits: [
      {
        file: "raft/core/follower.js",
        find: "    state.electionElapsed = 0;\n    state.leaderHeardAt",
        replace: "    state.leaderHeardAt",
      },
    ],
  },
  {
    name: "a candidate ignores the leader of its term",
    corner: 24,
    edits: [
      {
        file: "raft/core/follower.js",
        find: 'if (state.role !== "Follower")',
        replace: 'if (state.role === "PreCandidate")',
      },
    ],
  },
  {
    name: "a full window that was lost stays full",
    corner: 25,
    edits: [
      {
        file: "raft/core/replication.js",
        find: "    progress.paused = false;\n    if (progress.match",
        replace: "    if (progress.match",
      },
    ],
  },
  {
    name: "the window has no bound",
    edits: [
      {
        file: "raft/core/inflights.js",
        find: "return this.#count === this.#messagesMax || this.#bytes >= this.#bytesMax;",
        replace: "return false;",
      },
    ],
  },
];

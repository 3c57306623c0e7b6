import type { PlantedFault } from "./planted-fault.js";

export const replicationFaults: readonly PlantedFault[] = [
  {
    name: "old-term entry committed by count",
    edits: [
      {
        file: "raft/core/replication.js",
        find: "if (!isOfOwnTerm)",
        replace: "if (false)",
      },
    ],
  },
  {
    name: "leader counts itself too early",
    corner: 12,
    edits: [
      {
        file: "raft/core/replication.js",
        find: "own.accepted(state.log.durableIndex)",
        replace: "own.accepted(state.log.lastIndex)",
      },
    ],
    quick: true,
  },
  {
    name: "repeated append answered at once",
    edits: [
      {
        file: "raft/core/follower.js",
        find: "    }\n    state.sendAfterPersist(response);",
        replace: "    }\n    if (log.hasNewEntries) state.sendAfterPersist(response); else state.send(response);",
      },
    ],
    quick: true,
  },
  {
    name: "heartbeat tells the whole commit",
    edits: [
      {
        file: "raft/core/replication.js",
        find: "heartbeat.commit = Math.min(progress.match, state.log.committed);",
        replace: "heartbeat.commit = state.log.committed;",
      },
    ],
  },
];

import type { PlantedFault } from "./planted-fault.js";

export const electionsFaults: readonly PlantedFault[] = [
  {
    name: "vote without a look at the log",
    edits: [
      {
        file: "raft/core/election.js",
        find: "const granted = mayVote && upToDate &&",
        replace: "const granted = mayVote &&",
      },
    ],
    quick: true,
  },
  {
    name: "two votes in one term",
    edits: [
      {
        file: "raft/core/election.js",
        find: "const isFree = state.vote === 0 && state.leader === 0;",
        replace: "const isFree = state.leader === 0;",
      },
    ],
    quick: true,
  },
  {
    name: "a repeated vote counts twice",
    edits: [
      {
        file: "raft/core/election.js",
        find: "if (!state.votes.has(from))",
        replace: `if (granted && state.votes.get(from)) {
          const other = members(state.configuration).find((id) => !state.votes.has(id));
          if (other) state.votes.set(other, true);
      } else`,
      },
    ],
  },
];

import type { PlantedFault } from "./planted-fault.js";

export const readsFaults: readonly PlantedFault[] = [
  {
    name: "read without a quorum",
    corner: 11,
    edits: [
      {
        file: "raft/core/reads.js",
        find: "const confirmed = committedIndex(state.configuration, (id) => state.progress.get(id)?.readPosition ?? 0);",
        replace: "const confirmed = state.reads.issued;",
      },
    ],
  },
  {
    name: "read confirmed by an older heartbeat",
    corner: 10,
    edits: [
      {
        file: "raft/core/read-index.js",
        find: "read.position > position",
        replace: "read.position > position + 1",
      },
    ],
  },
  {
    name: "new leader reads too early",
    corner: 9,
    edits: [
      {
        file: "raft/core/reads.js",
        find: "const index = state.hasCommittedInTerm ? state.log.committed : 0;",
        replace: "const index = state.log.committed;",
      },
    ],
  },
  {
    name: "barrier joins a question that has left",
    edits: [
      {
        file: "store/barriers.js",
        find: "this.#next.add(waiter);",
        replace: "(this.#asked.size > 0 ? this.#asked : this.#next).add(waiter);",
      },
    ],
  },
];

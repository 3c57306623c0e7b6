import type { PlantedFault } from "./planted-fault.js";

export const snapshotFaults: readonly PlantedFault[] = [
  {
    name: "the log is cut beyond what the state has flushed",
    corner: 16,
    edits: [
      {
        file: "raft/compaction.js",
        find: "const bound = Math.min(durable, status.applied,",
        replace: "const bound = Math.min(status.applied,",
      },
    ],
  },
  {
    name: "a half installed snapshot is taken for a state",
    corner: 16,
    edits: [
      {
        file: "store/open-state.js",
        find: "const isTorn = installing !== undefined;",
        replace: "const isTorn = false;",
      },
    ],
  },
  {
    name: "an installed snapshot leaves old rows",
    edits: [{ file: "store/snapshot-install.js", find: "deletes.push(key);", replace: ";" }],
  },
  {
    name: "nobody hears how a snapshot's transfer ended",
    corner: 27,
    edits: [
      { file: "raft/driver.js", find: "inTurn(() => this.#core.reportSnapshot(to, ok))", replace: "undefined" },
      {
        file: "raft/core/replication.js",
        find: 'const endsSnapshot = progress.state === "Snapshot" && progress.match + 1 >= state.log.firstIndex;',
        replace: "const endsSnapshot = false;",
      },
    ],
  },
];

import type { PlantedFault } from "./planted-fault.js";

export const storeFaults: readonly PlantedFault[] = [
  {
    name: "retried request applied again",
    corner: 28,
    edits: [
      {
        file: "store/state-machine.js",
        find: "if (earlier !== undefined)",
        replace: "if (false)",
      },
    ],
    quick: true,
  },
  {
    name: "request table not in the batch",
    edits: [
      {
        file: "store/state-machine.js",
        find: "for (const { client, row } of this.#requests.takeChanges())",
        replace: "for (const { client, row } of [])",
      },
    ],
    quick: true,
  },
  {
    name: "watch resumes one too late",
    edits: [
      {
        file: "store/watches.js",
        find: "this.#recent.after(watcher.position)",
        replace: "this.#recent.after(watcher.position + 1)",
      },
    ],
  },
  {
    name: "applied index not in the batch",
    corner: 17,
    edits: [
      {
        file: "store/state-machine.js",
        find: "const meta = { appliedIndex: this.#appliedIndex,",
        replace: "const meta = { appliedIndex: Math.max(0, this.#appliedIndex - 1),",
      },
    ],
    quick: true,
  },
  {
    name: "state is written behind a write that may fail",
    corner: 17,
    edits: [
      { file: "store/persister.js", find: "return this.#isWriting;", replace: "return false;" },
      {
        file: "store/persister.js",
        find: 'invariant(!this.#isWriting, "one batch is written at a time");',
        replace: "",
      },
    ],
    set: { "keyValue.errorRate": 0.02 },
  },
  {
    name: "compaction removes one revision too many",
    edits: [
      {
        file: "store/compactor.js",
        find: "const to = revisionKey(this.#keyspace, target + 1, 0);",
        replace: "const to = revisionKey(this.#keyspace, target + 2, 0);",
      },
    ],
    set: { compactMs: 50, recentEventsMax: 1 },
  },
  {
    name: "what is compacted can still be listed",
    edits: [
      {
        file: "store/past.js",
        find: "const compacted = compactedError(revision, keyspace.compactRevision);",
        replace: "const compacted = undefined;",
      },
      {
        file: "store/past.js",
        find: "compactedError(start, keyspace.compactRevision)",
        replace: "undefined",
      },
    ],
    set: { compactMs: 50, recentEventsMax: 1 },
  },
];

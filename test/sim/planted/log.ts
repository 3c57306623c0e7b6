import type { PlantedFault } from "./planted-fault.js";

export const logFaults: readonly PlantedFault[] = [
  {
    name: "old append cuts the log",
    corner: 29,
    edits: [
      {
        file: "raft/core/log.js",
        find: "if (this.matches(entry.index, entry.term) || entry.index < this.firstIndex)",
        replace: "if (entry.index <= this.committed)",
      },
    ],
  },
  {
    name: "answers before the write is durable",
    edits: [
      {
        file: "raft/driver.js",
        find: "for (const message of ready.messages)",
        replace: "for (const message of [...ready.messages, ...ready.messagesAfterPersist.splice(0)])",
      },
    ],
  },
  {
    name: "write without fsync",
    corner: 13,
    edits: [
      {
        file: "raft/log/durable-write.js",
        find: "return disk.sync(path, done);",
        replace: "return done(null);",
      },
    ],
    quick: true,
  },
  {
    name: "new segment's name not durable",
    edits: [
      {
        file: "raft/log/segment-writer.js",
        find: 'disk.syncFolder("log", done)',
        replace: "done(null)",
      },
    ],
  },
  {
    name: "term and vote not synced",
    corner: 19,
    edits: [
      {
        file: "raft/log/raft-log.js",
        find: "if (this.#queue.some(({ write }) => write.mustSync))",
        replace: "if (this.#queue.some(({ write }) => write.entries.length > 0 || write.configuration))",
      },
    ],
  },
  {
    name: "torn tail not cut",
    edits: [
      {
        file: "raft/log/open-files.js",
        find: "if (dirtyEnd === end)",
        replace: "if (true)",
      },
    ],
  },
  {
    name: "term and vote asked for before they are durable",
    corner: 19,
    edits: [
      {
        file: "raft/core/election.js",
        find: 'state.sendAfterPersist(voteRequest(state, "MsgVote", id, state.term, context));',
        replace: 'state.send(voteRequest(state, "MsgVote", id, state.term, context));',
      },
    ],
    quick: true,
  },
  {
    name: "a failed sync is taken for a good one",
    corner: 13,
    edits: [
      {
        file: "raft/log/durable-write.js",
        find: "return disk.sync(path, done);",
        replace: "return disk.sync(path, () => done(null));",
      },
    ],
  },
  {
    name: "a vote overtakes the entries before it",
    corner: 14,
    edits: [
      {
        file: "raft/log/raft-log.js",
        find: "if (this.#failed || this.#writingSinceMs !== undefined)",
        replace: "if (this.#failed)",
      },
    ],
  },
  {
    name: "a replaced tail counts as durable (ABA)",
    corner: 18,
    edits: [
      {
        file: "raft/core/log.js",
        find: "ready.lastIndex = Math.min(ready.lastIndex, index - 1);",
        replace: ";",
      },
    ],
  },
  {
    name: "damage of a log is cut like a torn tail",
    corner: 15,
    set: { profile: "disk" },
    edits: [
      {
        file: "raft/log/open-files.js",
        find: "return found.damage ? this.#repair(found, found.damage) : this.#begin(found);",
        replace: "return this.#begin(found);",
      },
    ],
  },
  {
    name: "a member with a damaged log votes",
    corner: 15,
    set: { profile: "disk" },
    edits: [
      {
        file: "raft/core/state.js",
        find: "if (this.#recoverTo === 0)",
        replace: "if (true)",
      },
    ],
  },
  {
    name: "a commit index is believed over a damaged log",
    corner: 15,
    set: { profile: "disk", "chaos.rotMs": 400, oldLogShare: 0.5 },
    edits: [
      {
        file: "raft/core/follower.js",
        find: "Math.min(heartbeat.commit, state.agreedIndex)",
        replace: "Math.min(heartbeat.commit, log.lastIndex)",
      },
    ],
  },
];

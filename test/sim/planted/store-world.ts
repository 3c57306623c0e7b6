import type { PlantedFault } from "./planted-fault.js";

const world = "store";

/** Of what only the users of the `store` world ask for. */
export const storeWorldFaults: readonly PlantedFault[] = [
  {
    name: "a lease's keys outlive it",
    world,
    edits: [{ file: "store/etcd/execute.js", find: "of this.#leases.keys(lease)", replace: "of []" }],
    quick: true,
  },
  {
    name: "leases are not in the batch",
    world,
    edits: [{ file: "store/state-machine.js", find: "of this.leases.takeChanges()", replace: "of []" }],
    quick: true,
  },
  {
    name: "a put that keeps its lease loses it",
    world,
    edits: [{ file: "store/etcd/execute.js", find: "lease ?? before?.lease ?? 0", replace: "lease ?? 0" }],
  },
  {
    name: "a lease ends at half of its time",
    world,
    edits: [{ file: "store/etcd/lessor.js", find: "ttlSeconds * 1000", replace: "ttlSeconds * 500" }],
  },
  {
    name: "a deposed leader ends leases",
    world,
    edits: [
      {
        file: "store/etcd/execute.js",
        find: "command.term !== undefined && command.term !== term",
        replace: "false",
      },
    ],
    // Leases live for a second at least, and a leader has to be cut off or stand still when one has run out.
    set: { safetyMs: 6000, "chaos.partitionMs": 200, "chaos.pauseMs": 150, "chaos.crashMs": 0, downMsMax: 300 },
  },
  {
    name: "a repeated command of etcd's services is done again",
    world,
    edits: [
      {
        file: "store/state-machine.js",
        find: "if (earlier !== undefined)",
        replace: "if (earlier !== undefined && !command.etcd)",
      },
    ],
  },
  {
    name: "the past in memory is read one revision too new",
    world,
    edits: [
      { file: "store/range.js", find: "recent.before(query.revision)", replace: "recent.before(query.revision + 1)" },
    ],
    quick: true,
  },
  {
    name: "all keys from one on are those that begin like it",
    world,
    edits: [{ file: "store/etcd/etcd-store.js", find: 'if (end === "\\0")', replace: "if (false)" }],
  },
  {
    name: "a watch of a range shows what is beside it",
    world,
    edits: [
      {
        file: "store/etcd/etcd-store.js",
        find: "events: events.filter(({ key }) => isIn(range, key))",
        replace: "events",
      },
    ],
  },
  {
    name: "a moment's revision is the one before",
    world,
    edits: [{ file: "store/recent.js", find: "stamp.timeMs <= timeMs", replace: "stamp.timeMs < timeMs" }],
  },
  {
    name: "a deletion in front of history is told",
    world,
    edits: [
      {
        file: "store/past.js",
        find: "changes[oldest].record.version > 0 ? oldest + 1 : oldest",
        replace: "oldest + 1",
      },
    ],
    // On disk it is removed soon.
    set: { recentEventsMax: 1000 },
  },
  {
    name: "a compaction is of the other keyspace",
    world,
    edits: [
      {
        file: "store/state-machine.js",
        find: "(keyspace === etcdKeyspace ? this.etcd : this.objects)",
        replace: "(keyspace === etcdKeyspace ? this.objects : this.etcd)",
      },
    ],
  },
];

import type { PlantedFault } from "./planted-fault.js";

const world = "cluster";
const agent = "node-agent/core/agent.js";

/** Of the agents, and of the servers' sessions with them. */
export const clusterAgentsFaults: readonly PlantedFault[] = [
  {
    name: "an agent that starts again ends what it does not know of yet",
    world,
    edits: [
      { file: agent, find: "if (!this.#confirmed || !this.#watch.ready)", replace: "if (!this.#watch.ready)" },
      {
        file: agent,
        find: "this.#book = this.#active = { ...(book ?? emptyBook), clusterId:",
        replace: "this.#book = this.#active = { ...emptyBook, clusterId:",
      },
    ],
  },
  {
    name: "an agent without a server ends its Pods",
    world,
    edits: [
      {
        file: agent,
        find: "disconnect() {",
        replace: "disconnect() { for (const worker of this.#workers.values()) worker.want(undefined, 0);",
      },
    ],
  },
  {
    name: "an agent believes a server that has fallen behind",
    world,
    edits: [
      { file: "node-agent/core/assignment-book.js", find: "if (term < book.term)", replace: "if (false)" },
      { file: "node-agent/core/assignment-book.js", find: "if (resultsIn < book.revision)", replace: "if (false)" },
      {
        file: "src/server/agents/node-sessions.js",
        find: "store.reachedThen(hello.revision,",
        replace: "store.reachedThen(0,",
      },
    ],
    set: { "chaos.partitionMs": 1500, downMsMax: 8000, "cluster.chaos.cutMs": 2000 },
  },
  {
    name: "an agent does not hear what is taken from its node",
    world,
    edits: [
      {
        file: "src/server/agents/assignment-feed.js",
        find: "removedUids: [...removedUids],",
        replace: "removedUids: [],",
      },
    ],
  },
  {
    name: "changes that come while the way is full are forgotten",
    world,
    edits: [
      {
        file: "src/server/agents/assignment-feed.js",
        find: "this.#full = false;\n        if (this.#dirty)",
        replace: "this.#full = false;\n        if (false)",
      },
    ],
    set: { "cluster.windowMessages": 1, "cluster.delayUsMax": 60_000 },
  },
  {
    name: "a report that could not be written is taken for written",
    world,
    edits: [
      {
        file: "src/server/agents/report-folder.js",
        find: "this.#again(key, pending, 0);",
        replace: "settle(pending);",
      },
    ],
    set: { "chaos.partitionMs": 1500, downMsMax: 8000 },
  },
  {
    name: "a report is written over what its node has said since by another server",
    world,
    edits: [
      { file: "src/server/agents/report-folder.js", find: "if (this.#isFenced(pending))", replace: "if (false)" },
      {
        file: "src/server/agents/report-folder.js",
        find: "compares: [...txn.compares, pending.fence]",
        replace: "compares: txn.compares",
      },
    ],
    set: { "chaos.partitionMs": 1000, downMsMax: 8000, "cluster.chaos.cutMs": 1500 },
  },
  {
    name: "an answer counts for all reports",
    world,
    edits: [
      { file: "node-agent/core/report-outbox.js", find: "if (entry.sentIn !== sequence)", replace: "if (false)" },
    ],
  },
  {
    name: "a Pod is said to be gone while its containers run",
    world,
    edits: [
      {
        file: "node-agent/core/pod-removal.js",
        find: "const emptied = view.observed.length === 0 && !making;",
        replace: "const emptied = true;",
      },
    ],
  },
  {
    name: "a report is taken for the next Pod of that name",
    world,
    edits: [
      {
        file: "src/server/agents/reported-status.js",
        find: "if (!live || live.metadata.uid !== report.uid)",
        replace: "if (!live)",
      },
    ],
  },
  {
    name: "what is not to be restarted is restarted",
    world,
    edits: [
      {
        file: "node-agent/core/pod-task.js",
        find: "if (endedForGood(record, policy) && !changed)",
        replace: "if (false)",
      },
    ],
  },
  {
    name: "every node is told to run every Pod",
    world,
    edits: [
      {
        file: "src/server/agents/assignments.js",
        find: "snapshot.podsOnNode(node)",
        replace: 'snapshot.list("/Pod").filter((pod) => pod.spec.nodeName)',
      },
    ],
  },
  {
    name: "a Secret stays on a node that does not need it any more",
    world,
    edits: [
      {
        file: "src/server/agents/assignment-feed.js",
        find: "removedObjects: removedObjects.map(encodeRemoved),",
        replace: "removedObjects: [],",
      },
    ],
  },
  {
    name: "what one server hears of nodes the others do not learn",
    world,
    edits: [{ file: "src/server/agents/liveness-table.js", find: "this.#seen.set(replica, told);", replace: ";" }],
  },
  {
    name: "an agent that starts again overlooks containers that it has no orders for",
    world,
    edits: [
      {
        file: agent,
        find: "for (const { podUid } of this.#watch.all())",
        replace: "for (const { podUid } of [])",
      },
      {
        file: agent,
        find: "for (const uid of this.#workers.keys())",
        replace: "for (const uid of [])",
      },
      { file: agent, find: "else if (this.#confirmed)", replace: "else if (false)" },
    ],
    set: { "cluster.chaos.rebootMs": 3000, "cluster.chaos.cutMs": 3000, downMsMax: 8000 },
  },
];

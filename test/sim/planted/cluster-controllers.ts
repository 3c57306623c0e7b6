import type { PlantedFault } from "./planted-fault.js";

const world = "cluster";

/** Of the controllers, and of how they write. */
export const clusterControllersFaults: readonly PlantedFault[] = [
  {
    name: "more Pods are made than may run",
    world,
    edits: [
      { file: "src/controllers/replica-budget.js", find: "let room = replicas + surge -", replace: "let room = 9 -" },
    ],
  },
  {
    name: "a Pod that is being terminated makes room at once",
    world,
    edits: [
      {
        file: "src/controllers/pod-state.js",
        find: 'return nodeName !== "" && !isLostNode(',
        replace: "return false && !isLostNode(",
      },
    ],
  },
  {
    name: "a rollout takes more available Pods than it may",
    world,
    edits: [
      {
        file: "src/controllers/rollout.js",
        find: "let spare = newest.available +",
        replace: "let spare = 9 + newest.available +",
      },
      { file: "src/controllers/rollout.js", find: "if (sum(sizes) === 0 || shrinkMax <= 0)", replace: "if (false)" },
      { file: "src/controllers/replica-budget.js", find: "if (isAvailable && spare <= 0)", replace: "if (false)" },
    ],
  },
  {
    name: "nobody notices that a node is silent",
    world,
    edits: [
      {
        file: "src/controllers/node-lifecycle.js",
        find: 'heard === "no" ? "Unknown"',
        replace: 'heard === "no" ? before',
      },
    ],
    set: { "cluster.chaos.lossMs": 5000, "cluster.deletesNodes": false },
  },
  {
    name: "no Pod is evicted",
    world,
    edits: [
      {
        file: "src/controllers/taint-eviction.js",
        find: "const at = evictionAt(pod, taints, now, settings);",
        replace: "const at = undefined;",
      },
    ],
    set: { "cluster.chaos.lossMs": 5000, "cluster.deletesNodes": false },
  },
  {
    name: "a Pod that is being terminated is removed though its node is heard of",
    world,
    edits: [
      { file: "src/controllers/pod-garbage.js", find: 'if (ready?.status !== "Unknown")', replace: "if (!ready)" },
      { file: "src/controllers/pod-garbage.js", find: " + settings.podForceRemoveMs", replace: "" },
    ],
  },
  {
    name: "what is owned by nobody stays",
    world,
    edits: [{ file: "src/controllers/garbage-collector.js", find: "owners.dangling.push(reference);", replace: ";" }],
  },
  {
    name: "a ReplicaSet on its way out makes Pods",
    world,
    edits: [
      {
        file: "src/controllers/replica-set.js",
        find: "const manages = !isTerminating(set);",
        replace: "const manages = true;",
      },
    ],
    set: { "cluster.chaos.containerDeathMs": 300, "cluster.chaos.agentPauseMs": 1500 },
  },
  {
    name: "a Deployment's condition is new at each look",
    world,
    edits: [
      {
        file: "src/controllers/conditions.js",
        find: "if (present?.status === verdict.status && present.reason === verdict.reason && !touch)",
        replace: "if (false)",
      },
    ],
  },
  {
    name: "a generation is observed that is not there",
    world,
    edits: [
      {
        file: "src/controllers/replica-set.js",
        find: "{ observedGeneration: set.metadata.generation }",
        replace: "{ observedGeneration: set.metadata.generation + 1 }",
      },
    ],
  },
  {
    name: "updates are written over whatever is there",
    world,
    edits: [
      {
        file: "src/objects/transaction.js",
        find: "compares.push(unchangedSince(key, object.metadata.resourceVersion));",
        replace: ";",
      },
    ],
  },
  {
    name: "a server's cache keeps what was deleted",
    world,
    edits: [
      {
        file: "src/objects/cache.js",
        find: 'changed.set(event.key, event.type === "put" ? decodeRecord(event.record) : undefined);',
        replace: 'if (event.type === "put") changed.set(event.key, decodeRecord(event.record));',
      },
    ],
  },
];

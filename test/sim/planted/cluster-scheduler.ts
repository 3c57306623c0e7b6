import type { PlantedFault } from "./planted-fault.js";

const world = "cluster";
const filters = "src/scheduler/filters.js";

/** Of the scheduler. */
export const clusterSchedulerFaults: readonly PlantedFault[] = [
  {
    name: "a cordoned node takes Pods",
    world,
    edits: [{ file: filters, find: "node?.spec.unschedulable !== true ||", replace: "true ||" }],
    set: { "cluster.chaos.cordonMs": 1500 },
  },
  {
    name: "taints keep no Pod away",
    world,
    edits: [{ file: filters, find: "untolerated(podClass, room) === undefined,", replace: "true," }],
    set: { "cluster.chaos.cutMs": 3000, downMsMax: 8000 },
  },
  {
    name: "a node that is not ready takes Pods",
    world,
    edits: [
      {
        file: "src/scheduler/room.js",
        find: 'one.type === "Ready" && one.status === "True"',
        replace: 'one.type === "Ready"',
      },
    ],
    set: { "cluster.chaos.engineDownMs": 2000, downMsMax: 8000 },
  },
  {
    name: "a full processor takes Pods",
    world,
    edits: [
      {
        file: filters,
        find: "if (requests.cpuMilli > 0 && room.cpuMilli + requests.cpuMilli > offered.cpuMilli)",
        replace: "if (false)",
      },
    ],
    set: { "cluster.nodeCpuMilli": 200 },
  },
  {
    name: "a node takes any number of Pods",
    world,
    edits: [
      {
        file: filters,
        find: "if (room.pods + 1 > offered.pods)\n        return false;",
        replace: "",
      },
    ],
    set: { "cluster.nodePods": 2 },
  },
  {
    name: "a binding does not ask whether its node has changed",
    world,
    edits: [
      {
        file: "src/scheduler/decisions.js",
        find: "updates: [asObject(bound)], unchanged: [guard(node)]",
        replace: "updates: [asObject(bound)], unchanged: []",
      },
    ],
    set: { "cluster.chaos.cordonMs": 800, thinkMs: 300 },
  },
  {
    name: "Pods of one pass do not see each other",
    world,
    edits: [
      {
        file: "src/scheduler/plan.js",
        find: "this.#place(member, room);\n        this.#queue.placed(podClass);",
        replace: "this.#queue.placed(podClass);",
      },
    ],
    set: { "cluster.nodePods": 3 },
  },
  {
    name: "what is being terminated takes no room",
    world,
    edits: [
      {
        file: "src/scheduler/cluster-state.js",
        find: "after && !hasEnded(after) ?",
        replace: "after && !hasEnded(after) && after.metadata.deletionTimestamp === undefined ?",
      },
    ],
    set: { "cluster.nodePods": 3 },
  },
];

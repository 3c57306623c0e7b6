import { clusterAgentsFaults } from "./cluster-agents.js";
import { clusterControllersFaults } from "./cluster-controllers.js";
import { clusterSchedulerFaults } from "./cluster-scheduler.js";
import { electionsFaults } from "./elections.js";
import { livenessFaults } from "./liveness.js";
import { logFaults } from "./log.js";
import { membershipFaults } from "./membership.js";
import type { PlantedFault } from "./planted-fault.js";
import { readsFaults } from "./reads.js";
import { replicationFaults } from "./replication.js";
import { snapshotFaults } from "./snapshots.js";
import { storeWorldFaults } from "./store-world.js";
import { storeFaults } from "./store.js";
import { versionsFaults } from "./versions.js";

export const plantedFaults: readonly PlantedFault[] = [
  ...electionsFaults,
  ...replicationFaults,
  ...logFaults,
  ...readsFaults,
  ...livenessFaults,
  ...membershipFaults,
  ...snapshotFaults,
  ...storeFaults,
  ...storeWorldFaults,
  ...versionsFaults,
  ...clusterControllersFaults,
  ...clusterSchedulerFaults,
  ...clusterAgentsFaults,
];

/** By world; planted in every run of many seeds: one that comes back green says nothing. */
export const canaries: ReadonlyMap<string, PlantedFault> = new Map(
  plantedFaults.flatMap((fault) => {
    if (fault.name === "leader counts itself too early") return [["raft", fault]];
    if (fault.name === "a Pod is said to be gone while its containers run") return [["cluster", fault]];
    return fault.name === "a lease's keys outlive it" ? [["store", fault]] : [];
  }),
);

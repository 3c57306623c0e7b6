import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/agent.js";
import type { Clock, Log, Random, Timers } from "../../base/env.js";
import type { ObjectCache } from "../../objects/cache.js";
import type { ReplicaControl } from "../replica-status.js";
import type { LivenessTable } from "./liveness-table.js";
import type { PodNetworkPlan } from "./pod-network-plan.js";
import type { ReportFolder } from "./report-folder.js";
import type { StoreCalls } from "./store-calls.js";

export type AgentSessionStream = ServerDuplexStream<ikada.agent.v1.AgentMessage, ikada.agent.v1.IServerMessage>;

/** What the agents' side of a replica works with. */
export interface AgentServices {
  readonly clusterId: string;
  readonly store: StoreCalls;
  readonly cache: ObjectCache;
  readonly replica: Pick<ReplicaControl, "status">;
  readonly liveness: LivenessTable;
  readonly folder: ReportFolder;
  readonly network: PodNetworkPlan;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly heartbeatMs: number;
  /** Agent addresses of all replicas. */
  readonly servers: readonly string[];
}

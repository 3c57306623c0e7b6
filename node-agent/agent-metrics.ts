import { Counter, Gauge, type Registry } from "prom-client";
import type { Agent } from "./core/agent.js";
import type { GrpcUplink } from "./uplink.js";

export interface AgentCounts {
  readonly agent: Agent;
  readonly uplink: GrpcUplink;
  readonly engineUp: () => boolean;
  readonly engineCalls: () => ReadonlyMap<string, number>;
}

/** What an agent counts, read when somebody asks. */
export function registerAgentMetrics(registry: Registry, counts: AgentCounts): void {
  const { agent, uplink, engineUp } = counts;
  const gauge = (name: string, help: string, value: () => number): void => {
    const metric = new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        metric.set(value());
      },
    });
  };
  gauge("ikada_agent_pods", "Pods assigned to this node.", () => agent.statistics.pods);
  gauge("ikada_agent_containers_running", "Own containers that run, sandboxes too.", () => agent.statistics.containers);
  gauge(
    "ikada_agent_reports_unacknowledged",
    "Pod statuses that no server has acknowledged yet.",
    () => agent.statistics.unacknowledged,
  );
  gauge("ikada_agent_connected", "1 while a session with a server is open.", () => (uplink.server === "" ? 0 : 1));
  gauge("ikada_agent_sessions", "Sessions opened since the start.", () => uplink.sessions);
  gauge("ikada_agent_engine_up", "1 while the container engine answers.", () => (engineUp() ? 1 : 0));
  const calls = new Counter({
    name: "ikada_agent_engine_calls_total",
    help: "Calls to the container engine, by their first word.",
    labelNames: ["call"],
    registers: [registry],
    collect() {
      calls.reset();
      for (const [call, count] of counts.engineCalls()) calls.inc({ call }, count);
    },
  });
  gauge("ikada_agent_assignments_revision", "Store revision of the assignments.", () => agent.position.revision);
}

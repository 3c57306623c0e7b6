import { Gauge, type Registry } from "prom-client";
import type { Agent } from "./core/agent.js";
import type { GrpcUplink } from "./uplink.js";

/** What an agent counts, read when somebody asks. */
export function registerAgentMetrics(
  registry: Registry,
  agent: Agent,
  uplink: GrpcUplink,
  engineUp: () => boolean,
): void {
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
  gauge("ikada_agent_assignments_revision", "Store revision of the assignments.", () => agent.position.revision);
}

import { status } from "@grpc/grpc-js";
import { Counter, Gauge, Histogram } from "prom-client";
import type { Registry } from "prom-client";
import type { ReplicaStatus } from "./replica-status.js";

/** The numbers of one server process's listeners and of its replica. */
export class ServerMetrics {
  readonly #calls: Counter<"method" | "code">;
  readonly #latency: Histogram<"method">;
  readonly #inWork: Gauge<"class">;
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
    const registers = [registry];
    this.#calls = new Counter({
      name: "ikada_grpc_calls_total",
      help: "Finished gRPC calls by method and status code.",
      labelNames: ["method", "code"],
      registers,
    });
    this.#latency = new Histogram({
      name: "ikada_grpc_call_seconds",
      help: "Duration of finished gRPC calls; streams count until they end.",
      labelNames: ["method"],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.#inWork = new Gauge({
      name: "ikada_grpc_calls_in_work",
      help: "gRPC calls in work by class: requests, watches, podStreams, backups, sessions, peers.",
      labelNames: ["class"],
      registers,
    });
  }

  /** Returns what to call once when the call has ended; later calls of it do nothing. */
  callStarted(method: string): (code: status) => void {
    const stop = this.#latency.startTimer({ method });
    let finished = false;
    return (code) => {
      if (finished) return;
      finished = true;
      stop();
      this.#calls.inc({ method, code: status[code] ?? String(code) });
    };
  }

  /** The listeners of a process share the gauge, so each tells what changed. */
  inWork(quota: string, change: 1 | -1): void {
    this.#inWork.inc({ class: quota }, change);
  }

  /** How many other replicas' states differ from this one's. */
  observeDivergence(read: () => number): void {
    const gauge: Gauge = new Gauge({
      name: "ikada_store_diverged_replicas",
      help: "Other replicas whose state differs from this one's at the same applied index; must be 0.",
      registers: [this.#registry],
      collect: () => gauge.set(read()),
    });
  }

  /** Gauges that are read from the replica whenever the metrics are. */
  observeReplica(read: () => ReplicaStatus): void {
    const gauge = (name: string, help: string, value: (status: ReplicaStatus) => number) => {
      const made: Gauge = new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect: () => made.set(value(read())),
      });
    };
    gauge("ikada_raft_term", "Present Raft term.", (replica) => replica.term);
    gauge("ikada_raft_is_leader", "1 while this replica leads.", (replica) => (replica.role === "Leader" ? 1 : 0));
    gauge("ikada_raft_leader_id", "Id of the leader this replica knows; 0 for none.", (replica) => replica.leader);
    gauge("ikada_raft_commit_index", "Highest log index known to be committed.", (replica) => replica.commit);
    gauge("ikada_raft_applied_index", "Highest log index applied to the store.", (replica) => replica.applied);
    gauge("ikada_raft_last_index", "Last index in this replica's log.", (replica) => replica.lastIndex);
    gauge("ikada_store_revision", "The store's revision on this replica.", (replica) => replica.revision);
    gauge("ikada_store_compact_revision", "History begins here.", (replica) => replica.compactRevision);
    gauge("ikada_store_live_bytes", "What the present objects take, about.", (replica) => replica.liveBytes);
    gauge("ikada_store_row_bytes", "What objects and history take on disk, about.", (replica) => replica.rowBytes);
  }
}

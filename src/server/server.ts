import { HealthImplementation } from "grpc-health-check";
import type { Registry } from "prom-client";
import type { Clock, Log, Random, Timers } from "../base/env.js";
import { Scope } from "../base/lifecycle.js";
import { createClient, ServerTls } from "../host/tls.js";
import type { TlsMaterial } from "../host/tls.js";
import type { ObjectCache } from "../objects/cache.js";
import type { Explainers } from "../objects/explanation.js";
import type { EtcdKeyspace } from "../../store/etcd.js";
import type { Backups, Store } from "../../store/store.js";
import { AgentService } from "./agents/agent-service.js";
import { LivenessTable } from "./agents/liveness-table.js";
import { PodNetworkPlan } from "./agents/pod-network-plan.js";
import { ReportFolder } from "./agents/report-folder.js";
import { storeCalls } from "./agents/store-calls.js";
import { certificateAuthentication, userAuthentication } from "./authentication.js";
import type { User } from "./authentication.js";
import { addClusterService } from "./cluster-service.js";
import { addEtcdServices } from "./etcd/etcd-services.js";
import { LeaseClock } from "./etcd/lease-clock.js";
import { Listener } from "./listener.js";
import { addPodsService } from "./pods/pods-service.js";
import { addReflection } from "./reflection.js";
import type { AddressBook } from "./members/address-book.js";
import { MemberOperations } from "./members/member-operations.js";
import type { ReplicaControl } from "./replica-status.js";
import { ReplicaLinks } from "./replicas/replica-links.js";
import { StateWatch } from "./replicas/state-watch.js";
import { addReplicasService } from "./replicas/replicas-service.js";
import { addResourcesService } from "./resources/resources-service.js";
import { ServerMetrics } from "./server-metrics.js";

export interface ServerOptions {
  /** This replica's id among `members`. */
  readonly id: number;
  readonly clusterId: string;
  /** Of this program. */
  readonly version: string;
  /** All replicas, this one among them; `name` is the CN of each one's certificate. Stays the caller's. */
  readonly members: AddressBook;
  /** `host:port` to bind; port 0 takes any. */
  readonly listen: { readonly api: string; readonly agents: string; readonly replicas: string };
  /** This replica's certificate (role server), and the authority that all certificates are verified against. */
  readonly tls: TlsMaterial;
  readonly users: readonly User[];
  readonly store: Store;
  readonly backups: Backups;
  /** Offered under etcd's names; absent: not at all. */
  readonly etcd?: EtcdKeyspace;
  readonly cache: ObjectCache;
  readonly replica: ReplicaControl;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** How often agents and servers say that they are there; default 1,000. */
  readonly heartbeatMs?: number;
  /** Addresses of all Pods, `a.b.0.0/16`; each node gets a /24 of it. Default 10.244.0.0/16. */
  readonly podNetwork?: string;
  /** How often a quiet watch gets a BOOKMARK; default 10,000. */
  readonly bookmarkMs?: number;
  /** Who explains objects of which kind; default: nobody. */
  readonly explainers?: Explainers;
}

export interface RunningServer {
  readonly ports: { readonly api: number; readonly agents: number; readonly replicas: number };
  /** For controllers: `nodeSilentMs`. */
  readonly liveness: LivenessTable;
  /** For the leader's clock of leases. */
  readonly leases: LeaseClock;
  /** What the health service says; false from the start, to be set when the replica has caught up. */
  setServing(serving: boolean): void;
  /** New certificates for connections from now on. */
  replaceTls(material: TlsMaterial): void;
  /** Refuses new calls, ends sessions and watches, waits for calls in work for `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

const heartbeatMsDefault = 1_000;
const closeGraceMs = 1_000;
/** A replica that takes longer to tell its digests is compared the next time. */
const stateAskMs = 5_000;
/** Streams of one connection. A program that watches much opens several; a node needs a session and its pod streams. */
const streamsPerConnection = { api: 1_000, agents: 300, replicas: 600 };

/**
 * Starts the three gRPC listeners of a replica: API (TLS, and tokens or certificates of users), agents (certificates of nodes) and replicas
 * (certificates of members). Nothing listens without TLS, nothing is answered without credentials but health.
 * @throws IkadaError Unavailable when an address can't be bound, Invalid for users or networks that make no sense
 */
export async function startListeners(options: ServerOptions): Promise<RunningServer> {
  const { store, cache, replica, members, log, clock, tls } = options;
  const scope = new Scope();
  const metrics = new ServerMetrics(options.registry);
  metrics.observeReplica(() => replica.status());
  const liveness = new LivenessTable(clock, options.id);
  const links = scope.use(new ReplicaLinks({ self: options.id, members, dial: dialOf(options), liveness, log }));
  const calls = storeCalls(store);
  const folder = scope.use(new ReportFolder(calls, options.timers, log));
  const agents = new AgentService({
    clusterId: options.clusterId,
    store: calls,
    cache,
    replica,
    liveness,
    folder,
    network: new PodNetworkPlan(options.podNetwork ?? "10.244.0.0/16"),
    clock,
    timers: options.timers,
    random: options.random,
    log,
    heartbeatMs: options.heartbeatMs ?? heartbeatMsDefault,
    get servers() {
      return members.members.map((member) => member.agents);
    },
  });

  const leases = new LeaseClock(
    replica,
    () => store.barrier(),
    (leader, lease, renew, deadlineMs) => links.lease(leader, lease, renew, deadlineMs),
  );
  const leaderAddress = () => members.member(replica.status().leader)?.api;
  const operations = new MemberOperations(replica, members);
  const guard = { metrics, log };
  const api = new Listener(
    { ...guard, authenticate: userAuthentication(options.users), leaderAddress },
    streamsPerConnection.api,
  );
  const { explainers = {}, bookmarkMs } = options;
  addResourcesService(api, { store, cache, explainers, bookmarkMs });
  addPodsService(api, { store, cache, agents, liveness, links });
  const { clusterId, version } = options;
  const { backups } = options;
  addClusterService(api, { clusterId, version, members, replica, links, operations, backups, log });
  const states = scope.use(
    new StateWatch({
      self: options.id,
      own: () => replica.status().digests,
      others: () => links.digests(stateAskMs),
      log,
    }),
  );
  metrics.observeDivergence(() => states.diverged.length);
  const { etcd, users } = options;
  if (etcd) {
    const diverged = (): readonly number[] => states.diverged;
    addEtcdServices(api, { clusterId, version, etcd, store, members, replica, leases, users, diverged });
  }
  const health = new HealthImplementation({ "": "NOT_SERVING" });
  health.addToServer(api);
  addReflection(api);

  const authenticate = certificateAuthentication("node");
  const agentListener = new Listener({ ...guard, authenticate, leaderAddress: none }, streamsPerConnection.agents);
  agents.addTo(agentListener);

  const isMember = (name: string): boolean => members.members.some((member) => member.name === name);
  const replicaListener = new Listener(
    { ...guard, authenticate: certificateAuthentication("server", isMember), leaderAddress: none },
    streamsPerConnection.replicas,
  );
  addReplicasService(replicaListener, { members, liveness, agents, replica, version, links, operations, leases });

  const credentials = [
    new ServerTls(tls, "optional"),
    new ServerTls(tls, "required"),
    new ServerTls(tls, "required"),
  ] as const;
  const listeners: Listener[] = [];
  let graceMs = closeGraceMs;
  scope.defer(async () => {
    await Promise.all(listeners.map((listener) => listener.close(graceMs)));
  });
  const listen = async (listener: Listener, address: string, tls: ServerTls): Promise<number> => {
    listeners.push(listener);
    return await listener.listen(address, tls);
  };
  try {
    const ports = {
      api: await listen(api, options.listen.api, credentials[0]),
      agents: await listen(agentListener, options.listen.agents, credentials[1]),
      replicas: await listen(replicaListener, options.listen.replicas, credentials[2]),
    };
    log.info("listening", ports);
    return {
      ports,
      liveness,
      leases,
      setServing: (serving) => health.setStatus("", serving ? "SERVING" : "NOT_SERVING"),
      replaceTls: (material) => {
        for (const listener of credentials) listener.replace(material);
      },
      close: async (grace = closeGraceMs) => {
        graceMs = grace;
        health.setStatus("", "NOT_SERVING");
        agents.close();
        await scope.close();
      },
    };
  } catch (error) {
    graceMs = 0;
    await scope.close();
    throw error;
  }
}

function dialOf({ tls }: ServerOptions): (address: string) => ReturnType<typeof createClient> {
  const identity = { certificate: tls.certificate, key: tls.key };
  return (address) => createClient(address, { authority: tls.authority, identity });
}

function none(): undefined {
  return undefined;
}

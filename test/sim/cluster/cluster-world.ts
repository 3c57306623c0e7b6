import type { ikada } from "#proto/agent.js";
import type { Entry } from "../../../raft/core/types.js";
import type { Env } from "../../../src/base/env.js";
import type { Pod } from "../../../src/api/kinds/pod.js";
import { SimulatedClock } from "../clock.js";
import { sameRecord } from "../../linearizability/keyspace-model.js";
import { RaftWorld } from "../raft-world.js";
import type { SeededRandom } from "../random.js";
import type { RunSeed } from "../seed-result.js";
import type { SimulatedReplica } from "../simulated-replica.js";
import type { Users, UsersOptions } from "../users.js";
import { Violation, type Rule } from "../violation.js";
import type { World } from "../world.js";
import { Census } from "./census.js";
import { drawClusterSwarm, type ClusterSwarm } from "./cluster-swarm.js";
import { Connections, type ConnectionEnd } from "./connections.js";
import { allRules } from "./invariants/all.js";
import type { ClusterRule } from "./invariants/rule.js";
import { firstMachineId, Machine } from "./machine.js";
import { NodeChaos } from "./node-chaos.js";
import { Operator } from "./operator.js";
import { controllerOf, PodBook } from "./pod-book.js";
import { ServerSite } from "./server-site.js";
import { Truth } from "./truth.js";
import { Wishes, type ClusterView } from "./workload.js";
import { WorkloadClient, type Workload } from "./workload-client.js";
import { drawWorkloadKind } from "./workloads/all.js";
import { secretWorkload } from "./workloads/secret.js";

/**
 * The whole cluster in one thread: the servers of the `raft` world with all their faults, and on each what production runs beside the store; agents
 * on fake engines; users and an operator. At the end all is healed, and what users want must be there soon and stay.
 */
export const runClusterSeed: RunSeed = (seed, options = {}) =>
  new RaftWorld(seed, options, {
    draw: drawClusterSwarm,
    users: (site) => new ClusterUsers(site),
    recoveryUsMax: 900_000_000,
    epilogueUs: 25_000_000,
  }).run();

/** What was wanted is looked at again when so much time has passed without any change. */
const lookAgainUs = 500_000;
/** At the end of the epilogue nothing is written for so long. */
const quietUs = 15_000_000;

class ClusterUsers implements Users {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #swarm: ClusterSwarm;
  readonly #replicas: readonly SimulatedReplica[];
  readonly #sites = new Map<number, ServerSite>();
  readonly #connections: Connections;
  readonly #machines: Machine[] = [];
  readonly #truth = new Truth();
  readonly #census = new Census();
  readonly #rules: readonly ClusterRule[];
  readonly #clients: WorkloadClient[] = [];
  readonly #operator: Operator;
  readonly #chaos: NodeChaos;
  readonly #isCut: (from: number, to: number) => boolean;
  readonly #counts = new Map<string, number>();
  readonly #servers: readonly string[];
  #lookedAt = { changes: -1, writes: -1, timeUs: 0, missing: "not looked at" as string | undefined };
  #lastWrite = { timeUs: 0, what: "" };

  constructor({ world, random, swarm, replicas, isCut }: UsersOptions) {
    this.#isCut = isCut;
    this.#world = world;
    this.#random = random.fork();
    this.#swarm = swarm as ClusterSwarm;
    this.#replicas = replicas;
    this.#servers = replicas.map(({ id }) => `server-${id}`);
    this.#connections = new Connections(world, random.fork(), this.#swarm.cluster);
    const now = (): number => world.timeUs / 1000;
    const book = new PodBook(this.#truth, now);
    this.#rules = allRules({
      truth: this.#truth,
      census: this.#census,
      book,
      machines: this.#machines,
      now,
      fail: (rule, message) => this.#fail(rule, message),
    });
    this.#truth.listen((step) => {
      const [first] = step.changes;
      const what = `${step.origin} writes ${describe(first?.before, first?.after)}`;
      this.#lastWrite = { timeUs: world.timeUs, what };
      if (world.trace.verbose)
        for (const { before, after } of step.changes)
          world.note(
            `${step.revision} ${step.origin}: ${before ? (after ? "changes" : "removes") : "makes"} ${describe(before, after)}`,
          );
      for (const rule of this.#rules) rule.onStep?.(step);
    });
    for (const replica of replicas) {
      replica.onDown = () => this.#serverDown(replica);
      replica.onStatus = (status) => this.#sites.get(replica.id)?.onStatus(status);
    }
    const nowOf = (id: number): number => new SimulatedClock(world, (replicas[id - 1] as SimulatedReplica).clock).now();
    this.#addClients(nowOf);
    this.#operator = new Operator({ name: "operator", world, random: random.fork(), swarm, nowOf });
    this.#operator.replicas = replicas;
    this.#chaos = new NodeChaos({
      world,
      random: random.fork(),
      swarm: this.#swarm,
      connections: this.#connections,
      replicas,
      machines: this.#machines,
      operator: this.#operator,
      join: () => this.#join(),
      count: (name) => this.#count(name),
    });
  }

  start(): void {
    const { nodes } = this.#swarm.cluster;
    for (let at = 0; at < nodes; at++) this.#addMachine();
    for (const client of this.#clients) client.start();
    this.#chaos.start();
  }

  get answered(): number {
    return this.#clients.reduce((sum, client) => sum + client.answered, 0);
  }

  onServing(replica: SimulatedReplica, env: Env): void {
    const { id, store } = replica;
    if (!store) return;
    const site = new ServerSite({
      id,
      env,
      store,
      servers: this.#servers,
      tell: (nodes) => this.#share(replica, nodes),
      observe: (node, message) => this.#onSent(node, message),
    });
    this.#sites.set(id, site);
  }

  onCommitted(entry: Entry): void {
    this.#truth.apply(entry);
    this.#chaos.onCommitted();
  }

  insist(core: readonly SimulatedReplica[]): void {
    Object.assign(this.#swarm.cluster, { engineErrorRate: 0, pullErrorRate: 0 });
    this.#chaos.stop();
    this.#operator.replicas = core;
    this.#operator.givesUp = false;
    for (const client of this.#clients) {
      client.replicas = core;
      client.insist();
    }
  }

  /** Also what users want is there: a server that is cut off from the others has to let its agents go. */
  get rest(): boolean {
    return this.#operator.rests && this.#clients.every((client) => client.rests) && this.isSettled();
  }

  stop(present: readonly SimulatedReplica[]): void {
    for (const { clock } of this.#replicas) clock.wallOffsetMs = 0;
    for (const client of [...this.#clients, this.#operator]) {
      client.replicas = present;
      client.stopped = true;
    }
  }

  get busy(): boolean {
    return this.#operator.busy || this.#clients.some((client) => client.busy);
  }

  /** What all users want is there, and all servers know it. */
  isSettled(): boolean {
    const { changes } = this.#census;
    const { writes } = this.#truth;
    const last = this.#lookedAt;
    const { timeUs } = this.#world;
    if (last.changes === changes && last.writes === writes && timeUs < last.timeUs + lookAgainUs)
      return last.missing === undefined;
    const missing = this.#missing();
    this.#lookedAt = { changes, writes, timeUs, missing };
    return missing === undefined;
  }

  get unsettled(): string {
    return this.#lookedAt.missing ?? "";
  }

  check(_committed: readonly Entry[], present: readonly SimulatedReplica[]): void {
    const missing = this.#missing();
    if (missing !== undefined) throw new Violation("O3 desired state", `it was there, and is not any more: ${missing}`);
    if (this.#lastWrite.timeUs > this.#world.timeUs - quietUs)
      throw new Violation("O11 convergence", `${this.#lastWrite.what} when all was as it should be for long`);
    for (const rule of this.#rules) rule.atEnd?.();
    this.#checkCaches(present);
    this.#world.runUntil(this.#world.timeUs + 1);
  }

  counts(): Record<string, number> {
    return {
      "objects written": this.#truth.writes,
      "agents started": this.#machines.reduce((sum, { starts }) => sum + starts, 0),
      "machines lost": this.#machines.filter(({ isLost }) => isLost).length,
      "requests answered": this.answered,
      ...Object.fromEntries([...this.#counts].map(([name, count]) => [`fault: ${name}`, count])),
    };
  }

  #addClients(nowOf: (id: number) => number): void {
    const world = this.#world;
    const random = this.#random;
    for (let at = 1; at <= this.#swarm.clients; at++) {
      const workloads: Workload[] = [];
      if (at === 1) workloads.push(workloadOf(secretWorkload, "shared"));
      for (let number = 1; number <= this.#swarm.cluster.workloads; number++) {
        const kind = drawWorkloadKind(random);
        workloads.push(workloadOf(kind, `${kind.name}-${at}-${number}`));
      }
      const options = { name: `client-${at}`, world, random: random.fork(), swarm: this.#swarm, nowOf };
      const client = new WorkloadClient(options, new Wishes(random.fork(), this.#swarm), workloads);
      client.replicas = this.#replicas;
      this.#clients.push(client);
    }
  }

  #addMachine(): void {
    const machine = new Machine({
      id: firstMachineId + this.#machines.length,
      world: this.#world,
      random: this.#random.fork(),
      swarm: this.#swarm,
      connections: this.#connections,
      servers: this.#servers,
      dial: (from, server) => this.#dial(from, server),
      observer: (from) => ({
        onStarted: (container) => {
          this.#census.started(from, container);
          this.#world.trace.mix(from.id);
          for (const rule of this.#rules) rule.onStarted?.(from, container);
          if (this.#world.trace.verbose) this.#world.note(`[${from.id}] ${nameOf(container.spec)} runs`);
        },
        onEnded: (container) => {
          this.#census.ended(from, container);
          for (const rule of this.#rules) rule.onEnded?.(from, container);
          if (this.#world.trace.verbose) this.#world.note(`[${from.id}] ${nameOf(container.spec)} has ended`);
        },
        onAsked: (container, what) => {
          for (const rule of this.#rules) rule.onAsked?.(from, container, what);
        },
      }),
      onFailpoint: (from, name) => this.#chaos.atFailpoint(from, name),
      onEnd: (from) => this.#chaos.restartLater(from),
    });
    this.#machines.push(machine);
    machine.start();
  }

  #join(): boolean {
    const { nodes, spareNodes } = this.#swarm.cluster;
    if (this.#machines.length >= nodes + spareNodes) return false;
    this.#addMachine();
    return true;
  }

  #dial(machine: Machine, server: string): ConnectionEnd {
    const replica = this.#replicas[this.#servers.indexOf(server)] as SimulatedReplica;
    return this.#connections.dial(machine.process, replica.process, (end) => {
      const site = this.#sites.get(replica.id);
      if (site) site.accept(machine.name, end);
      else end.close();
    });
  }

  #serverDown(replica: SimulatedReplica): void {
    this.#sites.delete(replica.id);
    this.#connections.lose(replica.process, false);
    for (const other of this.#replicas) {
      const site = this.#sites.get(other.id);
      if (!site || other === replica) continue;
      this.#world.after(this.#random.int(5_000), () => site.liveness.lost(replica.id), other.process);
    }
  }

  /** What a server tells the others of its agents takes the ways that consensus takes. */
  #share(from: SimulatedReplica, nodes: Parameters<ServerSite["liveness"]["learn"]>[1]): void {
    for (const to of this.#replicas) {
      if (to === from || this.#isCut(from.id, to.id)) continue;
      const site = this.#sites.get(to.id);
      const { epoch } = from.process;
      this.#world.after(
        this.#random.int(3_000),
        () => {
          if (from.process.epoch === epoch) site?.liveness.learn(from.id, nodes);
        },
        to.process,
      );
    }
  }

  #onSent(node: string, message: ikada.agent.v1.IServerMessage): void {
    for (const rule of this.#rules) rule.onSent?.(node, message);
  }

  #fail(rule: Rule, message: string): void {
    this.#world.fail(new Violation(rule, message));
  }

  #missing(): string | undefined {
    const snapshot = this.#truth.snapshot();
    const view: ClusterView = { snapshot, census: this.#census, machines: this.#machines };
    for (const { workloads } of this.#clients)
      for (const { kind, key } of workloads) {
        const object = snapshot.get(key.groupKind, key.namespace, key.name);
        const missing = object && kind.missing(object, view);
        if (missing !== undefined) return missing;
      }
    const lost = new Set(this.#machines.filter(({ isLost }) => isLost).map(({ name }) => name));
    for (const pod of snapshot.list<Pod>("/Pod")) {
      const { name, deletionTimestamp } = pod.metadata;
      const owner = controllerOf(pod.metadata);
      if (owner && !snapshot.byUid(owner.uid)) return `${name} is left of ${owner.kind} ${owner.name}, which is gone`;
      // Nobody can confirm the end of what ran on a machine that is lost, and nothing but a ReplicaSet's Pods may go without.
      if (deletionTimestamp !== undefined && (owner?.kind === "ReplicaSet" || !lost.has(pod.spec.nodeName ?? "")))
        return `${name} is still terminating`;
    }
    for (const set of snapshot.list("apps/ReplicaSet")) {
      const owner = controllerOf(set.metadata);
      if (owner && !snapshot.byUid(owner.uid)) return `${set.metadata.name} is left of ${owner.name}, which is gone`;
    }
    for (const uid of this.#census.pods())
      if (!snapshot.byUid(uid)) return `a container of Pod ${uid} runs, which is gone`;
    return undefined;
  }

  /** O8: the objects that a server knows are those of the store. */
  #checkCaches(present: readonly SimulatedReplica[]): void {
    const records = this.#truth.model.records();
    for (const { id, store } of present) {
      const actual = store ? [...store.peekPrefix("")] : [];
      if (actual.length !== records.length || !actual.every((record, at) => sameRecord(record, records[at])))
        throw new Violation("R5 state machine safety", `member ${id} does not hold what the log says`);
      const cache = this.#sites.get(id)?.cache.snapshot();
      for (const kind of ["/Pod", "/Node", "/Secret", "apps/ReplicaSet", "apps/Deployment"]) {
        const known = cache?.list(kind) ?? [];
        const wanted = this.#truth.snapshot().list(kind);
        const versions = (list: typeof known): string => list.map(({ metadata }) => metadata.resourceVersion).join();
        if (versions(known) !== versions(wanted))
          throw new Violation("O8 watches", `server ${id} knows other objects of ${kind} than there are`);
      }
    }
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}

function workloadOf(kind: Workload["kind"], name: string): Workload {
  return { kind, key: { groupKind: kind.groupKind, namespace: "default", name }, settled: false };
}

function nameOf({
  podName,
  role,
  containerName,
  attempt,
}: {
  podName: string;
  role: string;
  containerName: string;
  attempt: number;
}): string {
  return `${podName}/${role === "sandbox" ? role : containerName}/${attempt}`;
}

function describe(before: object | undefined, after: object | undefined): string {
  const { kind, metadata, spec, status } = (after ?? before) as {
    kind: string;
    metadata: { name: string; deletionTimestamp?: string };
    spec?: { nodeName?: string; replicas?: number };
    status?: { phase?: string };
  };
  const parts = [
    spec?.replicas === undefined ? "" : `of ${spec.replicas}`,
    spec?.nodeName === undefined ? "" : `on ${spec.nodeName}`,
    status?.phase ?? "",
    metadata.deletionTimestamp === undefined ? "" : "terminating",
  ];
  return [kind, metadata.name, ...parts.filter((part) => part !== "")].join(" ");
}

import assert from "node:assert/strict";
import type { Deployment, ReplicaSet } from "../../src/api/kinds/apps.js";
import type { Node } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import type { AnyObject } from "../../src/api/object.js";
import type { Done, Env } from "../../src/base/env.js";
import { limits } from "../../src/base/limits.js";
import { allControllers } from "../../src/controllers/catalog.js";
import { fencesOf } from "../../src/controllers/deployment-plan.js";
import { controllerOf, isActive, isFinished, isLostNode, isReady } from "../../src/controllers/pod-state.js";
import { RevokedLeases } from "../../src/controllers/revoked-leases.js";
import { Runner } from "../../src/controllers/runner.js";
import { defaultControllerSettings, type ControllerSettings } from "../../src/controllers/settings.js";
import { ObjectCache } from "../../src/objects/cache.js";
import type { ObjectChange } from "../../src/objects/object-index.js";
import type { Changes } from "../../src/objects/changes.js";
import { objectStoreOf } from "../../src/objects/object-store.js";
import type { Snapshot } from "../../src/objects/snapshot.js";
import { changesToTxn, noChanges } from "../../src/objects/transaction.js";
import { updatedObject } from "../../src/objects/update-object.js";
import { Scheduler } from "../../src/scheduler/scheduler.js";
import { openLocalStoreThen } from "../../store/local-store.js";
import type { Replica } from "../../store/replica.js";
import type { TxnResult, WriteRequest } from "../../store/store.js";
import { FakeAgent, type AgentBehaviour } from "./fake-agent.js";
import { any, node } from "./objects.js";
import { VirtualTime, virtualEnv } from "./virtual-time.js";

export interface ClusterOptions {
  readonly seed?: number;
  readonly nodes?: readonly Node[];
  readonly behaviour?: Partial<AgentBehaviour>;
  readonly settings?: Partial<ControllerSettings>;
  /** Deployments whose bounds are checked at every change; all when absent. */
  readonly checks?: boolean;
}

/** Time from proposing to the log's having it, and from there to its being applied. */
const proposeMs = 0.4;
const commitMs = 0.6;
/** An edit and a decision made just before it may be in the log in either order. */
const graceMs = 5;

/** A store, a leader's controllers and scheduler, and agents that fake their containers: a whole cluster in virtual time. */
export class Cluster {
  readonly time = new VirtualTime();
  readonly env: Env;
  readonly behaviour: AgentBehaviour;
  readonly agents = new Map<string, FakeAgent>();
  /** spec.replicas of a Deployment's sets, in the order of their making, each time they changed: `3/1`. */
  readonly sizes: string[] = [];
  /** Log entries that changed something or tried to. */
  entries = 0;
  /** Called when the nth entry has been applied, before its writer knows. */
  onEntry: (entry: number, origin: string) => void = () => undefined;
  /** Breaches of surge and availability, in words. */
  readonly breaches: string[] = [];
  /** Uids of Pods that the test itself has deleted or failed. */
  readonly ownDeletions = new Set<string>();
  /** Availability is checked only while the test has promised that nothing fails. */
  checksAvailability = false;
  /** A new leader was told nothing of nodes that fell silent before its election. */
  forgetful = false;
  readonly #settings: ControllerSettings;
  readonly #specs = new Map<string, { readonly until: number; readonly deployment: Deployment }[]>();
  /** By Deployment: how many Pods may run, and how many were available, when it was last looked. */
  readonly #allowed = new Map<string, number>();
  readonly #available = new Map<string, number>();
  readonly #silentSince = new Map<string, number>();
  readonly #cache: ObjectCache;
  /** Of the replica that leads next: it has been there from the start. */
  readonly #revokedLeases: RevokedLeases;
  readonly #replica: Replica;
  readonly #outgoing: { readonly changes: Changes; readonly done: (tookPlace: boolean) => void }[] = [];
  /** Agents are about to look at the store. */
  #told = false;
  #leader: { readonly runner: Runner; alive: boolean } | undefined;

  constructor(options: ClusterOptions = {}) {
    this.env = virtualEnv(this.time, options.seed ?? 1);
    this.#settings = { ...defaultControllerSettings, ...options.settings };
    this.behaviour = { readyAfterMs: () => 400, stopAfterMs: () => 60, ...options.behaviour };
    let opened: Replica | undefined;
    openLocalStoreThen(this.env, { defer: (run) => void this.time.after(commitMs, run) }, (error, replica) => {
      assert.equal(error, null);
      opened = replica;
    });
    this.time.pass(100, () => opened !== undefined);
    assert(opened);
    this.#replica = opened;
    this.#cache = new ObjectCache(this.#replica, this.env.log);
    this.#revokedLeases = new RevokedLeases(this.#cache, this.time);
    this.#cache.onChanges((changes) => this.#changed(changes));
    for (const one of options.nodes ?? [node("alpha"), node("beta")]) this.addNode(one);
  }

  snapshot(): Snapshot {
    return this.#cache.snapshot();
  }

  get<T>(groupKind: string, name: string, namespace = "default"): T | undefined {
    return this.snapshot().get<T>(groupKind, namespace, name);
  }

  pods(): readonly Pod[] {
    return this.snapshot().list<Pod>("/Pod");
  }

  addNode(one: Node): void {
    this.create(any(one));
    this.agents.set(one.metadata.name, new FakeAgent(this, one.metadata.name));
  }

  /** The agent's machine is lost: its containers run on unseen, or are gone with it. */
  loseNode(name: string): void {
    this.agents.get(name)?.die();
    this.#silentSince.set(name, this.time.monotonic());
  }

  findNode(name: string): void {
    this.#silentSince.delete(name);
    this.agents.get(name)?.revive();
  }

  /** A leader with fresh memory. */
  elect(): void {
    this.depose();
    const electedAt = this.time.monotonic();
    const leader = { alive: true } as { runner: Runner; alive: boolean };
    const write = (request: WriteRequest, done: Done<readonly TxnResult[]>): void => {
      // A leader that dies loses what is not in the log yet; what is in the log is applied.
      this.time.after(proposeMs, () => {
        if (leader.alive) this.#write(request, done);
      });
    };
    leader.runner = new Runner({
      env: this.env,
      objects: objectStoreOf(this.#cache, write),
      controllers: allControllers(this.#settings),
      passes: [new Scheduler()],
      nodeSilentMs: (name) => {
        const since = this.#silentSince.get(name);
        if (this.forgetful && since !== undefined && since < electedAt) return undefined;
        return since === undefined ? 0 : this.time.monotonic() - since;
      },
      leaseRevokedForMs: (uid) => this.#revokedLeases.revokedForMs(uid),
    });
    this.#leader = leader;
  }

  depose(): void {
    if (this.#leader === undefined) return;
    this.#leader.alive = false;
    this.#leader.runner.close();
    this.#leader = undefined;
  }

  create(object: AnyObject): void {
    this.#commit({ ...noChanges, creates: [object] }, () => undefined);
  }

  /** Changes an object as the API would, again when it was changed meanwhile. `undefined` leaves it, "remove" takes it out. */
  change(
    groupKind: string,
    namespace: string,
    name: string,
    edit: (live: AnyObject) => AnyObject | "remove" | undefined,
  ): void {
    const live = this.snapshot().get(groupKind, namespace, name);
    const wanted = live === undefined ? undefined : edit(live);
    if (live === undefined || wanted === undefined) return;
    const { resourceVersion = "" } = live.metadata;
    const changes =
      wanted === "remove"
        ? { ...noChanges, removes: [{ groupKind, namespace, name, resourceVersion }] }
        : { ...noChanges, updates: [wanted] };
    this.#commit(changes, (tookPlace) => {
      if (!tookPlace) this.change(groupKind, namespace, name, edit);
    });
  }

  /** Changes a Deployment's spec. */
  edit(name: string, change: (spec: Deployment["spec"]) => Partial<Deployment["spec"]>): void {
    this.change("apps/Deployment", "default", name, (live) => {
      const deployment = live as unknown as Deployment;
      const spec = { ...deployment.spec, ...change(deployment.spec) };
      return updatedObject(live, any({ ...deployment, spec } as Deployment));
    });
  }

  setImage(name: string, image: string): void {
    this.edit(name, ({ template }) => ({
      template: { ...template, spec: { ...template.spec, containers: [{ name: "main", image }] } },
    }));
  }

  /** The rollout of the Deployment's present generation is through, and no old Pod is left in any form. */
  settled(name: string): boolean {
    const deployment = this.get<Deployment>("apps/Deployment", name);
    if (deployment === undefined) return false;
    const { status = {}, spec, metadata } = deployment;
    const replicas = spec.replicas ?? 1;
    return (
      status.observedGeneration === metadata.generation &&
      status.updatedReplicas === replicas &&
      status.replicas === replicas &&
      status.availableReplicas === replicas &&
      this.podsOf(deployment).filter((pod) => !isFinished(pod)).length === replicas
    );
  }

  podsOf(deployment: Deployment): readonly Pod[] {
    const sets = this.snapshot().ownedBy<ReplicaSet>(deployment.metadata.uid ?? "", "apps/ReplicaSet");
    return sets.flatMap((set) => this.snapshot().ownedBy<Pod>(set.metadata.uid ?? "", "/Pod"));
  }

  /** Checks the promises of every Deployment, as the engines and the store see them at this instant. */
  checkBounds(): void {
    const snapshot = this.snapshot();
    for (const deployment of snapshot.list<Deployment>("apps/Deployment")) {
      const { name } = deployment.metadata;
      const replicas = deployment.spec.replicas ?? 1;
      const { unavailable } = fencesOf(deployment);
      const most = this.#lately(deployment, (one) => (one.spec.replicas ?? 1) + fencesOf(one).surge, Math.max);
      const sets = snapshot.ownedBy<ReplicaSet>(deployment.metadata.uid ?? "", "apps/ReplicaSet");
      const running = [...this.agents.values()]
        .filter((agent) => !isLostNode(snapshot.get<Node>("/Node", "", agent.node)))
        .flatMap((agent) => Array.from(agent.engine.values()))
        .filter((one) => !one.ghost)
        .filter((one) => sets.some((set) => one.name.startsWith(`${set.metadata.name}-`))).length;
      if (running > most && running > (this.#allowed.get(name) ?? 0))
        this.breaches.push(`${name}: ${running} Pods run, ${most} may, at ${this.time.monotonic()} ms`);
      // A Deployment that was made smaller has too many for a while; it must only not get more.
      this.#allowed.set(name, Math.max(running, most));
      const available = sets
        .flatMap((set) => snapshot.ownedBy<Pod>(set.metadata.uid ?? "", "/Pod"))
        .filter((pod) => isActive(pod) && isReady(pod)).length;
      const before = this.#available.get(name) ?? 0;
      this.#available.set(name, available);
      // One that was made larger has too few for a while; it must only not get fewer.
      if (this.checksAvailability && available < Math.min(before, replicas - unavailable))
        this.breaches.push(
          `${name}: ${available} available, ${replicas} - ${unavailable} must be, at ${this.time.monotonic()} ms`,
        );
    }
  }

  /** No available Pod is taken away by a controller when that leaves too few, whatever else fails. */
  #checkTaken(changes: readonly ObjectChange[]): void {
    const snapshot = this.snapshot();
    for (const { before, after } of changes) {
      if (before?.kind !== "Pod") continue;
      const [was, is] = [before as unknown as Pod, after as unknown as Pod | undefined];
      if (!isActive(was) || !isReady(was) || (is !== undefined && isActive(is))) continue;
      const set = snapshot.byUid(controllerOf(was)?.uid ?? "") as ReplicaSet | undefined;
      const owner = snapshot.byUid((set && controllerOf(set)?.uid) ?? "") as Deployment | undefined;
      if (owner === undefined || this.ownDeletions.has(was.metadata.uid ?? "")) continue;
      const node = snapshot.get<Node>("/Node", "", was.spec.nodeName ?? "");
      if (isLostNode(node)) continue;
      const available = this.podsOf(owner).filter((pod) => isActive(pod) && isReady(pod)).length;
      const bound = this.#lately(
        owner,
        (deployment) => (deployment.spec.replicas ?? 1) - fencesOf(deployment).unavailable,
        Math.min,
      );
      if (available < bound)
        this.breaches.push(
          `${owner.metadata.name}: ${was.metadata.name} was taken, ${available} left, ${bound} must be`,
        );
    }
  }

  /** The lowest or highest of a bound over the last few milliseconds: what was decided just before an edit stands. */
  #lately(
    deployment: Deployment,
    bound: (deployment: Deployment) => number,
    choose: (...all: number[]) => number,
  ): number {
    const recent = (this.#specs.get(deployment.metadata.name) ?? []).filter(
      (one) => one.until > this.time.monotonic() - graceMs,
    );
    return choose(bound(deployment), ...recent.map((one) => bound(one.deployment)));
  }

  #noteSpecs(changes: readonly ObjectChange[]): void {
    for (const { before } of changes) {
      if (before?.kind !== "Deployment") continue;
      const list = this.#specs.get(before.metadata.name) ?? [];
      list.push({ until: this.time.monotonic(), deployment: before as unknown as Deployment });
      this.#specs.set(before.metadata.name, list.slice(-20));
    }
  }

  #changed(changes: readonly ObjectChange[]): void {
    this.#noteSizes();
    this.#noteSpecs(changes);
    this.#checkTaken(changes);
    this.checkBounds();
    // Agents hear of changes a moment later, as over a stream.
    if (this.#told) return;
    this.#told = true;
    this.time.after(0.3, () => {
      this.#told = false;
      for (const agent of this.agents.values()) agent.look();
    });
  }

  #noteSizes(): void {
    const sets = [...this.snapshot().list<ReplicaSet>("apps/ReplicaSet")].filter(
      (set) => controllerOf(set) !== undefined,
    );
    const revision = (set: ReplicaSet): number =>
      Number(set.metadata.annotations?.["deployment.kubernetes.io/revision"] ?? 0);
    const line = sets
      .sort((left, right) => revision(left) - revision(right))
      .map((set) => set.spec.replicas)
      .join("/");
    if (this.sizes.at(-1) !== line) this.sizes.push(line);
  }

  /** Writes of users and agents of the same moment are one entry, each a transaction for itself. */
  #commit(changes: Changes, done: (tookPlace: boolean) => void): void {
    this.#outgoing.push({ changes, done });
    if (this.#outgoing.length === 1) this.time.after(proposeMs, () => this.#send());
  }

  #send(): void {
    const batch = this.#outgoing.splice(0, limits.txnBatchMax);
    if (this.#outgoing.length > 0) this.time.after(proposeMs, () => this.#send());
    this.#write({ txns: batch.map((one) => changesToTxn(one.changes)), origin: "test" }, (error, results) => {
      assert.equal(error, null);
      for (const [at, one] of batch.entries()) one.done(results[at]?.succeeded === true);
    });
  }

  #write(request: WriteRequest, done: Done<readonly TxnResult[]>): void {
    this.#replica.writeThen(request, (error, results) => {
      this.entries += 1;
      this.onEntry(this.entries, request.origin);
      done(error, results);
    });
  }
}

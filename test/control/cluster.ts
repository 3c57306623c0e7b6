import assert from "node:assert/strict";
import type { Deployment, ReplicaSet } from "../../src/api/kinds/apps.js";
import type { Node } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import type { AnyObject } from "../../src/api/object.js";
import type { Done, Env } from "../../src/base/env.js";
import { allControllers } from "../../src/controllers/catalog.js";
import { fencesOf } from "../../src/controllers/deployment-plan.js";
import { controllerOf, isActive, isLostNode, isReady } from "../../src/controllers/pod-state.js";
import { Runner } from "../../src/controllers/runner.js";
import { defaultControllerSettings, type ControllerSettings } from "../../src/controllers/settings.js";
import { ObjectCache } from "../../src/objects/cache.js";
import type { Changes } from "../../src/objects/changes.js";
import { objectStoreOf } from "../../src/objects/object-store.js";
import type { Snapshot } from "../../src/objects/snapshot.js";
import { changesToTxn, noChanges } from "../../src/objects/transaction.js";
import { updatedObject } from "../../src/objects/update-object.js";
import { scheduler } from "../../src/scheduler/scheduler.js";
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
  /** Availability is checked only while the test has promised that nothing fails. */
  checksAvailability = false;
  readonly #settings: ControllerSettings;
  readonly #silentSince = new Map<string, number>();
  readonly #cache: ObjectCache;
  readonly #replica: Replica;
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
    this.#cache.onChanges(() => this.#changed());
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
      passes: [scheduler],
      nodeSilentMs: (name) => {
        const since = this.#silentSince.get(name);
        return since === undefined ? 0 : this.time.monotonic() - since;
      },
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
      this.podsOf(deployment).length === replicas
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
      const { surge, unavailable } = fencesOf(deployment);
      const sets = snapshot.ownedBy<ReplicaSet>(deployment.metadata.uid ?? "", "apps/ReplicaSet");
      const running = [...this.agents.values()]
        .filter((agent) => !isLostNode(snapshot.get<Node>("/Node", "", agent.node)))
        .flatMap((agent) => [...agent.engine.values()])
        .filter((one) => sets.some((set) => one.name.startsWith(`${set.metadata.name}-`))).length;
      if (running > replicas + surge && running > (this.#allowed.get(name) ?? 0))
        this.breaches.push(`${name}: ${running} Pods run, ${replicas} + ${surge} may, at ${this.time.monotonic()} ms`);
      // A Deployment that was made smaller has too many for a while; it must only not get more.
      this.#allowed.set(name, Math.max(running, replicas + surge));
      if (!this.checksAvailability) continue;
      const available = sets
        .flatMap((set) => snapshot.ownedBy<Pod>(set.metadata.uid ?? "", "/Pod"))
        .filter((pod) => isActive(pod) && isReady(pod)).length;
      if (available < replicas - unavailable)
        this.breaches.push(`${name}: ${available} available, ${replicas} - ${unavailable} must be, at ${this.time.monotonic()} ms`);
    }
  }
  readonly #allowed = new Map<string, number>();

  #changed(): void {
    this.#noteSizes();
    this.checkBounds();
    // Agents hear of changes a moment later, as over a stream.
    this.time.after(0.3, () => {
      for (const agent of this.agents.values()) agent.look();
    });
  }

  #noteSizes(): void {
    const sets = [...this.snapshot().list<ReplicaSet>("apps/ReplicaSet")].filter((set) => controllerOf(set) !== undefined);
    const revision = (set: ReplicaSet): number => Number(set.metadata.annotations?.["deployment.kubernetes.io/revision"] ?? 0);
    const line = sets
      .sort((left, right) => revision(left) - revision(right))
      .map((set) => set.spec.replicas)
      .join("/");
    if (this.sizes.at(-1) !== line) this.sizes.push(line);
  }

  #commit(changes: Changes, done: (tookPlace: boolean) => void): void {
    this.time.after(proposeMs, () =>
      this.#write({ txns: [changesToTxn(changes)], origin: "test" }, (error, results) => {
        assert.equal(error, null);
        done(results[0]?.succeeded === true);
      }),
    );
  }

  #write(request: WriteRequest, done: Done<readonly TxnResult[]>): void {
    this.#replica.writeThen(request, (error, results) => {
      this.entries += 1;
      this.onEntry(this.entries, request.origin);
      done(error, results);
    });
  }
}

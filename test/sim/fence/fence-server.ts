import { fencingLeaseAnnotation, fencingLeaseMs } from "../../../src/api/kinds/fencing-lease.js";
import { withDefaults } from "../../../src/api/defaults.js";
import type { AnyObject } from "../../../src/api/object.js";
import type { Env, Finished } from "../../../src/base/env.js";
import { allControllers } from "../../../src/controllers/catalog.js";
import type { Controller, Decision, World as Seen } from "../../../src/controllers/controller.js";
import { RevokedLeases } from "../../../src/controllers/revoked-leases.js";
import { Runner } from "../../../src/controllers/runner.js";
import { defaultControllerSettings } from "../../../src/controllers/settings.js";
import { ObjectCache } from "../../../src/objects/cache.js";
import type { Changes } from "../../../src/objects/changes.js";
import { objectStoreOf } from "../../../src/objects/object-store.js";
import type { ObjectKey } from "../../../src/objects/snapshot.js";
import { changesToTxn, noChanges } from "../../../src/objects/transaction.js";
import { Scheduler } from "../../../src/scheduler/scheduler.js";
import type { Replica } from "../../../store/replica.js";
import type { SimulatedReplica } from "../simulated-replica.js";

/** The Pod that may run once, and what it has. */
export const podName = "db-0";
export const leaseSeconds = 10;

/** How often a process looks whether it leads, and tries again what was not written. */
const everyMs = 50;
const againMs = 300;

export interface ServerOptions {
  readonly replica: SimulatedReplica;
  readonly store: Replica;
  readonly env: Env;
  readonly nodes: readonly string[];
  /** What the servers together know; it need not be true. */
  readonly nodeSilentMs: (node: string) => number | undefined;
}

/** What one life of a server's process does above its store: production's cache, controllers and scheduler, and a controller for the one Pod. */
export class FenceServer {
  readonly replica: SimulatedReplica;
  readonly store: Replica;
  readonly env: Env;
  readonly cache: ObjectCache;
  readonly #options: ServerOptions;
  readonly #revoked: RevokedLeases;
  #term = 0;
  #runner: Runner | undefined;
  #closed = false;

  constructor(options: ServerOptions) {
    const { replica, store, env } = options;
    this.#options = options;
    this.replica = replica;
    this.store = store;
    this.env = env;
    this.cache = new ObjectCache(store, env.log);
    this.#revoked = new RevokedLeases(this.cache, env.clock);
    this.#look();
  }

  /** Nothing more is decided. */
  close(): void {
    this.#closed = true;
    this.#runner?.close();
    this.#runner = undefined;
  }

  /** Decides from the present state and writes, again until it is written or there is nothing to write. */
  change(
    key: ObjectKey,
    decide: (live: AnyObject | undefined) => Changes | undefined,
    done: Finished = () => undefined,
  ): void {
    if (this.#closed) return;
    const changes = decide(this.cache.snapshot().get(key.groupKind, key.namespace, key.name));
    if (changes === undefined) return done(null);
    return this.store.writeThen({ txns: [changesToTxn(changes)], origin: "agents" }, (error, results) => {
      if (error === null && results[0]?.succeeded === true) done(null);
      else this.env.timers.after(againMs, () => this.change(key, decide, done));
    });
  }

  #look(): void {
    if (this.#closed) return;
    const status = this.store.status();
    const term = status?.role === "Leader" ? status.term : 0;
    if (term !== this.#term) {
      this.#runner?.close();
      this.#runner = undefined;
      this.#term = term;
      if (term !== 0) this.#open(term);
    }
    this.env.timers.after(everyMs, () => this.#look());
  }

  #open(term: number): void {
    this.store.barrierThen((error) => {
      if (this.#closed || term !== this.#term || this.#runner) return;
      // Elected, and not confirmed: the next look asks again.
      if (error) this.#term = 0;
      else this.#lead();
    });
  }

  #lead(): void {
    const { nodes, nodeSilentMs } = this.#options;
    this.#runner = new Runner({
      env: this.env,
      objects: objectStoreOf(this.cache, (request, done) => this.store.writeThen(request, done)),
      controllers: [...allControllers(defaultControllerSettings), seeding(nodes)],
      passes: [new Scheduler()],
      nodeSilentMs,
      leaseRevokedForMs: (uid) => this.#revoked.revokedForMs(uid),
    });
  }
}

/** Makes the nodes, and the Pod whenever there is none: what a StatefulSet of one does. */
function seeding(nodes: readonly string[]): Controller {
  const key: ObjectKey = { groupKind: "/Pod", namespace: "default", name: podName };
  return {
    name: "seeding",
    wakes: (before, now) => (now === undefined && ["Pod", "Node"].includes(before?.kind ?? "") ? [key] : []),
    keys: () => [key],
    reconcile({ name }: ObjectKey, { snapshot }: Seen): Decision {
      const missing = nodes.filter((node) => snapshot.get("/Node", "", node) === undefined).map(nodeNamed);
      const pod = snapshot.get("/Pod", "default", name) === undefined ? [podOf(snapshot.revision)] : [];
      const creates = [...missing, ...pod];
      return creates.length === 0 ? {} : { changes: { ...noChanges, creates } };
    },
  };
}

function nodeNamed(name: string): AnyObject {
  return withDefaults({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, uid: `uid-${name}`, generation: 1, labels: { "kubernetes.io/hostname": name } },
    spec: {},
    status: { allocatable: { cpu: "4", memory: "8Gi", pods: "110" }, conditions: [{ type: "Ready", status: "True" }] },
  });
}

function podOf(revision: number): AnyObject {
  return withDefaults({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: podName,
      namespace: "default",
      uid: `uid-${revision}`,
      generation: 1,
      annotations: { [fencingLeaseAnnotation]: String(leaseSeconds) },
    },
    spec: {
      terminationGracePeriodSeconds: 2,
      containers: [{ name: "main", image: "db:1", command: ["sleep", "99999"] }],
    },
    status: { phase: "Pending" },
  });
}

export function isLeased(pod: AnyObject | undefined): boolean {
  return pod !== undefined && fencingLeaseMs(pod) !== undefined;
}

import type { Entry } from "../../../raft/core/types.js";
import type { Env } from "../../../src/base/env.js";
import { sameRecord } from "../../linearizability/keyspace-model.js";
import { override, type Overrides } from "../overrides.js";
import { RaftWorld } from "../raft-world.js";
import { SeededRandom } from "../random.js";
import type { RunSeed } from "../seed-result.js";
import type { SimulatedReplica } from "../simulated-replica.js";
import { drawSwarm, type Swarm } from "../swarm.js";
import { Crowd, type UsersOptions } from "../users.js";
import { Violation } from "../violation.js";
import type { Asked } from "./asked.js";
import { Draws } from "./draws.js";
import { LeaderLeases } from "./leader-leases.js";
import { checkAnswers, checkWatches, modelOf } from "./store-check.js";
import { StoreClient } from "./store-client.js";
import { StoreWatcher } from "./store-watcher.js";

/** The cluster, the network, the disks and the faults of the `raft` world, with users of all that the store can, who are compared with a model of it. */
export const runStoreSeed: RunSeed = (seed, options = {}) =>
  new RaftWorld(seed, options, { draw: drawStoreSwarm, users: (site) => new StoreUsers(site) }).run();

/** Numbers of its own beside those of the `raft` world of the same seed. */
const ownSeeds = 2 ** 41;

/** The `raft` world's, with more to do: more clients and keys, and history that is compacted, or in memory, to a different extent. */
function drawStoreSwarm(seed: number, random: SeededRandom, overrides: Overrides = {}): Swarm {
  const swarm = drawSwarm(seed, random, overrides);
  const own = new SeededRandom(seed + ownSeeds);
  const changed = {
    ...swarm,
    clients: own.between(2, 4),
    keys: own.between(2, 5),
    watches: own.between(1, 3),
    thinkMs: own.pick([2, 5, 10]),
    valueBytesMax: own.pick([1, 8, 64]),
    recentEventsMax: own.pick([1, 3, 10, 1000]),
    compactMs: 0,
    oldLogShare: 0,
  };
  override(changed, overrides);
  return changed;
}

class StoreUsers extends Crowd<StoreClient, StoreWatcher> {
  readonly #asked: Asked[] = [];
  readonly #leases = new Map<number, LeaderLeases>();
  #events = 0;
  #leasesRunOut = 0;

  constructor({ world, random, swarm, replicas }: UsersOptions) {
    super();
    const draws = new Draws(random.fork(), swarm);
    for (let at = 1; at <= swarm.clients; at++) {
      const client = new StoreClient({
        name: `client-${at}`,
        world,
        random: random.fork(),
        swarm,
        draws,
        asked: this.#asked,
        leasesOf: (id) => this.#leases.get(id),
      });
      client.replicas = replicas;
      this.clients.push(client);
    }
    const sessionUsMax = swarm.clientTimeoutMs * 2000;
    for (let at = 0; at < 2 * swarm.watches; at++) {
      const [ofEtcd, isWitness] = [at % 2 === 1, at < 2];
      const name = `watcher ${at + 1}`;
      const watcher = new StoreWatcher({ name, world, random: random.fork(), draws, ofEtcd, isWitness, sessionUsMax });
      watcher.replicas = replicas;
      this.watchers.push(watcher);
    }
  }

  onServing(replica: SimulatedReplica, env: Env): void {
    if (replica.store) this.#leases.set(replica.id, new LeaderLeases(replica, replica.store, env));
  }

  /** Leases that run out have done so. */
  isSettled({ store }: SimulatedReplica): boolean {
    if (!store) return false;
    const { leases } = store.etcd;
    return (
      leases.ids().every((id) => leases.ttlSeconds(id) !== 1) &&
      this.watchers.every(({ ofEtcd, position }) => position >= (ofEtcd ? store.etcd.revision() : store.revision()))
    );
  }

  check(committed: readonly Entry[], present: readonly SimulatedReplica[]): void {
    const model = modelOf(committed, this.#asked);
    const expected = model.objects.recordsAt(model.objects.revision);
    for (const { id, store } of present) {
      const actual = [...(store?.peekPrefix("") ?? [])];
      const equal = actual.length === expected.length && actual.every((record, at) => sameRecord(record, expected[at]));
      const revisions = [store?.revision(), store?.etcd.revision()];
      const floors = [store?.compactRevision(), store?.etcd.compactRevision()];
      const wanted = [
        [model.objects.revision, model.etcd.revision],
        [model.objects.compactRevision, model.etcd.compactRevision],
      ];
      if (!equal || JSON.stringify([revisions, floors]) !== JSON.stringify(wanted))
        throw new Violation("R5 state machine safety", `member ${id} does not hold what the log says`);
    }
    checkAnswers(this.#asked, model);
    for (const ofEtcd of [false, true]) {
      const watchers = this.watchers.filter((watcher) => watcher.ofEtcd === ofEtcd);
      this.#events += checkWatches(watchers, ofEtcd ? model.etcd : model.objects);
    }
    this.#leasesRunOut = model.leasesRunOut;
  }

  counts(): Record<string, number> {
    const answered = this.#asked.filter(({ returnedAt }) => returnedAt !== Infinity);
    const past = answered.flatMap((question) => (question.type === "past" ? [question.answer!.of] : []));
    const count = (of: string): number => past.filter((one) => one === of).length;
    return {
      "writes answered": answered.filter(({ type }) => type === "write").length,
      "etcd commands answered": answered.filter(({ type }) => type === "command").length,
      "looks answered": answered.filter(({ type }) => type === "look").length,
      "lists of the past": count("list"),
      "ranges of the past": count("range"),
      "histories of keys": count("changes"),
      "revisions found by time": count("revisionAt"),
      "refused as compacted": count("refusal"),
      "watch events": this.#events,
      "leases run out": this.#leasesRunOut,
    };
  }
}

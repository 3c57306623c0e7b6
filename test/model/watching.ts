import { setTimeout as sleep } from "node:timers/promises";
import type { Harness } from "../e2e/harness.js";
import type { FollowedWatch } from "../linearizability/nine-guarantees.js";
import type { SeededRandom } from "../sim/random.js";
import { drawRange } from "./etcd-draw.js";
import { EtcdWatcher } from "./etcd-watches.js";
import type { EtcdSite } from "./etcd-worker.js";
import { halves } from "./object-calls.js";
import { ObjectWatcher } from "./object-watches.js";
import type { ObjectSite } from "./object-worker.js";

/** Watches that come and go, in each keyspace, and how long one lives. */
const roamingMax = 4;
const roamingMs = 8_000;
/** Of a session, about: the seams are where mistakes are. */
const roamingSessionMs = 1_500;
const witnessSessionMs = 15_000;

interface Site {
  readonly harness: Harness;
  readonly etcd: EtcdSite;
  readonly objects: ObjectSite;
  readonly random: SeededRandom;
}

/** All watches of a run: of everything through each server, and others that begin in the past, with filters, and go from server to server. */
export class Watching {
  readonly etcdWitnesses: EtcdWatcher[];
  readonly objectWitnesses: ObjectWatcher[];
  readonly #site: Site;
  readonly #etcd: EtcdWatcher[] = [];
  readonly #objects: ObjectWatcher[] = [];
  #isOver = false;
  #made = 0;

  constructor(site: Site) {
    this.#site = site;
    const { etcd, objects, random } = site;
    const everything = { key: "\0", end: "\0", from: 0, prevKv: true, noPut: false, noDelete: false, fragment: false };
    this.etcdWitnesses = etcd.connections.map(
      (connection) =>
        new EtcdWatcher(`etcd ${connection.name}`, everything, [connection], random.fork(), witnessSessionMs),
    );
    etcd.witnessed = () => Math.min(...this.etcdWitnesses.map(({ position }) => position));
    this.objectWitnesses = objects.clients
      .filter(({ at }) => at !== "any")
      .map(
        (client) =>
          new ObjectWatcher(`objects ${client.at}`, "", objects.start, [client], random.fork(), witnessSessionMs),
      );
  }

  /** Every watch there was, of etcd's keyspace and of the objects. */
  get all(): { readonly etcd: readonly EtcdWatcher[]; readonly objects: readonly ObjectWatcher[] } {
    return {
      etcd: [...this.etcdWitnesses, ...this.#etcd],
      objects: [...this.objectWitnesses, ...this.#objects],
    };
  }

  /** Until `finish`. @throws what was wrong with a watch */
  async roam(): Promise<void> {
    while (!this.#isOver) {
      this.#open();
      if (this.#made > roamingMax) {
        await this.#etcd.at(-roamingMax - 1)?.stop();
        await this.#objects.at(-roamingMax - 1)?.stop();
      }
      for (let left = roamingMs / roamingMax; left > 0 && !this.#isOver; left -= 50) await sleep(50);
    }
  }

  /** Waits until all that are open have seen everything up to these revisions, and ends them. */
  async finish(etcdRevision: number, objectRevision: number): Promise<void> {
    this.#isOver = true;
    const { etcd, objects } = this.all;
    await this.#end(etcd.slice(0, 3), etcdRevision);
    await this.#end(objects.slice(0, 3), objectRevision);
    for (const watch of [...etcd.slice(3), ...objects.slice(3)]) await watch.stop();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    const { etcd, objects } = this.all;
    await Promise.allSettled([...etcd, ...objects].map((watch) => watch.stop()));
  }

  async #end(
    watches: readonly (FollowedWatch & { readonly position: number; stop(): Promise<void> })[],
    revision: number,
  ): Promise<void> {
    for (const watch of watches) {
      await this.#site.harness
        .eventually(`revision ${revision} in watch ${watch.name}`, () => Promise.resolve(watch.position >= revision))
        .catch((caught: unknown) => {
          throw new Error(`${String(caught)}; it is at ${watch.position}`, { cause: caught });
        });
      watch.until = revision;
      await watch.stop();
    }
  }

  #open(): void {
    const { etcd, objects, random } = this.#site;
    this.#made += 1;
    const name = `${this.#made}`;
    const range = random.chance(0.4) ? { key: "\0", end: "\0" } : drawRange(random);
    const filter = random.int(5);
    const options = {
      ...range,
      from: Math.max(0, etcd.past(random) - 1),
      prevKv: random.chance(0.5),
      noPut: filter === 0,
      noDelete: filter === 1,
      fragment: random.chance(0.3),
    };
    this.#etcd.push(new EtcdWatcher(name, options, etcd.connections, random.fork(), roamingSessionMs));
    const half = random.pick(["", ...halves]);
    const from = objects.past(random);
    this.#objects.push(new ObjectWatcher(name, half, from, objects.clients, random.fork(), roamingSessionMs));
  }
}

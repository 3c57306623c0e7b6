import type { Entry } from "../../raft/core/types.js";
import type { Env } from "../../src/base/env.js";
import { Client } from "./client.js";
import type { PatientClient } from "./patient-client.js";
import { checkHistory, checkLists, sameRecord, type ListRecord, type Recorded } from "./history.js";
import type { SeededRandom } from "./random.js";
import type { SimulatedReplica } from "./simulated-replica.js";
import { StateModel } from "./state-model.js";
import type { Swarm } from "./swarm.js";
import { Violation } from "./violation.js";
import { WatchClient } from "./watch-client.js";
import type { World } from "./world.js";

/** Those who use the replicas of a world, and the judges of what they were told. */
export interface Users {
  start(): void;
  /** Requests that were answered. */
  readonly answered: number;
  /** Asks these replicas alone, and insists on some more answers. */
  insist(core: readonly SimulatedReplica[]): void;
  /** All have the answers that they insisted on. */
  readonly rest: boolean;
  /** No new requests; watches go on, through these replicas. */
  stop(present: readonly SimulatedReplica[]): void;
  /** Somebody waits for an answer. */
  readonly busy: boolean;
  /** All watches have seen everything that this replica has, and nothing is under way. */
  isSettled(present: SimulatedReplica): boolean;
  /** @throws Violation when the committed entries do not explain what the replicas hold and what users were told */
  check(committed: readonly Entry[], present: readonly SimulatedReplica[]): void;
  counts(): Record<string, number>;
  /** A process has come so far that it answers. */
  onServing?(replica: SimulatedReplica, env: Env): void;
  /** An entry is committed, as the first that hears of it does. */
  onCommitted?(entry: Entry): void;
  /** What was missing when it was last asked whether all is settled, in words; "" for nothing. */
  readonly unsettled?: string;
}

export interface UsersOptions {
  readonly world: World;
  readonly random: SeededRandom;
  readonly swarm: Swarm;
  readonly replicas: readonly SimulatedReplica[];
  /** Whether messages of one replica reach another one. */
  readonly isCut: (from: number, to: number) => boolean;
}

/** Clients that ask until they are answered, and watchers: what is the same whatever they ask for. */
export abstract class Crowd<
  C extends PatientClient,
  W extends { replicas: readonly SimulatedReplica[]; start(): void },
> implements Users {
  protected readonly clients: C[] = [];
  protected readonly watchers: W[] = [];

  abstract isSettled(present: SimulatedReplica): boolean;
  abstract check(committed: readonly Entry[], present: readonly SimulatedReplica[]): void;
  abstract counts(): Record<string, number>;

  start(): void {
    for (const client of this.clients) client.start();
    for (const watcher of this.watchers) watcher.start();
  }

  get answered(): number {
    return this.clients.reduce((sum, client) => sum + client.answered, 0);
  }

  insist(core: readonly SimulatedReplica[]): void {
    for (const watcher of this.watchers) watcher.replicas = core;
    for (const client of this.clients) {
      client.replicas = core;
      client.insist(2);
    }
  }

  get rest(): boolean {
    return this.clients.every((client) => client.rests);
  }

  stop(present: readonly SimulatedReplica[]): void {
    for (const client of this.clients) {
      client.replicas = present;
      client.stopped = true;
    }
    for (const watcher of this.watchers) watcher.replicas = present;
  }

  get busy(): boolean {
    return this.clients.some((client) => client.busy);
  }
}

/** Clients that write, read and list, and watches of everything: the users of the `raft` world. */
export class RaftUsers extends Crowd<Client, WatchClient> {
  readonly #history: Recorded[] = [];
  readonly #lists: ListRecord[] = [];
  /** Keys whose history the search for an order gave up on. */
  #unknown = 0;

  constructor({ world, random, swarm, replicas }: UsersOptions) {
    super();
    for (let at = 1; at <= swarm.clients; at++) {
      const client = new Client({
        name: `client-${at}`,
        world,
        random: random.fork(),
        swarm,
        history: this.#history,
        lists: this.#lists,
      });
      client.replicas = replicas;
      this.clients.push(client);
    }
    for (let at = 1; at <= swarm.watches; at++) {
      const watcher = new WatchClient(world, random.fork(), swarm.clientTimeoutMs * 2000);
      watcher.replicas = replicas;
      this.watchers.push(watcher);
    }
  }

  isSettled({ store }: SimulatedReplica): boolean {
    return this.watchers.every((watcher) => watcher.revision === store?.revision());
  }

  check(committed: readonly Entry[], present: readonly SimulatedReplica[]): void {
    const model = new StateModel();
    for (const entry of committed) model.apply(entry);
    const expected = model.records();
    for (const { id, store } of present) {
      const actual = store ? [...store.peekPrefix("")] : [];
      const equal = actual.length === expected.length && actual.every((record, at) => sameRecord(record, expected[at]));
      if (!equal || store?.revision() !== model.revision) {
        throw new Violation("R5 state machine safety", `member ${id} does not hold what the log says`);
      }
    }
    this.#unknown = checkHistory(this.#history, model);
    checkLists(this.#lists, model);
    for (const watcher of this.watchers) watcher.check(model);
    for (const { id, store } of present)
      if (store?.compactRevision() !== model.compactRevision)
        throw new Violation("R5 state machine safety", `member ${id} has compacted to ${store?.compactRevision()}`);
  }

  counts(): Record<string, number> {
    const finished = this.#history.filter((recorded) => recorded.returnedAt !== Infinity);
    return {
      "lists answered": this.#lists.length,
      "histories not decided": this.#unknown,
      "reads answered": finished.filter((recorded) => recorded.type === "read").length,
      "writes answered": finished.filter((recorded) => recorded.type === "write").length,
      "requests unanswered": this.#history.length - finished.length,
    };
  }
}

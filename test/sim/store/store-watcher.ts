import { IkadaError } from "../../../src/base/errors.js";
import { isInRange, latin } from "../../linearizability/keyspace-model.js";
import type {
  FollowedWatch,
  LoggedChange,
  Seen,
  SeenEvent,
  WatchSession,
} from "../../linearizability/nine-guarantees.js";
import type { EtcdRange } from "../../../store/etcd.js";
import type { KeyRecord, WatchBatch, WatchEvent, WatchObserver } from "../../../store/store.js";
import type { SeededRandom } from "../random.js";
import type { SimulatedReplica } from "../simulated-replica.js";
import { Violation } from "../violation.js";
import type { World } from "../world.js";
import type { Draws } from "./draws.js";

export interface StoreWatcherOptions {
  readonly name: string;
  readonly world: World;
  readonly random: SeededRandom;
  readonly draws: Draws;
  /** Of the keyspace of etcd's services; else of the objects'. */
  readonly ofEtcd: boolean;
  /** It watches everything, so that it can tell how far it is. */
  readonly isWitness: boolean;
  readonly sessionUsMax: number;
}

/** One watch after another: each goes on through one replica after another until its place is compacted, or it is given up for one that begins in the past. */
export class StoreWatcher {
  replicas: readonly SimulatedReplica[] = [];
  readonly follows: FollowedWatch[] = [];
  readonly #options: StoreWatcherOptions;
  #watched: EtcdRange | string = "";
  #position = 0;
  #sessions: WatchSession[] = [];

  constructor(options: StoreWatcherOptions) {
    this.#options = options;
    this.#begin(0);
  }

  get ofEtcd(): boolean {
    return this.#options.ofEtcd;
  }

  /** It has seen everything up to it; known of witnesses only. */
  get position(): number {
    return this.#options.isWitness ? this.#position : Infinity;
  }

  start(): void {
    this.#options.world.after(this.#options.random.int(5_000), () => this.#open());
  }

  #begin(from: number): void {
    const { name, draws, ofEtcd, isWitness } = this.#options;
    const everything = ofEtcd ? { key: "\0", end: "\0" } : "";
    const watched = isWitness ? everything : ofEtcd ? draws.range() : draws.prefix();
    this.#watched = watched;
    this.#position = from;
    this.#sessions = [];
    const matches = (key: string): boolean =>
      typeof watched === "string" ? key.startsWith(watched) : isInRange(watched, key);
    const expects = (change: LoggedChange): SeenEvent | undefined => (matches(change.key) ? seenOf(change) : undefined);
    const text = `${name} of ${JSON.stringify(watched)} from ${from}`;
    this.follows.push({ name: text, sessions: this.#sessions, expects });
  }

  #open(): void {
    const { random, world, isWitness, sessionUsMax } = this.#options;
    const replica = random.pick(this.replicas);
    const { store, process } = replica;
    if (!store) return this.start();
    const keyspace = this.ofEtcd ? store.etcd : store;
    // A new watch of something else, that begins where history still is.
    if (!isWitness && random.chance(0.2)) {
      const start = keyspace.compactRevision();
      this.#begin(random.between(start, Math.max(start, keyspace.revision())));
    }
    const { epoch } = process;
    const session: WatchSession = { at: `member ${replica.id}`, from: this.#position, seen: [] };
    this.#sessions.push(session);
    let open = true;
    const end = (): void => {
      if (!open) return;
      open = false;
      this.start();
    };
    const observer: WatchObserver = {
      onBatch: (batch) => {
        if (open) this.#take(session.seen, batch);
      },
      onError: (error) => {
        if (open) this.#onError(error);
        end();
      },
    };
    let watch: { close(): void };
    try {
      const watched = this.#watched;
      watch =
        typeof watched === "string"
          ? store.watch(watched, this.#position, observer)
          : store.etcd.watch(watched, this.#position, observer);
    } catch (error) {
      return observer.onError(error as Error);
    }
    world.after(random.int(sessionUsMax), () => {
      if (process.epoch === epoch) watch.close();
      end();
    });
  }

  #take(seen: Seen[], { revision, events }: WatchBatch): void {
    this.#position = Math.max(this.#position, revision);
    if (events.length === 0) seen.push({ type: "progress", revision });
    else seen.push({ type: "events", events: events.map((event) => shown(event)) });
  }

  #onError(error: Error): void {
    if (!(error instanceof IkadaError) || error.reason !== "Compacted") return;
    const { revision = 0 } = error.details;
    if (revision <= this.#position) {
      const what = `${error.message}, and was watched to ${this.#position}`;
      this.#options.world.fail(new Violation("watch", what));
    }
    this.#begin(revision);
  }
}

/** All of a record but its key and last revision. */
export function contentOf({ createRevision, version, lease = 0, value }: KeyRecord): string {
  return `created ${createRevision} version ${version} lease ${lease}: ${latin(value)}`;
}

function seenOf({ revision, key, content, previous }: LoggedChange): SeenEvent {
  const type = content === undefined ? "delete" : previous === undefined ? "create" : "change";
  return { revision, key, type, content: content ?? "", ...(previous !== undefined && { previous }) };
}

function shown({ type, key, record, previous }: WatchEvent): SeenEvent {
  const { modRevision: revision, createRevision } = record;
  const before = previous ? { previous: contentOf(previous) } : {};
  if (type === "delete") return { revision, key, type, content: "", ...before };
  const isNew = createRevision === revision;
  return { revision, key, type: isNew ? "create" : "change", content: contentOf(record), ...before };
}

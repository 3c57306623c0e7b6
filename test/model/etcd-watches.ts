import { etcdserverpb as pb, mvccpb } from "#proto/etcd.js";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { setTimeout as sleep } from "node:timers/promises";
import { etcdMethods } from "../../src/host/etcd-methods.js";
import type { EtcdRange } from "../../store/etcd.js";
import { isInRange, latin } from "../linearizability/keyspace-model.js";
import type { FollowedWatch, LoggedChange, SeenEvent, WatchSession } from "../linearizability/nine-guarantees.js";
import type { SeededRandom } from "../sim/random.js";
import { type EtcdConnection, rangeToWire, recordFromWire } from "./etcd-wire.js";

export interface EtcdWatchOptions extends EtcdRange {
  readonly from: number;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly fragment: boolean;
}

/** Between a stream that broke and the next one. */
const pauseMs = 100;
const shownBytesMax = 100;
/** How often it is asked how far it is. */
const progressMs = 400;

/** All of a record but its key and last revision, which every event shows anyway. */
export function contentOf(record: {
  createRevision: number;
  version: number;
  lease?: number;
  value: Uint8Array;
}): string {
  const { createRevision, version, lease = 0, value } = record;
  return `created ${createRevision} version ${version} lease ${lease}: ${shortText(value)}`;
}

/** Long values differ in their first bytes. */
function shortText(value: Uint8Array): string {
  return value.length <= shownBytesMax ? latin(value) : `${latin(value.subarray(0, shownBytesMax))}… ${value.length}`;
}

/**
 * Follows a watch of etcd's keyspace: when its stream breaks, and now and then without a reason, it goes on at another server behind what
 * it was told last. What was compacted meanwhile ends it.
 */
export class EtcdWatcher implements FollowedWatch {
  readonly name: string;
  readonly sessions: WatchSession[] = [];
  until?: number;
  fragments = 0;
  /** When (monotonic milliseconds) the changes of a revision came first. */
  readonly seenAt = new Map<number, number>();
  readonly #options: EtcdWatchOptions;
  readonly #connections: readonly EtcdConnection[];
  readonly #random: SeededRandom;
  /** Mean length of a session that nobody breaks. */
  readonly #sessionMs: number;
  #position: number;
  #stream: ClientDuplexStream<pb.IWatchRequest, pb.WatchResponse> | undefined;
  #isStopped = false;
  #failure: Error | undefined;
  readonly #running: Promise<void>;

  constructor(
    name: string,
    options: EtcdWatchOptions,
    connections: readonly EtcdConnection[],
    random: SeededRandom,
    sessionMs: number,
  ) {
    this.name = `${name} ${JSON.stringify(options)}`;
    this.#options = options;
    this.#connections = connections;
    this.#random = random;
    this.#sessionMs = sessionMs;
    this.#position = options.from;
    this.#running = this.#run();
  }

  /** All changes up to it were given. */
  get position(): number {
    return this.#position;
  }

  /** It can't go on: its place in history is compacted. */
  get isOver(): boolean {
    return this.#isStopped;
  }

  expects({ revision, key, content, previous }: LoggedChange): SeenEvent | undefined {
    const { noPut, noDelete, prevKv } = this.#options;
    if (!isInRange(this.#options, key)) return undefined;
    if (content === undefined ? noDelete : noPut) return undefined;
    const type = content === undefined ? "delete" : previous === undefined ? "create" : "change";
    const before = prevKv && previous !== undefined ? { previous } : {};
    return { revision, key, type, content: content ?? "", ...before };
  }

  /** @throws what was wrong with a stream beyond doubt */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stream?.cancel();
    await this.#running;
    if (this.#failure) throw this.#failure;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const connection = this.#random.pick(this.#connections);
      const session: WatchSession = { at: connection.name, from: this.#position, seen: [] };
      this.sessions.push(session);
      await this.#follow(connection, session);
      if (!this.#isStopped) await sleep(pauseMs);
    }
  }

  /** Resolves when the stream is over, whatever the reason. */
  #follow(connection: EtcdConnection, session: WatchSession): Promise<void> {
    return new Promise((resolve) => {
      const { key, end, prevKv, noPut, noDelete, fragment } = this.#options;
      const { NOPUT, NODELETE } = pb.WatchCreateRequest.FilterType;
      const filters = [...(noPut ? [NOPUT] : []), ...(noDelete ? [NODELETE] : [])];
      const stream = connection.stream(etcdMethods.watch) as ClientDuplexStream<pb.IWatchRequest, pb.WatchResponse>;
      this.#stream = stream;
      const startRevision = this.#position + 1;
      const range = rangeToWire({ key, end });
      const asking = setInterval(() => void stream.write({ progressRequest: {} }), progressMs);
      const ending = setTimeout(() => stream.cancel(), this.#sessionMs * (0.5 + this.#random.next()));
      let isOver = false;
      const over = (): void => {
        if (isOver) return;
        isOver = true;
        clearInterval(asking);
        clearTimeout(ending);
        stream.cancel();
        resolve();
      };
      let parts: SeenEvent[] = [];
      stream.on("data", (response) => {
        if (isOver) return;
        if (response.canceled) {
          if (response.compactRevision > 0) this.#compacted(response.compactRevision);
          return over();
        }
        parts.push(...response.events.map((event: mvccpb.IEvent) => this.#shown(event)));
        if (response.fragment) return void (this.fragments += 1);
        this.#take(session, response, parts);
        parts = [];
        return undefined;
      });
      stream.on("error", over);
      stream.on("end", over);
      stream.write({ createRequest: { ...range, startRevision, prevKv, filters, fragment, progressNotify: true } });
    });
  }

  #take(session: WatchSession, { created, header }: pb.WatchResponse, events: readonly SeenEvent[]): void {
    const revision = header?.revision ?? 0;
    if (events.length > 0) {
      session.seen.push({ type: "events", events });
      if (!this.seenAt.has(revision)) this.seenAt.set(revision, performance.now());
      this.#position = Math.max(this.#position, revision);
    } else if (!created) {
      session.seen.push({ type: "progress", revision });
      this.#position = Math.max(this.#position, revision);
    }
  }

  /** From there on it could go on, so it must have been behind. */
  #compacted(revision: number): void {
    this.#isStopped = true;
    if (revision <= this.#position)
      this.#failure = new Error(`watch ${this.name}: refused as compacted to ${revision}, it was at ${this.#position}`);
  }

  #shown({ type, kv, prevKv }: mvccpb.IEvent): SeenEvent {
    const record = recordFromWire(kv ?? {});
    const { key, modRevision: revision } = record;
    const before = prevKv ? { previous: contentOf(recordFromWire(prevKv)) } : {};
    if (type === mvccpb.Event.EventType.DELETE) return { revision, key, type: "delete", content: "", ...before };
    const isNew = record.createRevision === revision;
    return { revision, key, type: isNew ? "create" : "change", content: contentOf(record), ...before };
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { IkadaError } from "../../sdk/index.js";
import type { FollowedWatch, LoggedChange, SeenEvent, WatchSession } from "../linearizability/nine-guarantees.js";
import type { SeededRandom } from "../sim/random.js";
import { contentText, namespace, ownLabel, versionOf } from "./object-calls.js";
import type { NamedClient } from "./object-worker.js";

/** A bookmark so often. */
const bookmarkSeconds = 1;
const pauseMs = 50;
const types = { ADDED: "create", MODIFIED: "change", DELETED: "delete" } as const;

/**
 * Follows a watch of the run's ConfigMaps through the SDK, which goes on over lost connections by itself; beside that it is ended now and
 * then and begun anew behind what came last, at another server.
 */
export class ObjectWatcher implements FollowedWatch {
  readonly name: string;
  readonly sessions: WatchSession[] = [];
  until?: number;
  /** Empty: both. */
  readonly #half: string;
  readonly #clients: readonly NamedClient[];
  readonly #random: SeededRandom;
  readonly #sessionMs: number;
  #position: number;
  #session: AbortController | undefined;
  #isStopped = false;
  #failure: IkadaError | undefined;
  readonly #running: Promise<void>;

  constructor(
    name: string,
    half: string,
    from: number,
    clients: readonly NamedClient[],
    random: SeededRandom,
    sessionMs: number,
  ) {
    this.name = `${name} of ${half || "all"} from ${from}`;
    this.#half = half;
    this.#clients = clients;
    this.#random = random;
    this.#sessionMs = sessionMs;
    this.#position = from;
    this.#running = this.#run();
  }

  /** All changes up to it were given. */
  get position(): number {
    return this.#position;
  }

  /** An object that comes to match is new, one that ceases to is gone. */
  expects({ revision, key, content, previous }: LoggedChange): SeenEvent | undefined {
    const [was, is] = [previous, content].map((text) => text !== undefined && this.#matches(text));
    if (!was && !is) return undefined;
    if (!is) return { revision, key, type: "delete", content: "" };
    return { revision, key, type: was ? "change" : "create", content: content ?? "" };
  }

  /** @throws what no fault explains */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#session?.abort();
    await this.#running;
    if (this.#failure) throw this.#failure;
  }

  #matches(content: string): boolean {
    return this.#half === "" || content.startsWith(`${this.#half}|`);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const named = this.#random.pick(this.#clients);
      const session: WatchSession = { at: named.at, from: this.#position, seen: [] };
      this.sessions.push(session);
      try {
        await this.#follow(named, session);
      } catch (caught) {
        const error = IkadaError.from(caught);
        const { reason, details } = error;
        // Its place in history is compacted: the end of this watch.
        if (reason === "Compacted" && (details.revision ?? 0) > this.#position) return;
        if (reason !== "Cancelled" && reason !== "Deadline") this.#failure = error;
        if (this.#failure) return;
      }
      await sleep(pauseMs);
    }
  }

  async #follow({ client }: NamedClient, { from, seen }: WatchSession): Promise<void> {
    const over = new AbortController();
    this.#session = over;
    const ending = setTimeout(() => over.abort(), this.#sessionMs * (0.5 + this.#random.next()));
    const labelSelector = this.#half === "" ? ownLabel : `${ownLabel},half=${this.#half}`;
    try {
      const options = { namespace, labelSelector, revision: from, bookmarkSeconds, signal: over.signal };
      for await (const event of client.configMaps.watch(options)) {
        const { type, revision } = event;
        this.#position = Math.max(this.#position, revision);
        if (type === "BOOKMARK") seen.push({ type: "progress", revision });
        else {
          const key = event.object.metadata.name;
          const content = type === "DELETED" ? "" : contentText(versionOf(event.object));
          seen.push({ type: "events", events: [{ revision, key, type: types[type], content }] });
        }
        if (over.signal.aborted) return;
      }
    } finally {
      clearTimeout(ending);
    }
  }
}

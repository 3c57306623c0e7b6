import { setTimeout as sleep } from "node:timers/promises";
import { IkadaError, type Client, type ConfigMap, type Draft, type Reason } from "../../sdk/index.js";
import type { Random } from "../../src/base/env.js";
import type { Call } from "../linearizability/recorded.js";
import type { Keys } from "./keys.js";
import type { RecordedCallStart, Recorder } from "./recorder.js";

export const namespace = "default";
export const ownLabel = "chaos=run";

/** Refusals that are decided on state as new as the call, and after which the call is over: it did not happen. */
const refusals: ReadonlySet<Reason> = new Set<Reason>(["Conflict", "AlreadyExists", "NotFound"]);
/** Outcomes that nobody knows: one of the tries may have reached a leader, and may still happen. */
export const unknowns: ReadonlySet<Reason> = new Set<Reason>([
  "Deadline",
  "Unavailable",
  "NoLeader",
  "Overloaded",
  "DiskFull",
  "Cancelled",
]);
/** Between two calls of one client: the load is there to be checked, not to be heavy. */
const pauseMsMin = 15;
const pauseMsRange = 30;

export interface ClientOptions {
  readonly name: string;
  /** The server that it asks, or `any`. */
  readonly node: string;
  readonly client: Client;
  readonly deadlineMs: number;
  readonly recorder: Recorder;
  readonly keys: Keys;
  readonly random: Random;
  /** After each acknowledged write. */
  acknowledged(): void;
}

interface Known {
  /** Undefined: not there. */
  readonly revision: number | undefined;
}

/** One client that does one thing after the other and writes down what it did and what it was told. */
export class RecordingClient {
  readonly #options: ClientOptions;
  /** What it last learned of each key; nothing when a call's outcome is unknown. */
  readonly #known = new Map<string, Known>();
  #life = 1;
  #values = 0;
  #stopped = false;
  /** When (monotonic milliseconds) it last was left without an answer. */
  lastUnknownMs = -Infinity;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Ends the run after the call in work. */
  stop(): void {
    this.#stopped = true;
  }

  /** @throws IkadaError for what no fault explains: a call that is refused as wrong or forbidden, a defect of a server */
  async run(): Promise<void> {
    const { keys, random } = this.#options;
    while (!this.#stopped) {
      const key = keys.next();
      await this.#one(key, this.#choose(this.#known.get(key)));
      await sleep(pauseMsMin + random.int(pauseMsRange));
    }
  }

  /** One call, whatever the client would choose. Returns whether it was answered with success. */
  async one(key: string, f: Call): Promise<boolean> {
    return this.#one(key, f);
  }

  #choose(known: Known | undefined): Call {
    const dice = this.#options.random.int(100);
    if (!known) return dice < 60 ? "read" : dice < 80 ? "create" : "write";
    if (known.revision === undefined) return dice < 65 ? "create" : dice < 95 ? "read" : "write";
    return dice < 35 ? "read" : dice < 60 ? "write" : dice < 90 ? "cas" : dice < 97 ? "delete" : "create";
  }

  async #one(key: string, f: Call): Promise<boolean> {
    const { name, node, recorder } = this.#options;
    const proc = `${name}.${this.#life}`;
    const isWrite = f !== "read" && f !== "delete";
    const from = f === "cas" || f === "delete" ? this.#known.get(key)?.revision : undefined;
    const value = isWrite ? `${name}:${(this.#values += 1)}` : undefined;
    const call = { proc, node, f, key, ...(value !== undefined && { value }), ...(from !== undefined && { from }) };
    this.#known.delete(key);
    recorder.begun(call);
    try {
      const found = await this.#send(call);
      recorder.ended(call, { type: "ok", ...found });
      this.#known.set(key, { revision: found.revision });
      if (f !== "read") this.#options.acknowledged();
      return true;
    } catch (caught) {
      this.#failed(call, IkadaError.from(caught));
      return false;
    }
  }

  #failed(call: RecordedCallStart, error: IkadaError): void {
    const { recorder } = this.#options;
    const { reason } = error;
    if (call.f === "read" && reason === "NotFound") {
      this.#known.set(call.key, { revision: undefined });
      return recorder.ended(call, { type: "ok" });
    }
    if (refusals.has(reason)) return recorder.ended(call, { type: "fail", reason });
    recorder.ended(call, { type: "info", reason });
    this.#life += 1;
    this.lastUnknownMs = performance.now();
    if (!unknowns.has(reason)) throw error;
  }

  /** What was written, or read; nothing after a deletion. */
  async #send({ f, key, value, from }: RecordedCallStart): Promise<{ value?: string; revision?: number }> {
    const { client, deadlineMs } = this.#options;
    if (f === "read") {
      const { metadata, data } = await client.configMaps.get(key, { namespace, deadlineMs });
      return { value: data!["value"]!, revision: Number(metadata.resourceVersion) };
    }
    if (f === "delete") {
      const resourceVersion = String(from);
      const { removed } = await client.configMaps.delete(key, { namespace, deadlineMs, resourceVersion });
      if (!removed) throw new IkadaError("Internal", `${key} is still there after its deletion`);
      return {};
    }
    const object = draft(key, value!, from);
    const { configMaps } = client;
    const written = await (f === "create"
      ? configMaps.create(object, { deadlineMs })
      : configMaps.update(object, { deadlineMs }));
    return { revision: Number(written.object.metadata.resourceVersion) };
  }
}

function draft(name: string, value: string, from: number | undefined): Draft<ConfigMap> {
  const labels = { chaos: "run", half: name.slice(-1) };
  const resourceVersion = from === undefined ? {} : { resourceVersion: String(from) };
  return { metadata: { name, namespace, labels, ...resourceVersion }, data: { value } };
}

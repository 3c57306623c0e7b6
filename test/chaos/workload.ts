import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../../src/base/limits.js";
import type { Client } from "../../sdk/index.js";
import type { Harness } from "../e2e/harness.js";
import type { SeededRandom } from "../sim/random.js";
import { halves, Keys } from "./keys.js";
import { namespace, ownLabel, RecordingClient } from "./recording-client.js";
import type { Recorder } from "./recorder.js";

/** Clients that ask whoever answers; beside them each server has one that asks it alone. */
const freeClients = 4;
/** Long enough for an election and a second server; a client that asks one server alone waits in vain for longer anyway. */
const freeDeadlineMs = 8_000;
const boundDeadlineMs = 4_000;
/** A call that nobody answered may wait so long in a server, and takes effect after that. */
const lateMsMax = limits.heldProposalMsMax + 1_000;
/** The last key that is written: a watch that has seen it has seen all. */
const lastKey = `last-${halves[0]}`;

/**
 * Clients that create, write, compare and swap, delete and read a few keys, and watches of them through each server, all written
 * down. Clients of a server ask that one alone, since it is the one that may be wrong.
 */
export class Workload {
  readonly #harness: Harness;
  readonly #recorder: Recorder;
  readonly #clients: Client[] = [];
  readonly #recording: RecordingClient[] = [];
  readonly #running: Promise<void>[] = [];
  readonly #watching: Promise<void>[] = [];
  readonly #acknowledgedMs: number[] = [];
  /** What ends the run as a failure. */
  readonly #failures: unknown[] = [];

  private constructor(harness: Harness, recorder: Recorder) {
    this.#harness = harness;
    this.#recorder = recorder;
  }

  /** Resolves when all watches have begun and the clients run. */
  static async start(harness: Harness, recorder: Recorder, random: SeededRandom): Promise<Workload> {
    const workload = new Workload(harness, recorder);
    const { servers } = harness.cluster;
    const begun = servers.map(async ({ name }) =>
      workload.#watch(await workload.#keep(harness.clientOf(name)), `watch-${name}`, ""),
    );
    begun.push(workload.#watch(await workload.#keep(harness.anotherClient()), "watch-any", `-${halves[0]}`));
    await Promise.all(begun);
    const keys = new Keys(random.fork());
    for (const { name } of servers)
      workload.#run(await workload.#keep(harness.clientOf(name)), name, `c-${name}`, keys, random.fork());
    for (let number = 1; number <= freeClients; number += 1)
      workload.#run(await workload.#keep(harness.anotherClient()), "any", `c${number}`, keys, random.fork());
    return workload;
  }

  /** Writes acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledgedMs.length;
  }

  /** Resolves once so many more writes were acknowledged. @throws Error when they don't come, or when a client or a watch has failed */
  async moreWrites(count: number): Promise<void> {
    const wanted = this.acknowledged + count;
    await this.#harness.eventually(`${count} writes`, () =>
      Promise.resolve(this.#failures.length > 0 || this.acknowledged >= wanted),
    );
    this.throwFailure();
  }

  /** The longest time without an acknowledged write in the time given, in milliseconds. */
  longestGapMs(fromMs: number, toMs: number): number {
    let last = fromMs;
    let longest = 0;
    for (const atMs of this.#acknowledgedMs) {
      if (atMs < fromMs) continue;
      longest = Math.max(longest, Math.min(atMs, toMs) - last);
      last = atMs;
      if (atMs > toMs) break;
    }
    return Math.max(longest, toMs - last);
  }

  /** @throws what a client or a watch has thrown */
  throwFailure(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /** Ends the clients and the watches, and writes down what each server holds. The cluster has to be whole. */
  async finish(): Promise<void> {
    for (const client of this.#recording) client.stop();
    await Promise.all(this.#running);
    const lastUnknownMs = Math.max(...this.#recording.map((client) => client.lastUnknownMs));
    await sleep(Math.max(0, lastUnknownMs + lateMsMax - performance.now()));
    this.throwFailure();
    const [last] = this.#recording.slice(-1);
    await this.#harness.eventually("the last write", async () => {
      return (await last!.one(lastKey, "create")) || last!.one(lastKey, "read");
    });
    let seen = false;
    const watching = Promise.all(this.#watching).then(() => (seen = true));
    await this.#harness.eventually("the last change in all watches", () =>
      Promise.resolve(seen || this.#failures.length > 0),
    );
    this.throwFailure();
    await watching;
    for (const { name } of this.#harness.cluster.servers) await this.#readBack(name);
  }

  /** Ends all calls. Needed after a failure too. */
  async close(): Promise<void> {
    for (const client of this.#recording) client.stop();
    await Promise.all(this.#clients.map((client) => client.close()));
    await Promise.all([...this.#running, ...this.#watching]);
  }

  async #keep(connecting: Promise<Client>): Promise<Client> {
    const client = await connecting;
    this.#clients.push(client);
    return client;
  }

  #run(client: Client, node: string, name: string, keys: Keys, random: SeededRandom): void {
    const recording = new RecordingClient({
      name,
      node,
      client,
      deadlineMs: node === "any" ? freeDeadlineMs : boundDeadlineMs,
      recorder: this.#recorder,
      keys,
      random,
      acknowledged: () => this.#acknowledgedMs.push(performance.now()),
    });
    this.#recording.push(recording);
    this.#running.push(recording.run().catch((failure: unknown) => void this.#failures.push(failure)));
  }

  /** Resolves when the watch has begun; it ends with the last key. */
  #watch(client: Client, watcher: string, filter: string): Promise<void> {
    return new Promise((begun) => {
      const follow = async (): Promise<void> => {
        const labelSelector = filter === "" ? ownLabel : `${ownLabel},half=${filter.slice(1)}`;
        for await (const event of client.configMaps.watch({ namespace, labelSelector })) {
          begun();
          const { type, revision } = event;
          const changed = event.type !== "BOOKMARK" && event.object;
          const change = changed && { key: changed.metadata.name, value: changed.data!["value"]! };
          this.#recorder.add({ line: "watch", watcher, filter, type, revision, ...change });
          if (change && change.key === lastKey) return;
        }
      };
      this.#watching.push(follow().catch((failure: unknown) => void this.#failures.push(failure)));
    });
  }

  async #readBack(node: string): Promise<void> {
    const client = await this.#harness.clientOf(node);
    try {
      const objects = client.configMaps.list({ namespace, labelSelector: ownLabel, deadlineMs: 60_000 });
      for await (const { metadata, data } of objects) {
        const [value, revision] = [data!["value"]!, Number(metadata.resourceVersion)];
        this.#recorder.add({ line: "final", node, key: metadata.name, value, revision });
      }
    } finally {
      await client.close();
    }
  }
}

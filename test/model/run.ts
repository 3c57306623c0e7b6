import { cpSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { etcdMethods } from "../../src/host/etcd-methods.js";
import { type Client, IkadaError } from "../../sdk/index.js";
import { limits } from "../../src/base/limits.js";
import { wholeCluster } from "../chaos/whole-cluster.js";
import { Harness } from "../e2e/harness.js";
import { SeededRandom } from "../sim/random.js";
import { checkRun, type Checked } from "./check.js";
import { Disturber } from "./disturbances.js";
import { EtcdConnection, rangeToWire, recordFromWire } from "./etcd-wire.js";
import { EtcdSite, EtcdWorker } from "./etcd-worker.js";
import { namedVersionOf, namespace, ownLabel } from "./object-calls.js";
import { type NamedClient, ObjectSite, ObjectWorker } from "./object-worker.js";
import { type Call, Recorder } from "./recorded.js";
import { Watching } from "./watching.js";

/** So many do one thing after the other at the same time, in each keyspace. */
const workersEach = 12;
/** The least that a server may be told to keep: the objects' history of a long run is more. */
const historyMegabytes = 16;
/** A call without an answer may wait so long in a server, and take effect after that. */
const lateMsMax = limits.heldProposalMsMax + 1_000;
const disturbancesMax = 30;
const operationsPerDisturbance = 600;

const wholeRange = {
  key: "\0",
  end: "\0",
  limit: 0,
  order: "NONE",
  by: "KEY",
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
} as const;

export interface ModelOptions {
  readonly operations: number;
  /** No more are begun after so long. @default no bound */
  readonly minutesMax?: number;
  /** Decides what is done; not how all that falls together. */
  readonly seed: number;
  /** Where the history goes; a new file. In a temporary folder when absent. */
  readonly historyFile?: string;
  readonly tell: (line: string) => void;
  /** Ends the run as a failure, with everything cleaned up. */
  readonly signal?: AbortSignal;
}

export interface ModelReport extends Checked {
  readonly historyFile: string;
  readonly disturbances: ReadonlyMap<string, number>;
  readonly leaderChanges: number;
  readonly compactions: { readonly etcd: number; readonly objects: number };
  readonly elapsedMs: number;
}

/** A cluster of real servers, clients of all its services, and a model that says what each answer had to be. The history is the caller's to remove. */
export async function runModel(options: ModelOptions): Promise<ModelReport> {
  const { seed, tell } = options;
  const historyFile = options.historyFile ?? join(mkdtempSync(join(tmpdir(), "ikada-model-")), "history.ndjson");
  tell(`seed ${seed}, history: ${historyFile}`);
  const recorder = new Recorder(historyFile);
  const harness = await Harness.start({ servers: 3, agents: 0, runtime: "fake", store: { historyMegabytes } });
  try {
    return { ...(await new Run(options, harness, recorder).go()), historyFile };
  } finally {
    recorder.close();
    cpSync(join(harness.cluster.folder, "logs"), `${historyFile}.logs`, { recursive: true });
    await harness.close();
  }
}

/** Removes the history and the logs of a run. */
export function removeHistory(file: string): void {
  rmSync(`${file}.logs`, { recursive: true });
  rmSync(file);
  if (dirname(file).startsWith(join(tmpdir(), "ikada-model-"))) rmdirSync(dirname(file));
}

class Run {
  readonly #options: ModelOptions;
  readonly #harness: Harness;
  readonly #recorder: Recorder;
  readonly #random: SeededRandom;
  #begun = 0;
  #failure: Error | undefined;

  constructor(options: ModelOptions, harness: Harness, recorder: Recorder) {
    this.#options = options;
    this.#harness = harness;
    this.#recorder = recorder;
    this.#random = new SeededRandom(options.seed);
  }

  async go(): Promise<Omit<ModelReport, "historyFile">> {
    const startedMs = performance.now();
    const { servers } = this.#harness.cluster;
    const connections = servers.map(({ name }) => new EtcdConnection(this.#harness.cluster, name));
    const clients = await this.#connect();
    const { client } = clients.at(-1)!;
    const revision = await this.#firstRevision(client);
    const etcd = new EtcdSite(this.#recorder, connections);
    const objects = new ObjectSite(this.#recorder, clients, revision);
    const watching = new Watching({ harness: this.#harness, etcd, objects, random: this.#random.fork() });
    try {
      const firstTerm = (await client.clusterStatus()).term;
      const disturbances = await this.#work(etcd, objects, watching);
      await this.#finish(etcd, objects, watching);
      const leaderChanges = (await client.clusterStatus()).term - firstTerm;
      const { all } = watching;
      for (const watch of [...all.etcd, ...all.objects]) this.#recorder.addWatch(watch);
      this.#options.tell("checking");
      const checked = checkRun({ etcd, objects, watching });
      const compactions = {
        etcd: etcd.calls.filter(({ f, outcome }) => f === "compact" && outcome === "ok").length,
        objects: this.#compactionsOfObjects(),
      };
      return { ...checked, disturbances, leaderChanges, compactions, elapsedMs: performance.now() - startedMs };
    } finally {
      await watching.close();
      for (const connection of connections) connection.close();
      await Promise.all(clients.map((named) => named.client.close()));
    }
  }

  /** One client that asks each server alone, and two that ask whoever answers. */
  async #connect(): Promise<NamedClient[]> {
    const harness = this.#harness;
    const pinned = harness.cluster.servers.map(async ({ name }) => ({
      at: name,
      client: await harness.clientOf(name),
    }));
    const free = [1, 2].map(async () => ({ at: "any", client: await harness.anotherClient() }));
    return Promise.all([...pinned, ...free]);
  }

  /** There is no past before the servers have written themselves down. */
  async #firstRevision(client: Client): Promise<number> {
    let revision = 0;
    await this.#harness.eventually("the first revision", async () => {
      ({ revision } = await client.configMaps.listPage({ namespace }));
      return revision > 0;
    });
    return revision;
  }

  /** All operations, and what happens to the servers meanwhile. @throws what no fault explains */
  async #work(etcd: EtcdSite, objects: ObjectSite, watching: Watching): Promise<ReadonlyMap<string, number>> {
    const { operations, tell } = this.#options;
    const disturber = new Disturber({
      harness: this.#harness,
      random: this.#random.fork(),
      every: Math.max(operationsPerDisturbance, Math.floor(operations / disturbancesMax)),
      progress: () => this.#begun,
      tell,
    });
    const failing = (running: Promise<void>): Promise<void> =>
      running.catch((caught: unknown) => void (this.#failure ??= IkadaError.from(caught)));
    const aside = [failing(disturber.run()), failing(watching.roam())];
    const workers = Array.from({ length: workersEach }, (_, at) => [
      new EtcdWorker(`e${at + 1}`, etcd, this.#random.fork()),
      new ObjectWorker(`o${at + 1}`, objects, this.#random.fork()),
    ]).flat();
    await Promise.all(workers.map((worker) => failing(this.#drive(worker))));
    disturber.stop();
    await aside[0];
    this.#throwFailure();
    return disturber.counts;
  }

  async #drive(worker: EtcdWorker | ObjectWorker): Promise<void> {
    const { operations, minutesMax = Infinity, signal } = this.#options;
    const endsMs = performance.now() + minutesMax * 60_000;
    while (this.#begun < operations && this.#failure === undefined && performance.now() < endsMs) {
      signal?.throwIfAborted();
      this.#begun += 1;
      await worker.one();
    }
  }

  /** Lets what is late happen, leases run out and watches see the end, and reads all from each server. */
  async #finish(etcd: EtcdSite, objects: ObjectSite, watching: Watching): Promise<void> {
    const unknown = [...etcd.calls, ...objects.calls].filter(({ outcome }) => outcome === "unknown");
    if (unknown.length > 0) await sleep(lateMsMax);
    await wholeCluster(this.#harness);
    await this.#harness.eventually("the end of leases that run out", async () => !(await this.#hasShortLeases(etcd)));
    const { revision } = await objects.clients.at(-1)!.client.configMaps.listPage({ namespace });
    await watching.finish(await this.#readEtcd(etcd), revision);
    for (const { at, client } of objects.clients) {
      const calledAt = this.#recorder.now();
      const page = await client.configMaps.listPage({ namespace, labelSelector: ownLabel });
      objects.calls.push({
        ...this.#end(at, "list", calledAt),
        f: "list",
        half: "",
        pageSize: 0,
        past: 0,
        local: false,
        revision: page.revision,
        answer: page.objects.map(namedVersionOf),
      });
    }
    this.#throwFailure();
  }

  async #hasShortLeases({ connections, calls }: EtcdSite): Promise<boolean> {
    const short = new Set(
      calls.flatMap((call) =>
        call.f === "command" && call.command.type === "grant" && call.command.ttlSeconds < 60
          ? [call.command.lease]
          : [],
      ),
    );
    const everything = rangeToWire(wholeRange);
    const { kvs } = await connections[0]!.ask(etcdMethods.range, everything, 5_000);
    return kvs.some((record) => short.has(recordFromWire(record).lease ?? 0));
  }

  /** Everything from each server, which has to be the same. Returns the revision. */
  async #readEtcd({ connections, calls }: EtcdSite): Promise<number> {
    const hashes = new Set<string>();
    let last = 0;
    for (const connection of connections) {
      const calledAt = this.#recorder.now();
      const everything = rangeToWire(wholeRange);
      const { header, kvs, count } = await connection.ask(etcdMethods.range, everything, 5_000);
      last = header?.revision ?? 0;
      calls.push({
        ...this.#end(connection.name, "range", calledAt),
        f: "range",
        query: { ...wholeRange, revision: 0 },
        revision: last,
        answer: { records: kvs.map((record) => recordFromWire(record)), more: false, count },
      });
      const { hash } = await connection.ask(etcdMethods.hashKv, { revision: last }, 5_000);
      hashes.add(`${last}: ${hash}`);
    }
    if (hashes.size > 1) throw new Error(`the servers' hashes differ: ${[...hashes].join(", ")}`);
    return last;
  }

  /** A call of the end that was answered just now. */
  #end(at: string, kind: string, calledAt: number): Call {
    const returnedAt = this.#recorder.now();
    return { id: this.#recorder.nextId(), worker: "end", at, kind, calledAt, returnedAt, outcome: "ok" };
  }

  #compactionsOfObjects(): number {
    const { servers } = this.#harness.cluster;
    const lines = servers.flatMap(({ name }) => this.#harness.logFields(name, "compacted history"));
    return lines.filter(({ keyspace }) => keyspace === "objects").length;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

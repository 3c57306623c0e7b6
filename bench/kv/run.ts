import { mkdirSync } from "node:fs";
import * as grpc from "@grpc/grpc-js";
import type { etcdserverpb as pb } from "#proto/etcd.js";
import { etcdMethods } from "../../src/host/etcd-methods.js";
import { callUnary } from "../../src/host/grpc.js";
import { createClient } from "../../src/host/tls.js";
import type { Contestant, Endpoint } from "../contestant.js";
import { etcdVersion, startEtcd } from "../etcd-contestant.js";
import { startIkada } from "../ikada-contestant.js";
import { machineLoad, median } from "../measure.js";
import { processorUs } from "../processor-time.js";
import { h2load, hasH2load, type H2LoadResult } from "./h2load.js";
import { putOf, rangedKey, workloads, type Workload } from "./workloads.js";
import type { LayeredBenchOptions } from "../layered-options.js";

/** `npm run bench -- kv`: what docs/performance.md explains. */

interface Row extends Workload {
  readonly row: string;
  readonly inFlight: number;
}

interface Measured extends H2LoadResult {
  /** Processor time of all three servers, for each call. */
  readonly serversUs: number;
}

/** Programs that are compiled while they run begin slowly: every row runs so long before anything is recorded. */
const warmUpMs = 2_000;
const firstCalls = 500;
export async function runKvBench({
  rounds,
  durationMs,
  etcd,
  profileFolder,
  only,
}: LayeredBenchOptions): Promise<void> {
  if (!hasH2load()) throw new Error("h2load is not there: apt-get install nghttp2-client");
  if (profileFolder !== undefined) mkdirSync(profileFolder, { recursive: true });
  const version = etcd ? etcdVersion() : undefined;
  const loadBefore = machineLoad();
  const rows = workloads
    .flatMap((workload) =>
      workload.inFlights.map((inFlight): Row => ({ ...workload, inFlight, row: `${workload.label}, ${inFlight}` })),
    )
    .filter(({ row }) => row.startsWith(only));
  const contestants: Contestant[] = [];
  try {
    contestants.push(await startIkada(profileFolder));
    if (version !== undefined) contestants.push(await startEtcd({ authenticates: true }));
    for (const contestant of contestants) await contestant.settle();
    const runs = contestants.map((contestant) => new Run(contestant, contestants));
    for (const run of runs) await run.prepare();
    say("warming up");
    for (const row of rows) for (const run of runs) await run.warmUp(row);
    const figures = new Map<Row, readonly Measured[][]>(rows.map((row) => [row, runs.map(() => [])]));
    for (let round = 1; round <= rounds; round += 1) {
      say(`round ${round} of ${rounds}`);
      for (const row of rows) {
        // Who begins changes, so that what the first leaves behind on the disk hits both.
        const order = [...runs.keys()];
        if (round % 2 === 0) order.reverse();
        for (const at of order) figures.get(row)![at]!.push(await runs[at]!.measure(row, durationMs));
      }
    }
    print(figures, contestants);
    const lines = [
      `Medians of ${rounds} rounds of ${durationMs / 1000} s, in turns; values of 256 bytes; h2load on up to 8 connections to the leader, TLS and a token for both.`,
      `Of each run of writes the key's version and the revision grew by the number of calls; of each run of reads every answer had the right length.`,
      `While one is measured the other's processes are stopped. Before: ${loadBefore}; after: ${machineLoad()}. Compare figures of one run, not of two.`,
      version === undefined
        ? "No etcd beside it: Debian's etcd-server is not installed, or --no-etcd."
        : `etcd ${version}: three members, default settings, simple tokens.`,
    ];
    process.stdout.write(`\n${lines.join("\n")}\n`);
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
}

/** One contestant's part. */
class Run {
  readonly contestant: Contestant;
  readonly #others: readonly Contestant[];
  /** Calls in a second of the last run of each row. */
  readonly #rates = new Map<Row, number>();

  constructor(contestant: Contestant, all: readonly Contestant[]) {
    this.contestant = contestant;
    this.#others = all.filter((other) => other !== contestant);
  }

  /** Writes what is read later. */
  async prepare(): Promise<void> {
    const client = new Checker(await this.contestant.endpoint());
    await client.put(putOf(rangedKey.toString()));
    client.close();
  }

  async warmUp(row: Row): Promise<void> {
    const { perSecond } = await this.#run(row, firstCalls);
    await this.#run(row, this.#callsIn(perSecond, warmUpMs));
  }

  /** @throws Error when the run did not do what it should have: its figure means nothing then */
  async measure(row: Row, durationMs: number): Promise<Measured> {
    // An idle cluster works too: heartbeats, leases, garbage collection. It would take a part of two processors.
    const stopped = this.#others.flatMap((other) => other.pids());
    for (const pid of stopped) process.kill(pid, "SIGSTOP");
    try {
      const pids = this.contestant.pids();
      const before = processorUs(pids);
      const result = await this.#run(row, this.#callsIn(this.#rates.get(row)!, durationMs));
      return { ...result, serversUs: (processorUs(pids) - before) / result.calls };
    } finally {
      for (const pid of stopped) process.kill(pid, "SIGCONT");
      for (const other of this.#others) await other.settle();
    }
  }

  async #run(row: Row, calls: number): Promise<H2LoadResult & { readonly calls: number }> {
    const endpoint = await this.contestant.endpoint();
    const client = new Checker(endpoint);
    try {
      const before = await client.look(row);
      const { path, message, inFlight } = row;
      const result = await h2load({ endpoint, path, message, calls, inFlight });
      const after = await client.look(row);
      check(`${this.contestant.name}, ${row.row}`, row, calls, before, after, result.bodyBytes);
      const { address } = await this.contestant.endpoint();
      if (address !== endpoint.address)
        throw new Error(`${this.contestant.name}, ${row.row}: the leader changed during the run`);
      this.#rates.set(row, result.perSecond);
      return { ...result, calls };
    } finally {
      client.close();
    }
  }

  #callsIn(perSecond: number, durationMs: number): number {
    return Math.max(128, Math.round((perSecond * durationMs) / 1000));
  }
}

/** What a client that understands gRPC sees before and after a run. */
interface Seen {
  readonly revision: number;
  readonly version: number;
  /** Of the answer to a range of `rangedKey`. */
  readonly answerBytes: number;
}

class Checker {
  readonly #client: grpc.Client;
  readonly #metadata = new grpc.Metadata();

  constructor({ address, authority, token }: Endpoint) {
    this.#client = createClient(address, { authority });
    this.#metadata.set("token", token);
  }

  async look({ written }: Workload): Promise<Seen> {
    const key = written ?? rangedKey;
    const response = await callUnary(this.#client, etcdMethods.range, { key }, { metadata: this.#metadata });
    return {
      revision: response.header?.revision ?? 0,
      version: response.kvs[0]?.version ?? 0,
      answerBytes: etcdMethods.range.serializeResponse(response).length,
    };
  }

  async put(request: pb.IPutRequest): Promise<void> {
    await callUnary(this.#client, etcdMethods.put, request, { metadata: this.#metadata });
  }

  close(): void {
    this.#client.close();
  }
}

/** @throws Error when the calls did not all do their work */
function check(label: string, { written }: Row, calls: number, before: Seen, after: Seen, bodyBytes: number): void {
  const grown = { revision: after.revision - before.revision, version: after.version - before.version };
  if (written !== undefined) {
    // A transaction's puts are one revision, and each key's version grows by one.
    if (grown.revision === calls && grown.version === calls) return;
    throw new Error(
      `${label}: of ${calls} writes the revision grew by ${grown.revision}, the key's version by ${grown.version}: the calls failed, or somebody else writes`,
    );
  }
  const expected = calls * (after.answerBytes + frameHeadBytes);
  if (grown.revision === 0 && bodyBytes === expected) return;
  throw new Error(`${label}: ${calls} answers had ${bodyBytes} bytes in place of ${expected}: calls were refused`);
}

const frameHeadBytes = 5;

function print(figures: ReadonlyMap<Row, readonly Measured[][]>, contestants: readonly Contestant[]): void {
  const line = (first: string, cells: readonly string[]): void => {
    process.stdout.write(`${first.padEnd(36)}${cells.map((cell) => cell.padStart(11)).join("")}\n`);
  };
  process.stdout.write("\n");
  const columns = ["per second", "p50 ms", "p99 ms", "servers us"];
  line("in flight", [...contestants.flatMap(({ name }) => [name, ...columns.map(() => "").slice(1)]), "", ""]);
  line("", [...contestants.flatMap(() => columns), ...(contestants.length === 2 ? ["ratio", "aim"] : [])]);
  for (const [{ row, inFlight, aims }, measured] of figures) {
    const middles = measured.map((rounds) => ({
      perSecond: median(rounds.map(({ perSecond }) => perSecond)),
      p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
      p99Ms: median(rounds.map(({ p99Ms }) => p99Ms)),
      serversUs: median(rounds.map(({ serversUs }) => serversUs)),
    }));
    const cells = middles.flatMap(({ perSecond, p50Ms, p99Ms, serversUs }) => [
      perSecond.toFixed(0),
      p50Ms.toFixed(2),
      p99Ms.toFixed(2),
      serversUs.toFixed(0),
    ]);
    const [own, other] = middles;
    if (own && other) {
      const ratio = own.perSecond / other.perSecond;
      const aim = aims[inFlight];
      cells.push(ratio.toFixed(2), aim === undefined ? "" : `${ratio >= aim ? "met" : "below"} ${aim}`);
    }
    line(row, cells);
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

import { mkdirSync } from "node:fs";
import type { Contestant, Endpoint } from "../contestant.js";
import { startEtcd, etcdVersion } from "../etcd-contestant.js";
import { machineLoad, median } from "../measure.js";
import type { Load, LoadResult } from "./client.js";
import { BenchCluster } from "./cluster.js";
import { durableWrites, type DiskRate } from "./disk.js";
import { Forked } from "../forked.js";
import type { LayeredBenchOptions } from "../layered-options.js";

/** `npm run bench -- raft`: what docs/performance.md explains. */

interface Row {
  readonly label: string;
  readonly call: Load["call"];
  readonly inFlight: number;
}

interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time in microseconds for each commit; of etcd's processes it is not known. */
  readonly leaderUs: number;
  readonly followersUs: number;
  readonly clientUs: number;
}

const inFlights = [1, 16, 128, 1024];
/** Servers that run for long are meant, not what their first seconds cost, in which code is being compiled: all rows one after the other, for so long each. */
const warmUpMs = 6_000;
const diskMs = 500;
const keyPrefix = "bench/";
const labels: Record<Load["call"], string> = {
  unary: "unary",
  stream: "stream",
  packed: "stream, one log entry a message",
  etcd: "etcd, unary",
};

type Client = Forked<Load, LoadResult>;

export async function runRaftBench(options: LayeredBenchOptions): Promise<void> {
  const { rounds, durationMs, profileFolder } = options;
  if (profileFolder !== undefined) mkdirSync(profileFolder, { recursive: true });
  const version = options.etcd ? etcdVersion() : undefined;
  const loadBefore = machineLoad();
  const calls: Load["call"][] = ["unary", "stream", "packed", ...(version === undefined ? [] : (["etcd"] as const))];
  const rows = calls
    .flatMap((call) => inFlights.map((inFlight): Row => ({ label: `${labels[call]}, ${inFlight}`, call, inFlight })))
    .filter(({ label, call, inFlight }) => label.startsWith(options.only) && (call !== "packed" || inFlight === 1024));
  const cluster = await BenchCluster.start(profileFolder);
  const client: Client = new Forked("./raft/client.js", profileFolder);
  const etcd = rows.some(({ call }) => call === "etcd") ? await startEtcd() : undefined;
  try {
    await etcd?.settle();
    const run = new Run(cluster, client, etcd);
    say("warming up");
    for (const row of rows) await run.measure(row, warmUpMs);
    const disk: DiskRate[] = [];
    const figures = new Map<Row, Measured[]>(rows.map((row) => [row, []]));
    for (let round = 1; round <= rounds; round += 1) {
      say(`round ${round} of ${rounds}`);
      disk.push(durableWrites(256, diskMs));
      for (const row of rows) figures.get(row)!.push(await run.measure(row, durationMs));
    }
    const writes = await run.verify();
    print(figures, disk);
    const lines = [
      `${writes} acknowledged writes: every one is in all three replicas, whose digests are equal.`,
      `Medians of ${rounds} rounds of ${durationMs / 1000} s; values of 256 bytes; TLS with certificates of both sides; three servers and one client share`,
      `this machine: before ${loadBefore}; after ${machineLoad()}. Compare rows of one run, not runs.`,
      version === undefined
        ? "No etcd beside it: Debian's etcd-server is not installed, or --no-etcd."
        : `etcd ${version}: three members on this machine, TLS, default settings; same client, same keys and values.`,
    ];
    process.stdout.write(`\n${lines.join("\n")}\n`);
  } finally {
    await Promise.all([client.close(), cluster.close(), etcd?.close()]);
  }
}

class Run {
  readonly #cluster: BenchCluster;
  readonly #client: Client;
  readonly #etcd: Contestant | undefined;
  /** Of each key, all acknowledged writes of the run. */
  readonly #acknowledged = new Map<string, { count: number; revision: number }>();

  constructor(cluster: BenchCluster, client: Client, etcd: Contestant | undefined) {
    this.#cluster = cluster;
    this.#client = client;
    this.#etcd = etcd;
  }

  /** @throws Error when a write failed: nothing here may */
  async measure({ label, call, inFlight }: Row, durationMs: number): Promise<Measured> {
    const leader = await this.#cluster.leader();
    const target =
      call === "etcd" ? targetOf(await this.#etcd!.endpoint()) : { address: leader.address, tls: this.#cluster.tls };
    const before = await this.#cluster.states();
    const result = await this.#client.ask<LoadResult>({ ...target, call, inFlight, durationMs });
    const after = await this.#cluster.states();
    if (result.failures > 0) throw new Error(`${label}: ${result.failures} writes failed`);
    if (call !== "etcd") this.#note(result);
    const usedUs = after.map(({ cpuUs }, at) => (cpuUs - before[at]!.cpuUs) / result.commits);
    const leaderUs = usedUs[leader.at]!;
    return {
      perSecond: (result.commits * 1000) / result.tookMs,
      p50Ms: result.p50Ms,
      p99Ms: result.p99Ms,
      leaderUs: call === "etcd" ? NaN : leaderUs,
      followersUs: call === "etcd" ? NaN : (usedUs.reduce((sum, each) => sum + each, 0) - leaderUs) / 2,
      clientUs: result.cpuUs / result.commits,
    };
  }

  /** Gives the number of acknowledged writes. @throws Error when replicas differ, or a key was not written as often and as late as was acknowledged */
  async verify(): Promise<number> {
    let writes = 0;
    for (const versions of await this.#cluster.settledVersions(keyPrefix)) {
      writes = 0;
      for (const [key, { count, revision }] of this.#acknowledged) {
        const found = versions.get(key);
        if (found?.version !== count || found.revision !== revision)
          throw new Error(
            `${key}: ${count} writes were acknowledged, the last as revision ${revision}; a replica has ` +
              `${found?.version ?? 0}, the last of revision ${found?.revision ?? 0}`,
          );
        writes += count;
      }
      if (versions.size !== this.#acknowledged.size) throw new Error("a replica has keys that nobody wrote");
    }
    return writes;
  }

  #note(result: LoadResult): void {
    for (const [key, { count, revision }] of result.acknowledged) {
      const known = this.#acknowledged.get(key) ?? { count: 0, revision: 0 };
      this.#acknowledged.set(key, {
        count: known.count + count,
        revision: Math.max(known.revision, revision),
      });
    }
  }
}

function targetOf({ address, authority }: Endpoint): Pick<Load, "address" | "tls"> {
  return { address, tls: { authority } };
}

function print(figures: ReadonlyMap<Row, readonly Measured[]>, disk: readonly DiskRate[]): void {
  const line = (first: string, cells: readonly string[]): void => {
    process.stdout.write(`${first.padEnd(40)}${cells.map((cell) => cell.padStart(12)).join("")}\n`);
  };
  process.stdout.write("\n");
  line("in flight", ["per second", "p50 ms", "p99 ms", "leader us", "follower us", "client us"]);
  const middle = <T>(values: readonly T[], of: (value: T) => number): number => median(values.map(of));
  line("the disk alone, pwrite + fdatasync, 1", [
    middle(disk, ({ rate }) => rate).toFixed(0),
    middle(disk, ({ p50Ms }) => p50Ms).toFixed(2),
    middle(disk, ({ p99Ms }) => p99Ms).toFixed(2),
  ]);
  for (const [{ label }, measured] of figures) {
    const us = [
      middle(measured, ({ leaderUs }) => leaderUs),
      middle(measured, ({ followersUs }) => followersUs),
      middle(measured, ({ clientUs }) => clientUs),
    ];
    line(label, [
      middle(measured, ({ perSecond }) => perSecond).toFixed(0),
      middle(measured, ({ p50Ms }) => p50Ms).toFixed(2),
      middle(measured, ({ p99Ms }) => p99Ms).toFixed(2),
      ...us.map((each) => (Number.isNaN(each) ? "" : each.toFixed(1))),
    ]);
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Contestant } from "../contestant.js";
import { etcdVersion, startEtcd } from "../etcd-contestant.js";
import { startIkada } from "../ikada-contestant.js";
import { machineLoad, median } from "../measure.js";
import { memoryMegabytes, processorUs } from "../processor-time.js";
import { Forked } from "../forked.js";
import type { Changes, ChangesDone } from "./changes.js";
import type { Service } from "./watched.js";
import type { WatchersAnswer, WatchersQuestion } from "./watchers.js";
import type { LayeredBenchOptions } from "../layered-options.js";

/** `npm run bench -- watch`: what docs/performance.md explains. */

interface Row {
  readonly label: string;
  readonly contestant: Contestant;
  readonly service: Service;
  readonly watchers: number;
  readonly stuck: boolean;
}

interface Measured {
  readonly changesPerSecond: number;
  readonly eventsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all three servers. */
  readonly megabytesBefore: number;
  readonly megabytesAfter: number;
  /** Processor time for each event at one watcher: of all three servers, and of the watchers. */
  readonly serversUs: number;
  readonly watchersUs: number;
  /** What became of the watcher that never read. */
  readonly stuckEnd: string | undefined;
}

const changesPerSecond = 1_000;
const watcherCounts = [100, 1_000];
/** So long it takes until a watcher that never reads is too far behind, and then some. */
const durationMsMin = 8_000;
const warmUpMs = 3_000;
/** Given to the last events. */
const settleMsMax = 15_000;
const aimP50Ms = 2;
const aimP99Ms = 8;

type Writer = Forked<Changes, ChangesDone>;
type Watchers = Forked<WatchersQuestion, WatchersAnswer>;

export async function runWatchBench(options: LayeredBenchOptions): Promise<void> {
  const { rounds, profileFolder } = options;
  const durationMs = Math.max(options.durationMs, durationMsMin);
  if (profileFolder !== undefined) mkdirSync(profileFolder, { recursive: true });
  const version = options.etcd ? etcdVersion() : undefined;
  const loadBefore = machineLoad();
  const contestants: Contestant[] = [];
  const writer: Writer = new Forked("./watch/changes.js", undefined);
  const watchers: Watchers = new Forked("./watch/watchers.js", undefined);
  try {
    contestants.push(await startIkada(profileFolder));
    if (version !== undefined) contestants.push(await startEtcd({ authenticates: true }));
    for (const contestant of contestants) await contestant.settle();
    const rows = rowsOf(contestants).filter(({ label }) => label.startsWith(options.only));
    say("warming up");
    for (const row of rows.filter(({ stuck }) => !stuck)) await measure(row, writer, watchers, warmUpMs);
    const figures = new Map<Row, Measured[]>(rows.map((row) => [row, []]));
    for (let round = 1; round <= rounds; round += 1) {
      say(`round ${round} of ${rounds}`);
      for (const row of rows) figures.get(row)!.push(await measure(row, writer, watchers, durationMs));
    }
    print(figures);
    const lines = [
      `Medians of ${rounds} rounds of ${durationMs / 1000} s; ${changesPerSecond} changes a second of 100 keys in turn, values of 220 bytes, by the leader; watchers on two`,
      "connections to each of the three servers; TLS and a token. Delays are from a change's sending by the writer to its event at each watcher.",
      `Aim at ${watcherCounts[0]} watchers: p50 ${aimP50Ms} ms, p99 ${aimP99Ms} ms. Before: ${loadBefore}; after: ${machineLoad()}.`,
      version === undefined
        ? "No etcd beside it: Debian's etcd-server is not installed, or --no-etcd."
        : `etcd ${version}.`,
    ];
    process.stdout.write(`\n${lines.join("\n")}\n`);
  } finally {
    await Promise.all([writer.close(), watchers.close()]);
    for (const contestant of contestants) await contestant.close();
  }
}

function rowsOf(contestants: readonly Contestant[]): readonly Row[] {
  const [ikada, etcd] = contestants;
  const kinds: readonly (readonly [string, Contestant | undefined, Service])[] = [
    ["Ikada, objects", ikada, "resources"],
    ["Ikada, etcd's API", ikada, "etcd"],
    ["etcd", etcd, "etcd"],
  ];
  return watcherCounts.flatMap((count) =>
    [false, true].flatMap((stuck) =>
      kinds.flatMap(([name, contestant, service]): Row[] =>
        contestant
          ? [{ label: `${name}, ${count}${stuck ? ", one stuck" : ""}`, contestant, service, watchers: count, stuck }]
          : [],
      ),
    ),
  );
}

/** @throws Error when a watcher was ended, or misses events */
async function measure(row: Row, writer: Writer, watchers: Watchers, durationMs: number): Promise<Measured> {
  const { contestant, service, label, stuck } = row;
  const endpoint = await contestant.endpoint();
  // So that everything to be watched is there.
  await writer.ask({ endpoint, service, perSecond: 200, durationMs: 600 });
  await watchers.ask({ type: "open", endpoint, service, watchers: row.watchers, stuck });
  const pids = contestant.pids();
  const before = await ask(watchers, "begin");
  const megabytesBefore = megabytesOf(pids);
  const [usedBefore, beganMs] = [processorUs(pids), performance.now()];
  const done = await writer.ask<ChangesDone>({ endpoint, service, perSecond: changesPerSecond, durationMs });
  const megabytesAfter = megabytesOf(pids);
  const expected = done.changes * row.watchers;
  const endMs = performance.now() + settleMsMax;
  let seen = await ask(watchers, "seen");
  while (seen.events < expected && performance.now() < endMs) {
    await sleep(20);
    seen = await ask(watchers, "seen");
  }
  const tookMs = performance.now() - beganMs;
  const { events, p50Ms, p99Ms } = seen;
  if (events !== expected)
    throw new Error(
      `${label}: the watchers were told of ${events} changes; ${done.changes} at ${row.watchers} are ${expected}`,
    );
  const serversUs = (processorUs(pids) - usedBefore) / events;
  const watchersUs = (seen.cpuUs - before.cpuUs) / events;
  const stuckEnd = stuck && contestant.name === "Ikada" ? await unstick(watchers) : undefined;
  await watchers.ask({ type: "close" });
  return {
    changesPerSecond: (done.changes * 1000) / done.tookMs,
    eventsPerSecond: (events * 1000) / tookMs,
    p50Ms,
    p99Ms,
    megabytesBefore,
    megabytesAfter,
    serversUs,
    watchersUs,
    stuckEnd,
  };
}

function ask(watchers: Watchers, type: "begin" | "seen"): Promise<WatchersAnswer & { type: "seen" }> {
  return watchers.ask<WatchersAnswer & { type: "seen" }>({ type });
}

async function unstick(watchers: Watchers): Promise<string> {
  const { events, end } = await watchers.ask<WatchersAnswer & { type: "unstick" }>({ type: "unstick" });
  return `${events} events, then: ${end}`;
}

function megabytesOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + memoryMegabytes(pid), 0);
}

function print(figures: ReadonlyMap<Row, readonly Measured[]>): void {
  const line = (first: string, cells: readonly string[]): void => {
    process.stdout.write(`${first.padEnd(36)}${cells.map((cell) => cell.padStart(11)).join("")}\n`);
  };
  process.stdout.write("\n");
  line("watchers", [
    "changes/s",
    "events/s",
    "p50 ms",
    "p99 ms",
    "servers MB",
    "MB after",
    "servers us",
    "watchers us",
  ]);
  for (const [{ label }, rounds] of figures) {
    const middle = (of: (measured: Measured) => number): number => median(rounds.map(of));
    line(label, [
      middle((one) => one.changesPerSecond).toFixed(0),
      middle((one) => one.eventsPerSecond).toFixed(0),
      middle((one) => one.p50Ms).toFixed(2),
      middle((one) => one.p99Ms).toFixed(2),
      middle((one) => one.megabytesBefore).toFixed(0),
      middle((one) => one.megabytesAfter).toFixed(0),
      middle((one) => one.serversUs).toFixed(1),
      middle((one) => one.watchersUs).toFixed(1),
    ]);
    for (const { stuckEnd } of rounds)
      if (stuckEnd !== undefined) process.stdout.write(`    the stuck one: ${stuckEnd}\n`);
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

import { spawn, type ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { IkadaError } from "../src/base/errors.js";
import { Harness } from "../test/e2e/harness.js";
import { beginFault, leaderFaults, type LeaderFault } from "../test/e2e/leader-faults.js";
import { MachineNetwork } from "../test/e2e/machine-network.js";
import { machineLoad } from "./measure.js";

/** Writes flow so long before a fault, and are watched so long behind it. */
const calmMs = 700;
const watchedMs = 2_500;
/** Between a cluster that is whole again and the next fault. A timeout that one fault has stretched may be longer still for up to a minute. */
const restMs = 500;
const servers = 3;

export interface FailoverOptions {
  readonly kinds: readonly string[];
  readonly times: number;
  /** For `calm`. */
  readonly minutes: number;
  readonly hogs: number;
}

/**
 * `npm run bench -- failover`: three servers on machines of their own (namespaces), one client of the SDK that creates one object after the
 * other, and a fault of the leader. The unavailability is the longest time between two acknowledged writes around the fault.
 */
export async function runFailoverBench({ kinds, times, minutes, hogs }: FailoverOptions): Promise<void> {
  const faults = kinds.filter((kind): kind is LeaderFault => leaderFaults.includes(kind as LeaderFault));
  const unknown = kinds.filter((kind) => kind !== "calm" && !faults.includes(kind as LeaderFault));
  if (unknown.length > 0)
    throw new IkadaError("BadRequest", `no such kind: ${unknown.join()}`, {
      hint: `there are ${[...leaderFaults, "calm"].join(", ")}`,
    });
  const loadBefore = machineLoad();
  const rows: string[] = [];
  await withCluster(async (harness, network) => {
    for (const fault of faults) {
      const gapsMs: number[] = [];
      for (let time = 1; time <= times; time++) {
        const gapMs = await once(fault, harness, network);
        process.stderr.write(`${fault} ${time}: ${Math.round(gapMs)} ms\n`);
        gapsMs.push(gapMs);
      }
      rows.push(`${fault.padEnd(10)} ${quantiles(gapsMs)}`);
    }
    if (kinds.includes("calm")) rows.push(await calm(harness, minutes, hogs));
  });
  if (faults.length > 0)
    process.stdout.write(`\n${"kind".padEnd(10)} ${["p50", "p90", "max"].map(cell).join(" ")}   (ms)\n`);
  process.stdout.write(`${rows.join("\n")}\n`);
  process.stdout.write(`${times} of each kind; before: ${loadBefore}; after: ${machineLoad()}\n`);
}

async function withCluster(work: (harness: Harness, network: MachineNetwork) => Promise<void>): Promise<void> {
  const network = MachineNetwork.create(servers);
  try {
    const harness = await Harness.start({ servers, agents: 0, runtime: "fake" }, network);
    try {
      await work(harness, network);
    } finally {
      await harness.close();
    }
  } finally {
    network.close();
  }
}

/** One fault; the milliseconds without an acknowledged write. */
async function once(fault: LeaderFault, harness: Harness, network: MachineNetwork): Promise<number> {
  const leader = await wholeCluster(harness);
  await sleep(restMs);
  const writer = new Writer(harness);
  await sleep(calmMs);
  const before = writer.count;
  if (before === 0) throw new Error("no write was acknowledged before the fault, so its effect can't be seen");
  const begun = await beginFault(fault, leader, harness, network);
  try {
    await sleep(watchedMs);
  } finally {
    await begun.end();
  }
  await writer.stop();
  return writer.longestGap(begun.atMs, begun.atMs + watchedMs);
}

/** All servers answer and are caught up. Returns the leader's name. */
async function wholeCluster(harness: Harness): Promise<string> {
  let name: string | undefined;
  await harness.eventually("a whole cluster", async () => {
    const { members, leader } = await harness.client.clusterStatus({ deadlineMs: 2_000 });
    name = members.find(({ id }) => id === leader)?.name;
    const last = Math.max(...members.map(({ applied }) => applied));
    return name !== undefined && members.every(({ reachable, applied }) => reachable && applied === last);
  });
  return name!;
}

/** No fault, but processes that want all processors: counts elections, which nobody needs. */
async function calm(harness: Harness, minutes: number, hogs: number): Promise<string> {
  await wholeCluster(harness);
  const termBefore = (await harness.client.clusterStatus()).term;
  const writer = new Writer(harness);
  const running: ChildProcess[] = [];
  for (let hog = 0; hog < hogs; hog++) running.push(spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }));
  const fromMs = performance.now();
  try {
    await sleep(minutes * 60_000);
  } finally {
    for (const hog of running) hog.kill("SIGKILL");
  }
  await writer.stop();
  const elections = (await harness.client.clusterStatus()).term - termBefore;
  const longest = writer.longestGap(fromMs, performance.now());
  return `calm       ${minutes} minutes, ${hogs} hogs: ${elections} elections, ${writer.count} writes, longest time without one ${Math.round(longest)} ms`;
}

/** Creates one object after the other, and remembers when each was acknowledged. */
class Writer {
  readonly #acknowledgedMs: number[] = [];
  readonly #running: Promise<void>;
  #stopped = false;

  constructor(harness: Harness) {
    this.#running = this.#run(harness);
  }

  get count(): number {
    return this.#acknowledgedMs.length;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** The longest time between two acknowledgements of which one lies in the window, or its ends. */
  longestGap(fromMs: number, toMs: number): number {
    let last = this.#acknowledgedMs[0] ?? fromMs;
    let longest = 0;
    for (const atMs of this.#acknowledgedMs) {
      if (atMs > fromMs && last < toMs) longest = Math.max(longest, atMs - last);
      last = atMs;
    }
    return Math.max(longest, toMs - last);
  }

  async #run(harness: Harness): Promise<void> {
    while (!this.#stopped) {
      await harness.client.create(
        { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "bench-", namespace: "default" } } as never,
        { deadlineMs: 60_000 },
      );
      this.#acknowledgedMs.push(performance.now());
    }
  }
}

function quantiles(values: readonly number[]): string {
  const sorted = [...values].sort((left, right) => left - right);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return [at(0.5), at(0.9), sorted.at(-1)!].map((value) => cell(String(Math.round(value)))).join(" ");
}

function cell(text: string): string {
  return text.padStart(6);
}

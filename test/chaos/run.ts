import { cpSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Harness } from "../e2e/harness.js";
import { MachineNetwork } from "../e2e/machine-network.js";
import { checkRecorded, type CheckReport } from "../linearizability/check.js";
import { linesOf } from "../linearizability/history-file.js";
import { readHistory } from "../linearizability/recorded.js";
import { SeededRandom } from "../sim/random.js";
import type { Site } from "./fault.js";
import { killLeaders } from "./leader-kills.js";
import { Recorder } from "./recorder.js";
import { runRounds } from "./rounds.js";
import { wholeCluster } from "./whole-cluster.js";
import { Workload } from "./workload.js";

/** Holds what a server of a run writes, and is filled fast. */
const smallDiskMebibytes = 384;
/** What one round takes, about, and the servers that join in it at most. */
const roundMs = 6_000;
const sparesPerRound = 2;
const sparesMax = 40;

export interface ChaosOptions {
  readonly servers: number;
  /** Leaders to kill, before the faults. */
  readonly kills: number;
  /** What happens for `faultsMs` milliseconds (test/chaos/faults.ts). */
  readonly faults: readonly string[];
  readonly faultsMs: number;
  /** Decides which faults happen when to whom, and what clients do; not how all that falls together. */
  readonly seed: number;
  /** Where the history goes; a new file. In a temporary folder when absent. */
  readonly historyFile?: string;
  readonly tell: (line: string) => void;
  /** Ends the run as a failure, with everything cleaned up. */
  readonly signal?: AbortSignal;
}

export interface ChaosReport {
  readonly check: CheckReport;
  readonly historyFile: string;
  /** For each kill the longest time without an acknowledged write. */
  readonly gapsMs: readonly number[];
  /** How often each fault has happened. */
  readonly counts: ReadonlyMap<string, number>;
}

/** A cluster of real servers under load and faults, and what its history tells. The history is the caller's to remove. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { tell, seed } = options;
  const historyFile = options.historyFile ?? join(mkdtempSync(join(tmpdir(), "ikada-chaos-")), "history.ndjson");
  const recorder = new Recorder(historyFile);
  tell(`seed ${seed}, history: ${historyFile}`);
  let done;
  try {
    done = await onCluster(options, historyFile, (site, harness) => work(options, site, harness, recorder));
  } finally {
    recorder.close();
  }
  tell("checking the history");
  return { ...done, historyFile, check: checkRecorded(readHistory(linesOf(historyFile))) };
}

/** The folder with the servers' logs, beside the history. */
export function logsOf(historyFile: string): string {
  return `${historyFile}.logs`;
}

/** Removes the history and the logs that runChaos has made. */
export function removeHistory(file: string): void {
  rmSync(logsOf(file), { recursive: true });
  rmSync(file);
  if (dirname(file).startsWith(join(tmpdir(), "ikada-chaos-"))) rmdirSync(dirname(file));
}

type Done = Pick<ChaosReport, "gapsMs" | "counts">;

async function work(
  { kills, faults, faultsMs, seed, tell }: ChaosOptions,
  site: Site | undefined,
  harness: Harness,
  recorder: Recorder,
): Promise<Done> {
  const random = new SeededRandom(seed);
  const workload = await Workload.start(harness, recorder, random.fork());
  try {
    await workload.moreWrites(20);
    const gapsMs = await killLeaders(harness, workload, kills, tell);
    const counts = site
      ? await runRounds(site, workload, { names: faults, durationMs: faultsMs, random, tell })
      : new Map<string, number>();
    await wholeCluster(harness);
    await workload.finish();
    return { gapsMs, counts };
  } finally {
    await workload.close();
  }
}

/** With faults the servers run on machines of their own. What was set up is taken down again in any case. */
async function onCluster(
  { servers, faults, faultsMs, signal }: ChaosOptions,
  historyFile: string,
  run: (site: Site | undefined, harness: Harness) => Promise<Done>,
): Promise<Done> {
  const hasFaults = faults.length > 0;
  const changesMembers = faults.some((name) => name.startsWith("member-"));
  const joining = changesMembers ? Math.min(sparesMax, Math.ceil(faultsMs / roundMs) * sparesPerRound) : 0;
  const network = hasFaults ? MachineNetwork.create(servers + joining) : undefined;
  try {
    const smallDiskServer = `server-${servers}`;
    const smallDisks = new Map(faults.includes("disk-full") ? [[smallDiskServer, smallDiskMebibytes]] : []);
    const harness = await Harness.start(
      { servers, joining, joiningWait: true, agents: 0, runtime: "fake", smallDisks },
      network,
    );
    try {
      const spares = harness.cluster.joining.map(({ name }) => name);
      const site = network && { harness, network, smallDiskServer, spares };
      return await unlessAborted(run(site, harness), signal);
    } finally {
      cpSync(join(harness.cluster.folder, "logs"), logsOf(historyFile), { recursive: true });
      await harness.close();
    }
  } finally {
    network?.close();
  }
}

/** What is given up goes on until its cluster is gone, and what it throws then tells nothing. */
function unlessAborted<T>(running: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    running.then(resolve, reject);
    if (signal?.aborted) reject(signal.reason as Error);
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

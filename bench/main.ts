import { Command } from "commander";
import type { BenchClient, Contestant } from "./contestant.js";
import { etcdVersion, startEtcd } from "./etcd-contestant.js";
import { startIkada } from "./ikada-contestant.js";
import { runFailoverBench } from "./failover.js";
import { runKvBench } from "./kv/run.js";
import { machineLoad, median } from "./measure.js";
import { microBenches } from "./micro.js";
import { runPodsBench } from "./pods/run.js";
import { runRaftBench } from "./raft/run.js";
import { runRestoreDrill } from "./restore.js";
import { runSchedulingBench } from "./scheduling/run.js";
import { runWatchBench } from "./watch/run.js";
import { connections, leaderKill, steadyWorkloads, type Workload } from "./workloads.js";

// `npm run bench`: a local three-server cluster and, where it is installed, a three-member etcd beside it, in turns.
// `npm run bench -- failover`: how long writes stand still when the leader fails (bench/failover.ts).
// `npm run bench -- restore`: a backup under load, the cluster destroyed, another one restored from it (bench/restore.ts).
// `npm run bench -- kv`: etcd's API on three real servers, beside etcd (bench/kv/run.ts).
// `npm run bench -- raft`: consensus and store of three servers, without Kubernetes objects (bench/raft/run.ts).
// `npm run bench -- schedule`: the scheduler alone, at thousands of nodes (bench/scheduling/run.ts).
// `npm run bench -- pods`: many Pods on one real engine, beside plain calls and Docker Swarm (bench/pods/run.ts).
// `npm run bench -- watch`: how soon watchers are told, and what one does that never reads (bench/watch/run.ts).

const command = new Command("bench")
  .argument("[what]", "api, kv, watch, raft, pods, schedule, failover or restore", "api")
  .option("--rounds <count>", "rounds; the median of them is printed", "3")
  .option("--seconds <count>", "length of each measurement in a round", "1")
  .option("--kills <count>", "leaders to kill", "5")
  .option("--no-etcd", "Ikada alone")
  .option("--store", "the store's own figures, without Raft and network, instead")
  .option("--pods <count>", "pods: how many", "100")
  .option("--rest-seconds <count>", "pods: how long they are watched doing nothing; 0 for not at all", "60")
  .option("--servers <count>", "pods: of the control plane", "1")
  .option("--no-swarm", "pods: without Docker Swarm beside it")
  .option("--only <label>", "kv, watch, raft: only the rows whose label begins so", "")
  .option("--profile <folder>", "kv, watch, raft, pods: leave a profile of each thread's processor time there")
  .option("--kind <list>", "failover: what happens to the leader", "kill9,sigterm,sigstop,blackhole,disk-hang")
  .option("--times <count>", "failover: how often each", "30")
  .option("--minutes <count>", "failover --kind calm: how long", "10")
  .option("--hogs <count>", "failover --kind calm: processes that want a processor each", "2")
  .option("--megabytes <count>", "restore: how much is in the cluster", "100")
  .parse();
const options = command.opts<{
  rounds: string;
  seconds: string;
  kills: string;
  etcd: boolean;
  store?: boolean;
  only: string;
  profile?: string;
  kind: string;
  times: string;
  minutes: string;
  hogs: string;
  megabytes: string;
  pods: string;
  restSeconds: string;
  servers: string;
  swarm: boolean;
}>();

/** Of each workload, before anything is recorded: a program that is compiled while it runs begins slowly. */
const warmUpMs = 1_500;

/** Figures of all rounds by workload and contestant. */
const figures = new Map<string, Map<string, number[]>>();

const [rounds, durationMs] = [Number(options.rounds), Number(options.seconds) * 1000];
const { etcd, only, profile: profileFolder } = options;
const layered = { rounds, durationMs, etcd, profileFolder, only };
if (options.store === true) await import("./store.js");
else if (command.args[0] === "raft") await runRaftBench(layered);
else if (command.args[0] === "kv") await runKvBench(layered);
else if (command.args[0] === "watch") await runWatchBench(layered);
else if (command.args[0] === "schedule") runSchedulingBench(rounds);
else if (command.args[0] === "pods")
  await runPodsBench({
    pods: Number(options.pods),
    rounds,
    servers: Number(options.servers),
    restSeconds: Number(options.restSeconds),
    swarm: options.swarm,
    profileFolder,
  });
else if (command.args[0] === "failover")
  await runFailoverBench({
    kinds: options.kind.split(","),
    times: Number(options.times),
    minutes: Number(options.minutes),
    hogs: Number(options.hogs),
  });
else if (command.args[0] === "restore") await runRestoreDrill(Number(options.megabytes));
else await main(rounds, durationMs, Number(options.kills));

async function main(rounds: number, durationMs: number, kills: number): Promise<void> {
  const version = options.etcd ? etcdVersion() : undefined;
  const loadBefore = machineLoad();
  say("parts of one replica");
  const micro = microBenches(durationMs);
  for (let round = 0; round < rounds; round += 1) for (const { name, run } of micro) record(name, "Ikada", await run());

  const contestants = [await startIkada()];
  try {
    if (version !== undefined) contestants.push(await startEtcd());
    for (const contestant of contestants) await contestant.settle();
    say("warming up");
    for (const contestant of contestants) {
      for (const workload of steadyWorkloads(warmUpMs))
        await withClients(contestant, (clients) => workload.run(clients, contestant));
    }
    const workloads = steadyWorkloads(durationMs);
    for (let round = 1; round <= rounds; round += 1) {
      say(`round ${round} of ${rounds}`);
      // The one that begins changes, so that what the first leaves behind on the disk hits both.
      const order = round % 2 === 0 ? contestants.toReversed() : contestants;
      for (const workload of workloads) for (const contestant of order) await measure(workload, contestant);
    }
    for (let kill = 1; kill <= kills; kill += 1) {
      say(`kill ${kill} of ${kills}`);
      for (const contestant of contestants)
        record(leaderKill.name, contestant.name, await leaderKill.run([], contestant));
    }
    print(
      [...workloads, ...(kills > 0 ? [leaderKill] : [])],
      contestants.map(({ name }) => name),
    );
    print(
      micro.map(({ name }) => ({ name, unit: "/s" })),
      ["Ikada"],
    );
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
  const rows = [
    `Medians of ${rounds} rounds of ${durationMs / 1000} s and of ${kills} kills, values of 256 bytes, ${connections} connections, TLS.`,
    `Before: ${loadBefore}; after: ${machineLoad()}. Servers, clients and whatever else runs share the machine and its disk:`,
    "figures of one run may be compared with each other, not with those of another run or machine.",
    version === undefined
      ? `No comparison with etcd: ${options.etcd ? "Debian's etcd-server is not installed" : "--no-etcd"}.`
      : `etcd ${version} with its default timers (heartbeat 100 ms, election 1 s) and a plain value for each key; Ikada elects after 300 to 600 ms and stores a validated ConfigMap.`,
  ];
  process.stdout.write(`\n${rows.join("\n")}\n`);
}

async function measure(workload: Workload, contestant: Contestant): Promise<void> {
  const figure = await withClients(contestant, (clients) => workload.run(clients, contestant));
  record(workload.name, contestant.name, figure);
}

async function withClients<T>(
  contestant: Contestant,
  work: (clients: readonly BenchClient[]) => Promise<T>,
): Promise<T> {
  const clients: BenchClient[] = [];
  try {
    for (let at = 0; at < connections; at += 1) clients.push(await contestant.connect());
    return await work(clients);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

function record(workload: string, contestant: string, figure: number): void {
  const row = figures.get(workload) ?? new Map<string, number[]>();
  figures.set(workload, row);
  row.set(contestant, [...(row.get(contestant) ?? []), figure]);
}

function print(
  rows: readonly { readonly name: string; readonly unit: string }[],
  contestants: readonly string[],
): void {
  const ratio = contestants.length === 2;
  const cells = (first: string, others: readonly string[]): string =>
    `${first.padEnd(40)}${others.map((cell) => cell.padStart(16)).join("")}\n`;
  process.stdout.write(`\n${cells("", [...contestants, ...(ratio ? ["ratio"] : [])])}`);
  for (const { name, unit } of rows) {
    const found = contestants.map((contestant) => median(figures.get(name)?.get(contestant) ?? []));
    const shown = found.map((figure) => `${figure.toFixed(unit === "ms" ? 2 : 0)} ${unit}`);
    process.stdout.write(cells(name, [...shown, ...(ratio ? [(found[0]! / found[1]!).toFixed(2)] : [])]));
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

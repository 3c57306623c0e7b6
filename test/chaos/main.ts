import { randomInt } from "node:crypto";
import { Command } from "commander";
import { runToEnd } from "../e2e/run-to-end.js";
import { IkadaError } from "../../sdk/index.js";
import { isClean, reportLines } from "../linearizability/check.js";
import { writeTimelines } from "../linearizability/timeline-files.js";
import { faultsNamed } from "./faults.js";
import { logsOf, removeHistory, runChaos, type ChaosReport } from "./run.js";

// npm run chaos -- --kills N, or --faults all --minutes M: real servers under load and faults; docs/chaos.md.

/** A fault comes up at least once in this time for each that was asked for. */
const minutesPerFault = 0.15;

const command = new Command("chaos")
  .option("--kills <count>", "how many leaders to kill (20 without --faults)")
  .option("--faults <list>", 'names of faults, or "all"; docs/chaos.md lists them')
  .option("--minutes <count>", "how long faults happen", "2")
  .option("--servers <count>", "3 or 5", "3")
  .option("--seed <number>", "decides the faults and their order", String(randomInt(2 ** 31)))
  .option("--history <file>", "write the history there, and keep it")
  .option("--keep", "keep the history")
  .parse();
const options = command.opts<{
  kills?: string;
  faults?: string;
  minutes: string;
  servers: string;
  seed: string;
  history?: string;
  keep?: true;
}>();

await runToEnd(main);

async function main(signal: AbortSignal): Promise<void> {
  const faults = options.faults === undefined ? [] : faultsNamed(options.faults);
  const minutes = number("minutes");
  const kills = options.kills === undefined ? (faults.length > 0 ? 0 : 20) : number("kills");
  const report = await runChaos({
    servers: number("servers"),
    kills,
    faults,
    faultsMs: minutes * 60_000,
    seed: number("seed"),
    tell: (line) => console.log(line),
    signal,
    ...(options.history !== undefined && { historyFile: options.history }),
  });
  if (kills > 0) console.log(gapsLine(report.gapsMs));
  const missing = [...report.counts].filter(([, count]) => count === 0).map(([name]) => name);
  if (faults.length > 0)
    console.log(`faults: ${[...report.counts].map(([name, count]) => `${name} ${count}`).join(", ")}`);
  if (missing.length > 0) {
    console.log(`never happened: ${missing.join(", ")}`);
    if (minutes >= minutesPerFault * faults.length) process.exitCode = 1;
  }
  tellCheck(report);
}

function tellCheck({ check, historyFile }: ChaosReport): void {
  if (!isClean(check)) process.exitCode = 1;
  const isKept = !isClean(check) || options.keep === true || options.history !== undefined;
  if (isKept) {
    for (const line of writeTimelines(check, historyFile)) console.log(line);
    console.log(`logs of the servers: ${logsOf(historyFile)}`);
    console.log(`check again: npm run linearizability -- ${historyFile}`);
  } else removeHistory(historyFile);
  // The first line says it all, and stands where it is seen.
  const [verdict, ...details] = reportLines(check);
  console.log([...details, verdict].join("\n"));
}

function gapsLine(gapsMs: readonly number[]): string {
  const sorted = [...gapsMs].sort((left, right) => left - right);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  return `${sorted.length} leaders killed; without a write: median ${Math.round(median)} ms, maximum ${Math.round(sorted.at(-1)!)} ms`;
}

/** @throws IkadaError BadRequest */
function number(name: "kills" | "minutes" | "servers" | "seed"): number {
  const value = Number(options[name]);
  if (!(value >= 0) || (name === "servers" && value !== 3 && value !== 5))
    throw new IkadaError("BadRequest", `--${name} ${options[name]} makes no sense`);
  return value;
}

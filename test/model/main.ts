import { randomInt } from "node:crypto";
import { Command } from "commander";
import { IkadaError } from "../../sdk/index.js";
import { reportLines } from "./report.js";
import { removeHistory, runModel } from "./run.js";

// npm run model -- --operations 100000: real servers against a model of the store; docs/model.md.

const command = new Command("model")
  .option("--operations <count>", "how many", "100000")
  .option("--minutes <count>", "begin no more after so long", "1000")
  .option("--seed <number>", "decides what is done", String(randomInt(2 ** 31)))
  .option("--history <file>", "write the history there, and keep it")
  .option("--keep", "keep the history")
  .parse();
const options = command.opts<{ operations: string; minutes: string; seed: string; history?: string; keep?: true }>();

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => interrupted.abort(new Error(`${name}: the run was given up`)));
try {
  await main();
} catch (caught) {
  process.stderr.write(`${caught instanceof Error ? (caught.stack ?? caught.message) : String(caught)}\n`);
  process.exitCode = 1;
}
// What was given up may still be waiting for something.
process.exit();

async function main(): Promise<void> {
  const seed = number("seed");
  const report = await runModel({
    operations: number("operations"),
    minutesMax: number("minutes"),
    seed,
    tell: (line) => console.log(line),
    signal: interrupted.signal,
    ...(options.history !== undefined && { historyFile: options.history }),
  });
  const { deviations, historyFile } = report;
  if (deviations.length > 0) {
    process.exitCode = 1;
    console.log(`seed ${seed}, history: ${historyFile}, logs of the servers: ${historyFile}.logs`);
  } else if (options.keep !== true && options.history === undefined) removeHistory(historyFile);
  for (const line of reportLines(report)) console.log(line);
}

/** @throws IkadaError BadRequest */
function number(name: "operations" | "minutes" | "seed"): number {
  const value = Number(options[name]);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new IkadaError("BadRequest", `--${name} ${options[name]} makes no sense`);
}

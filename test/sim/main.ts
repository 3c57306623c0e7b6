/** `npm run sim`: runs seeds of a simulated world, or replays one, or looks for planted faults. */
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { runBatch } from "./batch.js";
import { hunt, mutants } from "./mutants.js";
import { rememberedSeeds } from "./remembered-seeds.js";
import type { SeedResult } from "./seed-result.js";
import { summarize } from "./summary.js";
import { worlds } from "./worlds.js";

interface Options {
  readonly world: string;
  readonly seeds: number;
  readonly from: number;
  readonly seed?: number;
  readonly trace?: boolean;
  readonly mutants?: boolean;
  readonly mutant?: string;
  readonly workers: number;
}

const command = new Command("sim")
  .description("Runs the production code in simulated worlds full of faults; each world is decided by its seed.")
  .option("--world <name>", `which world: ${[...worlds.keys()].join(", ")}`, "raft")
  .option("--seeds <number>", "how many seeds to run", wholeNumber, 1000)
  .option("--from <seed>", "the first seed", wholeNumber, 1)
  .option("--seed <seed>", "replay this seed only", wholeNumber)
  .option("--trace", "with --seed: print what happens")
  .option("--mutants", "look for each planted fault in at most --seeds seeds")
  .option("--mutant <name>", "look for this planted fault only")
  .option("--workers <number>", "processes that run seeds", wholeNumber, availableParallelism());

process.exitCode = await main(command.parse().opts<Options>());

async function main(options: Options): Promise<number> {
  const run = worlds.get(options.world);
  if (!run) command.error(`there is no world ${options.world}; there are: ${[...worlds.keys()].join(", ")}`);
  if (options.seed !== undefined) return replay(options);
  if (options.mutants || options.mutant) return plant(options);
  return runAll(options);
}

/** Remembered seeds first, then the range; then one in a hundred again, in fresh processes. */
async function runAll(options: Options): Promise<number> {
  const startedMs = performance.now();
  const range = Array.from({ length: options.seeds }, (_, at) => options.from + at);
  const seeds = [...new Set([...rememberedSeeds(options.world), ...range])];
  const progress = progressLine(seeds.length);
  const results = await runBatch({ ...options, seeds, onResult: progress });
  const sample = results.filter((_, at) => at % 100 === 0).map((result) => result.seed);
  const again = await runBatch({ ...options, seeds: sample });
  const firstHashes = new Map(results.map((result) => [result.seed, result.hash]));
  const differing = again.filter((result) => firstHashes.get(result.seed) !== result.hash);
  for (const line of summarize(options.world, results, performance.now() - startedMs)) console.log(line);
  console.log(`${again.length} seeds run again in fresh processes: ${differing.length} different hashes`);
  for (const { seed } of differing) console.log(`  seed ${seed} is not deterministic`);
  return results.some((result) => result.violation) || differing.length > 0 ? 1 : 0;
}

function replay(options: Options): number {
  const startedMs = performance.now();
  const run = worlds.get(options.world);
  const seed = options.seed ?? 0;
  const print = options.trace ? { print: (line: string) => console.log(line) } : {};
  const result = run?.(seed, { traceLines: 200, ...print });
  if (!result) return 1;
  if (result.violation && !options.trace) for (const line of result.violation.trace) console.log(line);
  for (const line of summarize(options.world, [result], performance.now() - startedMs)) console.log(line);
  return result.violation ? 1 : 0;
}

async function plant(options: Options): Promise<number> {
  const chosen = options.mutant ? mutants.filter((mutant) => mutant.name === options.mutant) : mutants;
  if (chosen.length === 0) command.error(`no planted fault is called ${options.mutant}`);
  const { world, from, workers } = options;
  let missed = 0;
  for (const mutant of chosen) {
    const found = await hunt(mutant, { world, from, workers, seeds: options.seeds });
    if (!found.violation) missed++;
    const what = found.violation
      ? `found after ${found.seeds} seeds: ${firstLine(found.violation)}`
      : `NOT FOUND in ${found.seeds} seeds`;
    console.log(`${mutant.name.padEnd(34)} ${what}`);
  }
  console.log(`${chosen.length - missed} of ${chosen.length} planted faults found`);
  return missed > 0 ? 1 : 0;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

function progressLine(total: number): (result: SeedResult) => void {
  let done = 0;
  let printedMs = performance.now();
  return (result) => {
    done++;
    if (result.violation) console.log(`seed ${result.seed}: ${result.violation.message}`);
    if (performance.now() - printedMs < 5_000) return;
    printedMs = performance.now();
    console.log(`${done} of ${total} seeds`);
  };
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("It must be a whole number.");
  return value;
}

/** `npm run sim`: runs seeds of a simulated world, or replays one, or looks for planted faults. */
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { runBatch } from "./batch.js";
import { runCalm } from "./calm.js";
import { overridesText, parseOverride, type Overrides } from "./overrides.js";
import { canaries } from "./planted/all.js";
import { hunt } from "./planted/hunt.js";
import { huntAll } from "./planted/table.js";
import { remember, rememberedSeeds } from "./remembered-seeds.js";
import type { SeedResult } from "./seed-result.js";
import { shrink } from "./shrink.js";
import { summarize } from "./summary.js";
import { worlds } from "./worlds.js";

interface Options {
  readonly world: string;
  readonly seeds: number;
  readonly from: number;
  readonly seed?: number;
  readonly set: Overrides;
  readonly trace?: boolean;
  readonly shrink?: boolean;
  readonly remember?: boolean;
  readonly canary: boolean;
  readonly mutants?: boolean;
  readonly mutant?: string;
  readonly calm?: boolean;
  readonly hours: number;
  readonly workers: number;
}

const command = new Command("sim")
  .description("Runs the production code in simulated worlds full of faults; each world is decided by its seed.")
  .option("--world <name>", `which world: ${[...worlds.keys()].join(", ")}`, "raft")
  .option("--seeds <number>", "how many seeds to run", wholeNumber, 1000)
  .option("--from <seed>", "the first seed", wholeNumber, 1)
  .option("--seed <seed>", "replay this seed only", wholeNumber)
  .option("--set <field=value>", "a field of the world that the seed does not draw; may be repeated", collect, {})
  .option("--trace", "with --seed: print what happens")
  .option("--shrink", "with --seed: look for the smallest world that still violates the rule")
  .option("--remember", "append seeds that violate a rule to test/sim/seeds.txt")
  .option("--no-canary", "do not plant a fault to see whether it is found")
  .option("--mutants", "look for each planted fault in at most --seeds seeds")
  .option("--mutant <name>", "look for this planted fault only, or those of this corner's number")
  .option("--calm", "a healthy cluster on busy machines, for --hours: counts needless elections")
  .option("--hours <number>", "with --calm: how long, in simulated time", Number, 24)
  .option("--workers <number>", "processes that run seeds", wholeNumber, availableParallelism());

process.exitCode = await main(command.parse().opts<Options>());

async function main(options: Options): Promise<number> {
  const run = worlds.get(options.world);
  if (!run) command.error(`there is no world ${options.world}; there are: ${[...worlds.keys()].join(", ")}`);
  if (options.calm) return keepCalm(options);
  if (options.seed !== undefined) return replay(options);
  if (options.mutants || options.mutant) return plant(options);
  return runAll(options);
}

/** Remembered seeds first, then the range; then one in a hundred again, in fresh processes, and a planted fault. */
async function runAll(options: Options): Promise<number> {
  const startedMs = performance.now();
  const range = Array.from({ length: options.seeds }, (_, at) => options.from + at);
  const seeds = [...new Set([...rememberedSeeds(options.world), ...range])];
  const progress = progressLine(seeds.length);
  const results = await runBatch({ ...options, seeds, onResult: progress });
  const elapsedMs = performance.now() - startedMs;
  const sample = results.filter((_, at) => at % 100 === 0).map((result) => result.seed);
  const again = await runBatch({ ...options, seeds: sample });
  const firstHashes = new Map(results.map((result) => [result.seed, result.hash]));
  const differing = again.filter((result) => firstHashes.get(result.seed) !== result.hash);
  for (const line of summarize(options.world, results, elapsedMs)) console.log(line);
  console.log(`${again.length} seeds run again in fresh processes: ${differing.length} different hashes`);
  for (const { seed } of differing) console.log(`  seed ${seed} is not deterministic`);
  const isCanaryAlive = !options.canary || (await singCanary(options));
  const violated = results.filter((result) => result.violation);
  if (options.remember)
    for (const { seed, violation } of violated) remember(options.world, seed, violation?.rule ?? "");
  return violated.length > 0 || differing.length > 0 || !isCanaryAlive ? 1 : 0;
}

/** Worlds that can't find a fault which is there would find none that is not. */
async function singCanary({ world, from, workers }: Options): Promise<boolean> {
  const canary = canaries.get(world);
  if (!canary) return true;
  const found = await hunt(canary, { world, from, workers, seeds: 400 });
  const what = found.violation ? `found after ${found.seeds} seeds` : `NOT FOUND in ${found.seeds} seeds`;
  console.log(`canary, planted "${canary.name}": ${what}`);
  return found.violation !== undefined;
}

function replay(options: Options): number {
  const startedMs = performance.now();
  const run = worlds.get(options.world);
  const seed = options.seed ?? 0;
  const { set } = options;
  const print = options.trace ? { print: (line: string) => console.log(line) } : {};
  const result = run?.(seed, { traceLines: 200, set, ...print });
  if (!run || !result) return 1;
  if (result.violation && !options.trace && !options.shrink)
    for (const line of result.violation.trace) console.log(line);
  for (const line of summarize(options.world, [result], performance.now() - startedMs, set)) console.log(line);
  if (result.violation && options.shrink) {
    const shrunk = shrink(run, result, set, (line) => console.log(line));
    console.log(`after ${shrunk.runs} worlds: ${shrunk.result.violation?.message}`);
    console.log(`npm run sim -- --world ${options.world} --seed ${seed}${overridesText(shrunk.overrides)} --trace`);
  }
  return result.violation ? 1 : 0;
}

function keepCalm({ seed = 1, hours, set }: Options): number {
  const { elections, writes, violation } = runCalm(seed, hours, set);
  console.log(`${hours} simulated hours: ${elections} elections, ${writes} writes`);
  if (violation) console.log(violation.message);
  return elections > 0 || violation ? 1 : 0;
}

async function plant(options: Options): Promise<number> {
  const { missed, chosen } = await huntAll(options.mutant, options, (line) => console.log(line));
  if (chosen === 0) command.error(`no planted fault is called ${options.mutant}`);
  return missed > 0 ? 1 : 0;
}

function progressLine(total: number): (result: SeedResult) => void {
  let done = 0;
  const startedMs = performance.now();
  let printedMs = startedMs;
  return (result) => {
    done++;
    if (result.violation) console.log(`seed ${result.seed}: ${result.violation.message}`);
    if (performance.now() - printedMs < 15_000) return;
    printedMs = performance.now();
    const perMinute = Math.round((done * 60_000) / (printedMs - startedMs));
    console.log(`${done} of ${total} seeds, ${perMinute} in a minute`);
  };
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("It must be a whole number.");
  return value;
}

function collect(text: string, before: Overrides): Overrides {
  const [path, value] = parseOverride(text);
  return { ...before, [path]: value };
}

import { fork, type ChildProcess } from "node:child_process";
import type { Overrides } from "./overrides.js";
import type { SeedResult } from "./seed-result.js";

/** What a parent asks of a worker process. */
export interface Assignment {
  readonly world: string;
  readonly seeds: readonly number[];
  readonly set: Overrides;
}

export interface BatchOptions {
  readonly world: string;
  /** @default nothing */
  readonly set?: Overrides;
  readonly seeds: readonly number[];
  readonly workers: number;
  /** After a violation no more seeds are handed out. @default false */
  readonly stopAtViolation?: boolean;
  readonly onResult?: (result: SeedResult) => void;
}

/** Seeds in one message: few enough to spread evenly, many enough that messages cost nothing; fewer when the rest may be for nothing. */
const assignmentSeeds = 20;
const huntSeeds = 4;

/** Runs seeds in processes of their own, all fresh. Rejects when a process ends before its work is done. */
export async function runBatch(options: BatchOptions): Promise<SeedResult[]> {
  const results: SeedResult[] = [];
  let next = 0;
  let stopped = false;
  const size = options.stopAtViolation ? huntSeeds : assignmentSeeds;
  const take = (): readonly number[] => {
    if (stopped) return [];
    const seeds = options.seeds.slice(next, next + size);
    next += seeds.length;
    return seeds;
  };
  const onResult = (result: SeedResult): void => {
    results.push(result);
    if (result.violation && options.stopAtViolation) stopped = true;
    options.onResult?.(result);
  };
  const workers = Math.max(1, Math.min(options.workers, Math.ceil(options.seeds.length / size)));
  await Promise.all(Array.from({ length: workers }, () => runWorker(options, take, onResult)));
  return results.sort((left, right) => left.seed - right.seed);
}

function runWorker(
  { world, set = {} }: BatchOptions,
  take: () => readonly number[],
  onResult: (result: SeedResult) => void,
): Promise<void> {
  const child = fork(new URL("./worker.js", import.meta.url), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    // A world is garbage as soon as it has run: collected in one go, and without threads that the other workers lack.
    execArgv: [...process.execArgv, "--max-semi-space-size=64", "--single-threaded-gc"],
  });
  return new Promise((resolve, reject) => {
    let waiting = 0;
    const assign = (): void => {
      const seeds = take();
      waiting = seeds.length;
      if (seeds.length === 0) child.disconnect();
      else send(child, { world, seeds, set });
    };
    child.on("message", (result: SeedResult) => {
      onResult(result);
      waiting--;
      if (waiting === 0) assign();
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (waiting === 0 && code === 0) resolve();
      else reject(new Error(`a simulation process ended with ${signal ?? `code ${code}`} and ${waiting} seeds to run`));
    });
    assign();
  });
}

function send(child: ChildProcess, assignment: Assignment): void {
  child.send(assignment);
}

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { runBatch } from "./batch.js";

/** A fault planted into the compiled production code: `find` stands in `file` exactly once. */
export interface Mutant {
  readonly name: string;
  /** Below `dist`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Found in few seeds: also planted by `npm test`. */
  readonly quick?: boolean;
}

export const mutants: readonly Mutant[] = [];

export interface HuntOptions {
  readonly world: string;
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
}

export interface Found {
  /** Seeds from the first one to the one that found it, or all that were run. */
  readonly seeds: number;
  readonly violation: string | undefined;
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
/** All that a world imports; the copy is what gets the fault. */
const copied = ["package.json", "proto/gen", "dist/raft", "dist/store", "dist/src/base", "dist/test/sim"];

/**
 * Plants one fault into a copy of the compiled code and runs seeds until one is violated. Throws when the
 * fault can't be planted, so that a change of the code does not quietly end the hunt.
 */
export async function hunt(mutant: Mutant, options: HuntOptions): Promise<Found> {
  const folder = mkdtempSync(path.join(tmpdir(), "ikada-mutant-"));
  try {
    for (const part of copied) cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
    symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    plant(mutant, path.join(folder, "dist", mutant.file));
    // The copy's own runner: its worker processes load the code beside it.
    const runner = pathToFileURL(path.join(folder, "dist/test/sim/batch.js")).href;
    const copy = (await import(runner)) as { readonly runBatch: typeof runBatch };
    const seeds = Array.from({ length: options.seeds }, (_, at) => options.from + at);
    const results = await copy.runBatch({ ...options, seeds, stopAtViolation: true });
    const first = results.find((result) => result.violation);
    if (!first) return { seeds: results.length, violation: undefined };
    return { seeds: first.seed - options.from + 1, violation: first.violation?.message };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function plant({ name, file, find, replace }: Mutant, target: string): void {
  const source = readFileSync(target, "utf8");
  const matches = source.split(find).length - 1;
  if (matches !== 1)
    throw new Error(`planted fault "${name}": its text stands ${matches} times in ${file}, must be once`);
  writeFileSync(
    target,
    source.replace(find, () => replace),
  );
}

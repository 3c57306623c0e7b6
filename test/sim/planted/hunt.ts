import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { runBatch } from "../batch.js";
import type { Rule } from "../violation.js";
import type { PlantedFault } from "./planted-fault.js";

export interface HuntOptions {
  readonly world: string;
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
}

export interface Found {
  /** Seeds from the first one to the one that found it, or all that were run. */
  readonly seeds: number;
  /** Of real time. */
  readonly seconds: number;
  readonly violation: { readonly rule: Rule; readonly message: string } | undefined;
}

const root = fileURLToPath(new URL("../../../..", import.meta.url));
/** All that a world imports; the copy is what gets the fault. */
const copied = [
  "package.json",
  "proto/gen",
  "dist/raft",
  "dist/store",
  "dist/src",
  "dist/node-agent",
  "dist/test/sim",
  "dist/test/linearizability",
];

/**
 * Plants one fault into a copy of the compiled code and runs seeds until one is violated. Throws when the
 * fault can't be planted, so that a change of the code does not quietly end the hunt.
 */
export async function hunt(fault: PlantedFault, options: HuntOptions): Promise<Found> {
  const folder = mkdtempSync(path.join(tmpdir(), "ikada-planted-"));
  try {
    for (const part of copied) cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
    symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    plant(fault, folder);
    // The copy's own runner: its worker processes load the code beside it.
    const runner = pathToFileURL(path.join(folder, "dist/test/sim/batch.js")).href;
    const copy = (await import(runner)) as { readonly runBatch: typeof runBatch };
    const seeds = Array.from({ length: options.seeds }, (_, at) => options.from + at);
    const startedMs = performance.now();
    const results = await copy.runBatch({
      ...options,
      world: fault.world ?? "raft",
      set: fault.set ?? {},
      seeds,
      stopAtViolation: true,
    });
    const seconds = (performance.now() - startedMs) / 1000;
    const first = results.find((result) => result.violation);
    if (!first) return { seeds: results.length, seconds, violation: undefined };
    return { seeds: first.seed - options.from + 1, seconds, violation: first.violation };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Into the code below `folder`/dist. */
function plant({ name, edits }: PlantedFault, folder: string): void {
  for (const { file, find, replace } of edits) {
    const target = path.join(folder, "dist", file);
    const source = readFileSync(target, "utf8");
    const matches = source.split(find).length - 1;
    if (matches !== 1)
      throw new Error(`planted fault "${name}": its text stands ${matches} times in ${file}, must be once`);
    writeFileSync(
      target,
      source.replace(find, () => replace),
    );
  }
}

/** Faults whose text is not (or not only once) where they say. */
export function unplantable(faults: readonly PlantedFault[]): string[] {
  return faults.flatMap(({ name, edits }) =>
    edits
      .filter(({ file, find }) => readFileSync(path.join(root, "dist", file), "utf8").split(find).length !== 2)
      .map(({ file, find }) => `${name}: ${JSON.stringify(find)} in ${file}`),
  );
}

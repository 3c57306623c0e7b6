/** `npm run raft-scripts`: runs scripts in the format of etcd/raft's on Ikada's core and says how far they agree. */
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Command, Option } from "commander";
import { runFile, type Row } from "./run-script.js";
import { differences, table } from "./table.js";

interface Options {
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly rewrite?: boolean;
  readonly minLevel?: string;
}

const command = new Command("raft-scripts")
  .description("Runs data-driven scripts in etcd/raft's format on Ikada's Raft core and says how far each agrees.")
  .argument("<paths...>", "folders, with all their folders, of *.txt scripts; or single scripts")
  .option("--json", "one JSON object a line and file instead of a table")
  .option("--verbose", "every directive that differs, with what was expected (-) and got (+), on stderr")
  .option("--rewrite", "put what Ikada says into the files, in the place of what they expect")
  .addOption(
    new Option(
      "--min-level <level>",
      "fail when an interaction script agrees less, or another one is not exact",
    ).choices(["L1", "L2", "L3", "L4"]),
  );

command.parse();
process.exitCode = main(command.args, command.opts<Options>());

function main(roots: readonly string[], options: Options): number {
  const rows: Row[] = [];
  for (const root of roots) {
    for (const file of scriptsOrRefuse(root)) {
      const run = runFile(file, relative(root, file) || file);
      rows.push(run.row);
      if (options.rewrite && run.outcomes.length > 0) writeFileSync(file, run.rewritten);
      if (options.json) console.log(JSON.stringify(run.row));
      if (options.verbose) for (const line of differences(run)) console.error(line);
    }
  }
  if (!options.json) for (const line of table(rows)) console.log(line);
  return rows.every((row) => isGoodEnough(row, options.minLevel)) ? 0 : 1;
}

function scriptsOrRefuse(root: string): string[] {
  try {
    const files = scriptsIn(root);
    return files.length > 0 ? files : command.error(`${root} holds no *.txt`);
  } catch (error) {
    return command.error(`${root} can't be read: ${(error as Error).message}`);
  }
}

/** Of a folder, sorted by name, so that two runs can be compared. */
function scriptsIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const entries = readdirSync(path, { withFileTypes: true }).sort((left, right) => (left.name < right.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) return scriptsIn(inside);
    return entry.name.endsWith(".txt") ? [inside] : [];
  });
}

function isGoodEnough(row: Row, minLevel: string | undefined): boolean {
  if (row.errors.length > 0) return false;
  if (minLevel === undefined) return true;
  return row.level !== null && (row.kind !== "interaction" || row.level >= minLevel);
}

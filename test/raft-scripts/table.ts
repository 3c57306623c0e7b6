import type { Row, ScriptRun } from "./run-script.js";
import { compare, compareExactly, highest } from "./levels.js";

/** For people: a line for each file, and what all of them come to. */
export function table(rows: readonly Row[]): string[] {
  const cells = rows.map((row) => [
    row.file,
    row.kind,
    String(row.directives),
    ...["L0", "L1", "L2", "L3", "L4"].map((level) => String(row.agreeing[level] ?? "-")),
    row.level ?? "none",
    remark(row),
  ]);
  const head = ["file", "kind", "directives", "L0", "L1", "L2", "L3", "L4", "level", "first difference"];
  const all = [head, ...cells];
  const widths = head.map((_, column) => Math.max(...all.map((line) => line[column]!.length)));
  const lines = all.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  return [...lines, "", ...totals(rows)];
}

function remark(row: Row): string {
  const [error] = row.errors;
  if (error !== undefined)
    return error.message.startsWith("line ") ? error.message : `line ${error.line}: ${error.message}`;
  if (row.firstDifference === null) return "";
  const { line, directive } = row.firstDifference;
  return `line ${line}, ${directive}`;
}

function totals(rows: readonly Row[]): string[] {
  return (["interaction", "confchange", "quorum", "unknown"] as const).flatMap((kind) => {
    const own = rows.filter((row) => row.kind === kind);
    if (own.length === 0) return [];
    const directives = own.reduce((sum, row) => sum + row.directives, 0);
    const levels = kind === "interaction" ? ["L4", "L3", "L2", "L1"] : ["L0"];
    const counts = levels.map((level) => {
      const files = own.filter((row) => row.level !== null && row.level >= level).length;
      const agreeing = own.reduce((sum, row) => sum + (row.agreeing[level] ?? 0), 0);
      return `${level} ${files} files, ${agreeing} directives`;
    });
    return [`${kind}: ${own.length} files, ${directives} directives; ${counts.join("; ")}`];
  });
}

/** Every directive that differs, expected and got below each other. */
export function differences({ row, outcomes }: ScriptRun): string[] {
  return outcomes.flatMap(({ directive, output }) => {
    const level = row.kind === "interaction" ? compare(directive, output).level : undefined;
    const differs = level === undefined ? compareExactly(directive, output) !== undefined : level < highest;
    if (!differs) return [];
    return [
      `--- ${row.file}:${directive.line} ${directive.command}${level === undefined ? "" : ` (agrees to L${level})`}`,
      ...mark("-", directive.expected),
      ...mark("+", output),
    ];
  });
}

function mark(sign: string, text: string): string[] {
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => `${sign} ${line}`);
}

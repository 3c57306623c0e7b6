import { readFileSync } from "node:fs";
import { RaftInvariantError } from "../../raft/core/invariant.js";
import { DirectiveError } from "./arguments.js";
import { ConfChangeScript } from "./conf-change-script.js";
import { interactionCommands, InteractionScript } from "./interaction-script.js";
import { compare, compareExactly, highest, type Difference, type Level } from "./levels.js";
import { runQuorumDirective } from "./quorum-script.js";
import { parseScript, rewriteScript, ScriptSyntaxError, type Directive } from "./script.js";

export type Kind = "interaction" | "quorum" | "confchange" | "unknown";

export interface RowError {
  readonly line: number;
  readonly message: string;
}

/** How far one file agrees. */
export interface Row {
  readonly file: string;
  readonly kind: Kind;
  readonly directives: number;
  /** How many directives agree at least so far: L0 for scripts of pure functions, L1 to L4 for interaction. */
  readonly agreeing: Readonly<Record<string, number>>;
  /** What every directive of the file reaches; null when that is nothing. */
  readonly level: string | null;
  readonly firstDifference: (Difference & { readonly directive: string; readonly reaches: string | null }) | null;
  /** What keeps the file, or single directives of it, from being run. */
  readonly errors: readonly RowError[];
}

export interface Outcome {
  readonly directive: Directive;
  readonly output: string;
}

export interface ScriptRun {
  readonly row: Row;
  readonly outcomes: readonly Outcome[];
  /** The script with our outputs instead of the expected ones. */
  readonly rewritten: string;
}

const commandsOf: Readonly<Record<Exclude<Kind, "unknown">, readonly string[]>> = {
  interaction: interactionCommands,
  quorum: ["committed", "vote"],
  confchange: ["simple", "enter-joint", "leave-joint"],
};

export function runFile(path: string, name: string): ScriptRun {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return failed(name, "", { line: 0, message: `can't be read: ${(error as Error).message}` });
  }
  return runText(text, name);
}

export function runText(text: string, name: string): ScriptRun {
  let directives: Directive[];
  try {
    directives = parseScript(text);
  } catch (error) {
    if (!(error instanceof ScriptSyntaxError)) throw error;
    return failed(name, text, { line: error.line, message: error.message });
  }
  const kind = kindOf(directives);
  const errors: RowError[] = [];
  if (kind === "unknown") errors.push({ line: 0, message: "no directive of the file is known" });
  const run = runnerOf(kind);
  const outcomes = directives.map((directive) => ({ directive, output: runDirective(run, kind, directive, errors) }));
  const row = kind === "interaction" ? interactionRow(name, outcomes, errors) : exactRow(name, kind, outcomes, errors);
  const outputs = new Map(outcomes.map(({ directive, output }) => [directive, output]));
  return { row, outcomes, rewritten: rewriteScript(text, outputs) };
}

function failed(file: string, text: string, error: RowError): ScriptRun {
  const nothing = { directives: 0, agreeing: {}, level: null, firstDifference: null };
  return { row: { file, kind: "unknown", ...nothing, errors: [error] }, outcomes: [], rewritten: text };
}

/** By the commands that most directives are. */
function kindOf(directives: readonly Directive[]): Kind {
  let kind: Kind = "unknown";
  let most = 0;
  for (const [candidate, commands] of Object.entries(commandsOf)) {
    const count = directives.filter(({ command }) => commands.includes(command)).length;
    if (count > most) [kind, most] = [candidate as Kind, count];
  }
  return kind;
}

interface Runner {
  run(directive: Directive): string;
  discard?(): void;
}

function runnerOf(kind: Kind): Runner {
  if (kind === "interaction") return new InteractionScript();
  if (kind === "confchange") return new ConfChangeScript();
  return { run: runQuorumDirective };
}

/** Whatever goes wrong is this directive's output; the ones behind it are run all the same. */
function runDirective(runner: Runner, kind: Kind, directive: Directive, errors: RowError[]): string {
  const known = kind === "unknown" ? [] : commandsOf[kind];
  if (!known.includes(directive.command)) {
    errors.push({ line: directive.line, message: `unknown command "${directive.command}"` });
    return "unknown command";
  }
  try {
    return runner.run(directive);
  } catch (error) {
    runner.discard?.();
    if (error instanceof DirectiveError) {
      errors.push({ line: directive.line, message: error.message });
      return error.message;
    }
    const isInvariant = error instanceof RaftInvariantError;
    const message = error instanceof Error ? error.message : String(error);
    errors.push({
      line: directive.line,
      message: `${isInvariant ? "the core stopped" : "the runner failed"}: ${message}`,
    });
    return `panic: ${message}`;
  }
}

function interactionRow(file: string, outcomes: readonly Outcome[], errors: readonly RowError[]): Row {
  const agreeing = { L1: 0, L2: 0, L3: 0, L4: 0 };
  let level: Level = highest;
  let firstDifference: Row["firstDifference"] = null;
  for (const { directive, output } of outcomes) {
    const comparison = compare(directive, output);
    if (comparison.level < level) level = comparison.level;
    if (comparison.level >= 1) agreeing.L1++;
    if (comparison.level >= 2) agreeing.L2++;
    if (comparison.level >= 3) agreeing.L3++;
    if (comparison.level >= 4) agreeing.L4++;
    if (comparison.difference === undefined || firstDifference !== null) continue;
    firstDifference = { directive: headOf(directive), reaches: levelName(comparison.level), ...comparison.difference };
  }
  const directives = outcomes.length;
  return { file, kind: "interaction", directives, agreeing, level: levelName(level), firstDifference, errors };
}

function exactRow(file: string, kind: Kind, outcomes: readonly Outcome[], errors: readonly RowError[]): Row {
  let firstDifference: Row["firstDifference"] = null;
  let agreeingCount = 0;
  for (const { directive, output } of outcomes) {
    const difference = compareExactly(directive, output);
    if (difference === undefined) agreeingCount++;
    else firstDifference ??= { directive: headOf(directive), reaches: null, ...difference };
  }
  const level = firstDifference === null && kind !== "unknown" ? "L0" : null;
  const directives = outcomes.length;
  return { file, kind, directives, agreeing: { L0: agreeingCount }, level, firstDifference, errors };
}

export function levelName(level: Level): string | null {
  return level === 0 ? null : `L${level}`;
}

function headOf({ command, args }: Directive): string {
  const rest = args.map(({ key, values }) => {
    if (values.length === 0) return key;
    return values.length === 1 ? `${key}=${values[0]!}` : `${key}=(${values.join(",")})`;
  });
  return [command, ...rest].join(" ");
}

/**
 * The data-driven test format that etcd/raft's scripts are written in:
 *
 *     # a comment
 *     command argument key=value key=(value, value)
 *     optional lines of input
 *     ----
 *     the expected output, up to the first blank line
 *
 * Output with blank lines stands between doubled separators. A directive line that ends in `\` goes on in the next one.
 */
export interface Argument {
  readonly key: string;
  /** Of `key=value` and `key=(…)`; none for an argument without `=`. */
  readonly values: readonly string[];
}

export interface Directive {
  /** Of the directive line, from 1. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly Argument[];
  readonly input: string;
  /** Ends in a line break unless empty. */
  readonly expected: string;
  /** Where in the lines of the script the expected output stands, its separators included. */
  readonly from: number;
  readonly to: number;
}

export class ScriptSyntaxError extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

const separator = "----";

export function parseScript(text: string): Directive[] {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  if (lines.at(-1) === "") lines.pop();
  const directives: Directive[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = at + 1;
    let head = lines[at++]!.trim();
    if (head === "" || head.startsWith("#")) continue;
    while (head.endsWith("\\") && at < lines.length) head = `${head.slice(0, -1)} ${lines[at++]!.trim()}`;
    const [command, ...args] = parseHead(head, line);
    // A name for the lines up to `subtest end`; nothing is run and nothing expected.
    if (command!.key === "subtest") continue;
    const input: string[] = [];
    while (at < lines.length && lines[at] !== separator) input.push(lines[at++]!);
    if (at === lines.length) throw new ScriptSyntaxError(line, `"${command!.key}" has no "${separator}" behind it`);
    const from = at++;
    const [expected, to] = readExpected(lines, at);
    directives.push({ line, command: command!.key, args, input: input.join("\n").trim(), expected, from, to });
    at = to;
  }
  return directives;
}

function readExpected(lines: readonly string[], start: number): [text: string, end: number] {
  let at = start;
  const output: string[] = [];
  if (lines[at] === separator) {
    for (at++; at < lines.length; at++) {
      if (lines[at] === separator && lines[at + 1] === separator) return [joined(output), at + 2];
      output.push(lines[at]!);
    }
    throw new ScriptSyntaxError(start + 1, `the doubled "${separator}" is not closed by another`);
  }
  while (at < lines.length && lines[at]!.trim() !== "") output.push(lines[at++]!);
  return [joined(output), at];
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

/** Splits `command arg key=value key=(a, b)`. Parentheses may hold blanks and each other. */
export function parseHead(head: string, line: number): Argument[] {
  const args: Argument[] = [];
  let at = 0;
  while (at < head.length) {
    if (isBlank(head[at]!)) {
      at++;
      continue;
    }
    const start = at;
    while (at < head.length && head[at] !== "=" && !isBlank(head[at]!)) at++;
    const key = head.slice(start, at);
    if (head[at] !== "=") {
      args.push({ key, values: [] });
      continue;
    }
    at++;
    const valueAt = at;
    if (head[at] === "(") {
      at = closing(head, at, line) + 1;
      args.push({ key, values: splitValues(head.slice(valueAt + 1, at - 1)) });
    } else {
      while (at < head.length && !isBlank(head[at]!)) at++;
      args.push({ key, values: [head.slice(valueAt, at)] });
    }
  }
  return args;
}

function closing(head: string, open: number, line: number): number {
  let depth = 0;
  for (let at = open; at < head.length; at++) {
    if (head[at] === "(") depth++;
    if (head[at] === ")" && --depth === 0) return at;
  }
  throw new ScriptSyntaxError(line, `a parenthesis of "${head}" is not closed`);
}

/** By commas or by blanks; commas inside of parentheses do not count. */
function splitValues(list: string): string[] {
  return list.split(/[\s,]+(?![^(]*\))/).filter((value) => value !== "");
}

function isBlank(character: string): boolean {
  return character === " " || character === "\t";
}

/** The script with other outputs in the place of the expected ones; everything else stays. */
export function rewriteScript(text: string, outputs: ReadonlyMap<Directive, string>): string {
  const lines = text.split("\n");
  const kept: string[] = [];
  let at = 0;
  for (const [directive, output] of outputs) {
    kept.push(...lines.slice(at, directive.from), ...expectedBlock(output));
    at = directive.to;
  }
  kept.push(...lines.slice(at));
  const rewritten = kept.join("\n");
  return rewritten.endsWith("\n") ? rewritten : `${rewritten}\n`;
}

function expectedBlock(output: string): string[] {
  const lines = output.replace(/\n$/, "").split("\n");
  if (output === "") return [separator];
  const hasBlank = lines.some((line) => line.trim() === "");
  return hasBlank ? [separator, separator, ...lines, separator, separator] : [separator, ...lines];
}

import { factsOf, type Facts } from "./facts.js";
import type { Directive } from "./script.js";

/**
 * How far an output agrees with the expected one; each level asks for those below it too.
 *
 * 1: states, progress, logs and errors. 2: each node's hard states, entries written and applied. 3: messages between
 * nodes. 4: every character except log lines.
 */
export type Level = 0 | 1 | 2 | 3 | 4;

export const highest: Level = 4;

export interface Difference {
  /** The line in the file; of the directive, when it says more than the file has. */
  readonly line: number;
  readonly expected: string;
  readonly got: string;
}

export interface Comparison {
  readonly level: Level;
  /** At the first level that does not agree. */
  readonly difference: Difference | undefined;
}

export function compare(directive: Directive, output: string): Comparison {
  const args = directive.args.map(({ key }) => key);
  const expected = factsOf(directive.command, args, directive.expected);
  const got = factsOf(directive.command, args, output);
  const level = agreement(expected, got);
  return { level, difference: level === highest ? undefined : firstDifference(directive, expected, got) };
}

function agreement(expected: Facts, got: Facts): Level {
  if (!isEqual(expected.probes, got.probes)) return 0;
  if (!isEqual(expected.written, got.written)) return 1;
  if (!isEqual(expected.messages, got.messages)) return 2;
  return isEqual(texts(expected), texts(got)) ? 4 : 3;
}

/** For scripts of pure functions: all or nothing. */
export function compareExactly(directive: Directive, output: string): Difference | undefined {
  const [expected, got] = [directive.expected, output].map((text) => text.replace(/\n$/, "").split("\n")) as [
    string[],
    string[],
  ];
  const place = placeOfDifference(expected, got);
  if (place === undefined) return undefined;
  return { line: lineOf(directive, place), expected: expected[place] ?? "", got: got[place] ?? "" };
}

function firstDifference(directive: Directive, expected: Facts, got: Facts): Difference {
  const place = placeOfDifference(texts(expected), texts(got)) ?? 0;
  const line = expected.lines[place];
  return {
    line: line === undefined ? directive.line : lineOf(directive, line.place),
    expected: line?.text ?? "",
    got: got.lines[place]?.text ?? "",
  };
}

function lineOf(directive: Directive, place: number): number {
  return directive.from + 2 + place;
}

function texts(facts: Facts): string[] {
  return facts.lines.map(({ text }) => text);
}

function placeOfDifference(left: readonly string[], right: readonly string[]): number | undefined {
  const length = Math.max(left.length, right.length);
  for (let place = 0; place < length; place++) if (left[place] !== right[place]) return place;
  return undefined;
}

function isEqual(left: readonly string[], right: readonly string[]): boolean {
  return placeOfDifference(left, right) === undefined;
}

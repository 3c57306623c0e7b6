import type { Argument, Directive } from "./script.js";

/** What is wrong with a directive: printed where its output would stand, and reported with the file. */
export class DirectiveError extends Error {}

export function wholeNumber(text: string, what: string): number {
  if (!/^\d+$/.test(text)) throw new DirectiveError(`${what} is "${text}" and must be a number`);
  return Number(text);
}

export function truth(text: string, what: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw new DirectiveError(`${what} is "${text}" and must be true or false`);
}

/** The arguments without `=`, as numbers. */
export function plainNumbers(directive: Directive): number[] {
  return plain(directive).map(({ key }) => wholeNumber(key, "an argument"));
}

export function plain(directive: Directive): Argument[] {
  return directive.args.filter(({ values }) => values.length === 0);
}

/** The value of `key=value`. */
export function valueOf(directive: Directive, key: string): string | undefined {
  return directive.args.find((arg) => arg.key === key)?.values[0];
}

export function needed(directive: Directive, key: string): string {
  const value = valueOf(directive, key);
  if (value === undefined) throw new DirectiveError(`${directive.command} needs ${key}=…`);
  return value;
}

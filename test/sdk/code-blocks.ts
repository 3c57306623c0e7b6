import { readFileSync } from "node:fs";

/** The TypeScript blocks of a document, in order. */
export function blocksOf(document: string): string[] {
  return [...readFileSync(document, "utf8").matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
}

/** Every `@example` of the comments in a file of declarations, with the line it begins at. */
export function examplesOf(file: string): { readonly line: number; readonly code: string }[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/^ *\* @example\n((?: *\*(?: .*)?\n)*?)(?= *\* @| *\*\/)/gm)].map((match) => ({
    line: text.slice(0, match.index).split("\n").length,
    code: match[1]!.replaceAll(/^ *\* ?/gm, ""),
  }));
}

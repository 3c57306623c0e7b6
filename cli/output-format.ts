import { InvalidArgumentError } from "commander";
import { IkadaError } from "../src/base/errors.js";
import { parseColumns, parseColumnsFile, type CustomColumn } from "./custom-columns.js";
import { parseTemplate, type Part } from "./jsonpath/parse.js";
import { readText } from "./read-text.js";

/** What `-o` asks for. */
export type OutputFormat =
  | { readonly type: "table"; readonly wide: boolean }
  | { readonly type: "yaml" | "json" | "name" }
  | { readonly type: "jsonpath"; readonly template: readonly Part[] }
  | { readonly type: "custom-columns"; readonly columns: readonly CustomColumn[] };

/** As they are written, for completion. */
export const outputNames = [
  "table",
  "wide",
  "yaml",
  "json",
  "name",
  "jsonpath=",
  "jsonpath-file=",
  "custom-columns=",
  "custom-columns-file=",
] as const;

const choices =
  "table, wide, yaml, json, name, jsonpath=TEMPLATE, jsonpath-file=FILE, custom-columns=HEADER:PATH,... and custom-columns-file=FILE";

/** Parser of `-o` for commander. @throws InvalidArgumentError */
export function parseOutputFormat(text: string): OutputFormat {
  const equals = text.indexOf("=");
  const [name, value] = equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
  if (equals < 0) {
    if (name === "table" || name === "wide") return { type: "table", wide: name === "wide" };
    if (name === "yaml" || name === "json" || name === "name") return { type: name };
  }
  try {
    switch (name) {
      case "jsonpath":
      case "jsonpath-file":
        if (value === "") throw new InvalidArgumentError("Write jsonpath='{.metadata.name}'.");
        return { type: "jsonpath", template: parseTemplate(name === "jsonpath" ? withBraces(value) : readText(value)) };
      case "custom-columns":
        return { type: "custom-columns", columns: parseColumns(value) };
      case "custom-columns-file":
        return { type: "custom-columns", columns: parseColumnsFile(value, readText(value)) };
    }
  } catch (caught) {
    if (caught instanceof InvalidArgumentError) throw caught;
    const { message, details } = IkadaError.from(caught);
    throw new InvalidArgumentError(`${message}${details.hint === undefined ? "" : `\n  ${details.hint}`}`);
  }
  throw new InvalidArgumentError(`Allowed choices are ${choices}.`);
}

/** Without any brace the template would print itself; a path is meant. */
function withBraces(template: string): string {
  return !template.includes("{") && /^[.$]/.test(template) ? `{${template}}` : template;
}

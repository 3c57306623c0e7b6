import { InvalidArgumentError, Option } from "commander";

/** Parsers of flags' values for commander, which puts the flag's name before what they complain about. */

/** `5s`, `2m`, `1h`, `300ms` or plain seconds, in milliseconds. @throws InvalidArgumentError */
export function parseSpan(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text);
  if (!match) throw new InvalidArgumentError("Write 500ms, 30s, 5m or 1h.");
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[(match[2] ?? "s") as "ms" | "s" | "m" | "h"];
}

/** `--timeout <span>`, shown in the help with its default as people write it. */
export function timeoutOption(fallback: string): Option {
  return new Option("--timeout <span>", "longest wait").argParser(parseSpan).default(parseSpan(fallback), fallback);
}

/** `-f` for commands that have other words behind it: one path each, several times. */
export function filenameOption(description: string): Option {
  return new Option("-f, --filename <path>", description).argParser((path: string, before: string[] | undefined) => [
    ...(before ?? []),
    path,
  ]);
}

/** Where a change is tried without being made. */
export type DryRun = "server" | "none";

/** `--dry-run`, alone or with `=server`: what kubectl does there without the server would be less true. */
export function dryRunOption(): Option {
  return new Option("--dry-run [where]", "check and show, change nothing")
    .choices(["server", "none"])
    .preset("server")
    .default("none");
}

/** What to say behind what was only tried. */
export function dryRunNote(dryRun: DryRun): string {
  return dryRun === "server" ? " (server dry run)" : "";
}

/** A whole number from 0 on. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("A whole number from 0 on is expected.");
  return Number(text);
}

/** Days, with a fraction, above 0. @throws InvalidArgumentError */
export function parseDays(text: string): number {
  if (!/^\d{1,5}(?:\.\d{1,6})?$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError("A number of days is expected.");
  return Number(text);
}

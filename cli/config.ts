import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { IkadaError } from "../src/base/errors.js";

/** How to reach one cluster, and as whom. */
export interface Context {
  readonly name: string;
  /** `host:port` of the API listeners, any order. */
  readonly endpoints: readonly string[];
  /** PEM text of the cluster's authority. */
  readonly ca: string;
  readonly token: string;
  readonly namespace: string;
}

interface ContextFile {
  readonly endpoints?: unknown;
  readonly ca?: unknown;
  readonly caFile?: unknown;
  readonly token?: unknown;
  readonly tokenFile?: unknown;
  readonly namespace?: unknown;
}

/** The folder that `npm run up` writes into, seen from the compiled file dist/cli/config.js. */
const localFolder = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..", ".ikada");

/**
 * Finds the context file: `--config`, then $IKADA_CONFIG, then the cluster that `npm run up` made in this checkout,
 * then ~/.config/ikada/config.json.
 * @throws IkadaError NotFound with where it looked; Invalid with file and field
 */
export function loadContext(path: string | undefined, environment: NodeJS.ProcessEnv): Context {
  const candidates = [
    path,
    environment["IKADA_CONFIG"],
    join(localFolder, "admin.json"),
    join(homedir(), ".config", "ikada", "config.json"),
  ];
  const named = candidates.slice(0, 2).find((candidate) => candidate !== undefined && candidate !== "");
  const found = named ?? candidates.find((candidate) => candidate !== undefined && existsSync(candidate));
  if (found === undefined) {
    throw new IkadaError("NotFound", "no cluster to talk to", {
      hint: `run 'npm run up' for a local cluster, or name a file with --config or IKADA_CONFIG (looked for ${candidates.slice(2).join(" and ")})`,
    });
  }
  return parseContext(found);
}

function parseContext(file: string): Context {
  let parsed: ContextFile;
  try {
    parsed = JSON.parse(readFileSync(file, "utf8")) as ContextFile;
  } catch (caught) {
    throw new IkadaError(
      "Invalid",
      `${file}: ${caught instanceof Error ? caught.message : String(caught)}`,
      {},
      caught,
    );
  }
  const text = (value: unknown, valueFile: unknown, field: string): string => {
    if (typeof value === "string" && value !== "") return value;
    if (typeof valueFile === "string") return readFileSync(resolve(dirname(file), valueFile), "utf8").trim();
    throw new IkadaError("Invalid", `${file}: ${field} (or ${field}File) is missing`);
  };
  const endpoints = Array.isArray(parsed.endpoints) ? parsed.endpoints.filter((item) => typeof item === "string") : [];
  if (endpoints.length === 0) throw new IkadaError("Invalid", `${file}: endpoints must be a list of host:port`);
  return {
    name: file,
    endpoints,
    ca: text(parsed.ca, parsed.caFile, "ca"),
    token: text(parsed.token, parsed.tokenFile, "token"),
    namespace: typeof parsed.namespace === "string" ? parsed.namespace : "default",
  };
}

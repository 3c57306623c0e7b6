import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { IkadaError } from "../src/base/errors.js";
import { ConfigSection } from "../src/host/config-file.js";
import { readText } from "./read-text.js";

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
  const section = ConfigSection.read(file);
  const endpoints = section.texts("endpoints");
  if (endpoints.length === 0) throw new IkadaError("Invalid", `${file}: endpoints: a list of host:port is expected`);
  const textOrFile = (field: string): string =>
    section.has(`${field}File`) ? readText(section.path(`${field}File`)).trim() : section.text(field);
  const context = {
    name: file,
    endpoints,
    ca: textOrFile("ca"),
    token: textOrFile("token"),
    namespace: section.text("namespace", "default"),
  };
  section.end();
  return context;
}

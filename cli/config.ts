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
  /** The file it is from. */
  readonly file: string;
  /** `host:port` of the API listeners, any order. */
  readonly endpoints: readonly string[];
  /** PEM text of the cluster's authority. */
  readonly ca: string;
  readonly token: string;
  readonly namespace: string;
}

/** What the command line says of files and contexts. */
export interface ContextChoice {
  readonly config?: string;
  readonly context?: string;
}

/** Where context files are. */
export interface Places {
  /** That of the cluster which `npm run up` made in this checkout. */
  readonly local: string;
  /** That of the user, which `ikada context` writes. */
  readonly user: string;
}

export function contextPlaces(): Places {
  // Seen from the compiled file dist/cli/config.js.
  const checkout = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");
  return {
    local: join(checkout, ".ikada", "admin.json"),
    user: join(homedir(), ".config", "ikada", "config.json"),
  };
}

/** Contexts by name, and which of them is used when none is named. */
export interface Contexts {
  /** The file that changes are written to; it need not be there. */
  readonly file: string;
  readonly current: string | undefined;
  /** With the reading of each left until it is wanted, since one with a fault is no reason to refuse the others. */
  readonly byName: ReadonlyMap<string, { readonly file: string; readonly read: () => Context }>;
}

/** The name of the cluster that `npm run up` made, and of the one in a file that holds one context only. */
const [localName, onlyName] = ["local", "default"];

/**
 * The contexts there are: those of `--config` or $IKADA_CONFIG alone, or else those of the user's file and the cluster in this checkout.
 * @throws IkadaError NotFound when a named file is not there; Invalid with file and field
 */
export function findContexts(
  choice: ContextChoice,
  environment: NodeJS.ProcessEnv,
  { local, user }: Places = contextPlaces(),
): Contexts {
  const named = namedFile(choice, environment);
  if (named !== undefined) return readFile(named);
  const own = existsSync(user) ? readFile(user) : { file: user, current: undefined, byName: new Map() };
  if (!existsSync(local)) return own;
  const byName: Contexts["byName"] = new Map([
    [localName, { file: local, read: () => readContext(localName, local, ConfigSection.read(local)) }],
    ...own.byName,
  ]);
  // Who was told to use another one by name does; the cluster of this checkout comes before what is only there.
  return { file: user, current: own.current ?? localName, byName };
}

/**
 * The context that a command uses: `--context`, then $IKADA_CONTEXT, then the current one, then the only one.
 * @throws IkadaError NotFound with the names there are; Invalid with file and field
 */
export function loadContext(
  choice: ContextChoice,
  environment: NodeJS.ProcessEnv,
  places: Places = contextPlaces(),
): Context {
  const contexts = findContexts(choice, environment, places);
  const name = chosenName(contexts, choice, environment);
  if (name !== undefined) return contextNamed(contexts, name).read();
  const names = [...contexts.byName.keys()];
  if (names.length > 0)
    throw new IkadaError("BadRequest", `${contexts.file} has several contexts, and none of them is in use`, {
      hint: `choose one with 'ikada context use NAME' or --context NAME: ${names.join(", ")}`,
    });
  throw new IkadaError("NotFound", "no cluster to talk to", {
    hint: `run 'npm run up' for a local cluster, 'ikada context set NAME' for another one, or name a file with --config or IKADA_CONFIG (looked for ${places.local} and ${places.user})`,
  });
}

/** Which context commands go to; undefined when there is none, or nothing to choose one of several by. */
export function chosenName(
  { byName, current }: Contexts,
  { context }: ContextChoice,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  const [only, more] = byName.keys();
  return context ?? (environment["IKADA_CONTEXT"] || undefined) ?? current ?? (more === undefined ? only : undefined);
}

/** The file that a new context is written to; it need not be there. */
export function contextFile(
  choice: ContextChoice,
  environment: NodeJS.ProcessEnv,
  { user }: Places = contextPlaces(),
): string {
  return namedFile(choice, environment) ?? user;
}

function namedFile({ config }: ContextChoice, environment: NodeJS.ProcessEnv): string | undefined {
  return config ?? (environment["IKADA_CONFIG"] || undefined);
}

/** @throws IkadaError NotFound with the names there are */
export function contextNamed(contexts: Contexts, name: string) {
  const found = contexts.byName.get(name);
  if (found) return found;
  const names = [...contexts.byName.keys()];
  throw new IkadaError("NotFound", `there is no context "${name}" in ${contexts.file}`, {
    hint:
      names.length > 0
        ? `there are ${names.join(", ")}; 'ikada context set ${name}' makes one`
        : `'ikada context set ${name}' makes one`,
  });
}

/** One file with its contexts: `{"current": NAME, "contexts": {NAME: CONTEXT}}`, or one context alone. */
export function readFile(file: string): Contexts {
  const section = ConfigSection.read(file);
  if (!section.has("contexts")) {
    const read = (): Context => readContext(onlyName, file, ConfigSection.read(file));
    return { file, current: undefined, byName: new Map([[onlyName, { file, read }]]) };
  }
  const current = section.has("current") ? section.text("current") : undefined;
  const byName = new Map(
    Object.entries(section.sectionMap("contexts")).map(([name, context]) => [
      name,
      { file, read: (): Context => readContext(name, file, context) },
    ]),
  );
  section.end();
  return { file, current, byName };
}

/** @throws IkadaError Invalid with file and field, NotFound for a file it names */
export function readContext(name: string, file: string, section: ConfigSection): Context {
  const endpoints = section.texts("endpoints");
  if (endpoints.length === 0) throw section.fault("endpoints", "a list of host:port is expected");
  const textOrFile = (field: string): string =>
    section.has(`${field}File`) ? readText(section.path(`${field}File`)).trim() : section.text(field);
  const context = {
    name,
    file,
    endpoints,
    ca: textOrFile("ca"),
    token: textOrFile("token"),
    namespace: section.text("namespace", "default"),
  };
  section.end();
  return context;
}

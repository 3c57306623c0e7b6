import type { Command } from "commander";
import type { AnyObject } from "../src/api/object.js";
import { kindNamed, kinds } from "../src/api/registry.js";
import type { KindDefinition } from "../src/api/kind.js";
import { IkadaError } from "../src/base/errors.js";
import type { Client } from "../sdk/index.js";
import { loadContext } from "./config.js";

/** Options that every command has. */
export interface GlobalOptions {
  readonly config?: string;
  readonly context?: string;
  readonly namespace?: string;
  /** Milliseconds. */
  readonly requestTimeout?: number;
}

/** One run of one command against one cluster. */
export interface Session {
  readonly client: Client;
  /** The namespace of this run: `--namespace`, or the context's. */
  readonly namespace: string;
  readonly signal: AbortSignal;
  /** For one call, in milliseconds. */
  readonly deadlineMs: number;
}

/** Who owns what `apply`, `scale` and `rollout` set: one name, so that a manifest can be applied again after them. */
export const fieldManagerDefault = "ikada";

const deadlineMsDefault = 15_000;

/** Connects, runs `work`, disconnects. Ctrl-C ends calls in work. */
export async function withSession(command: Command, work: (session: Session) => Promise<void>): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const context = loadContext(options, process.env);
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  process.once("SIGINT", interrupt);
  // Loaded only now: gRPC is most of the time that a command without a cluster would take to start.
  const { Client } = await import("../sdk/index.js");
  const client = await Client.connect({ endpoints: context.endpoints, ca: context.ca, token: context.token });
  try {
    await work({
      client,
      namespace: options.namespace ?? context.namespace,
      signal: abort.signal,
      deadlineMs: options.requestTimeout ?? deadlineMsDefault,
    });
  } finally {
    process.off("SIGINT", interrupt);
    await client.close();
  }
}

/** Objects named on the command line. */
export interface Target {
  readonly kind: KindDefinition;
  /** Undefined: all of this kind. */
  readonly name: string | undefined;
}

/**
 * `pods`, `pods web-1 web-2`, `pod/web-1 deployment/web`, `deploy,rs`, `all`: kubectl's ways to name things.
 * @throws IkadaError UnknownKind, BadRequest
 */
export function parseTargets(words: readonly string[]): Target[] {
  const [first, ...names] = words;
  if (first === undefined) throw new IkadaError("BadRequest", "name a kind, for example: pods, deployment/web");
  if (words.some((word) => word.includes("/"))) {
    return words.map((word) => {
      const [kind, name, more] = word.split("/");
      if (!kind || !name || more !== undefined)
        throw new IkadaError("BadRequest", `"${word}": write KIND/NAME for all, or KIND NAME...`);
      return { kind: kindNamed(kind), name };
    });
  }
  const named = first.split(",").flatMap((word) => (word === "all" ? inCategoryAll() : [kindNamed(word)]));
  const chosen = [...new Set(named)];
  if (names.length === 0) return chosen.map((kind) => ({ kind, name: undefined }));
  return chosen.flatMap((kind) => names.map((name) => ({ kind, name })));
}

function inCategoryAll(): KindDefinition[] {
  return kinds.filter((kind) => kind.categories.includes("all"));
}

/** `deployment.apps/web`: how commands name what they did. */
export function shortName(kind: Pick<KindDefinition, "singular" | "group">, name: string): string {
  return `${kind.singular}${kind.group === "" ? "" : `.${kind.group}`}/${name}`;
}

/** The namespace to send for a kind: none for cluster-scoped ones. */
export function namespaceFor(kind: Pick<KindDefinition, "namespaced">, namespace: string): string {
  return kind.namespaced ? namespace : "";
}

/** Narrows what the SDK hands out to a typed kind. */
export function typed<T>(object: AnyObject): T {
  return object as unknown as T;
}

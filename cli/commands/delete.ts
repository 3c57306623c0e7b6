import { Option, type Command } from "commander";
import { kindOf, kinds } from "../../src/api/registry.js";
import type { KindDefinition } from "../../src/api/kind.js";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError } from "../../src/base/errors.js";
import { readManifests } from "../manifest.js";
import { namespaceFor, parseSpan, parseTargets, shortName, withSession, type Session } from "../session.js";

interface DeleteOptions {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly selector?: string;
  readonly all?: boolean;
  readonly ignoreNotFound?: boolean;
  readonly cascade: "background" | "foreground" | "orphan";
  readonly gracePeriod?: string;
  readonly wait: boolean;
  readonly timeout: string;
}

interface Doomed {
  readonly kind: KindDefinition;
  readonly namespace: string;
  readonly name: string;
}

/** `ikada delete`: by name, by label, by manifest; waits until they are gone. */
export function addDelete(program: Command): void {
  program
    .command("delete")
    .description("delete objects and wait until they are gone")
    .argument("[what...]", "KIND NAME..., KIND/NAME..., or KIND with -l or --all")
    .option("-f, --filename <path...>", "the objects of these manifests")
    .option("-R, --recursive", "folders with their subfolders")
    .option("-l, --selector <labels>", "all with these labels")
    .option("--all", "all of the kind in the namespace")
    .option("--ignore-not-found", "no error for what is not there")
    .addOption(
      new Option("--cascade <how>", "what becomes of dependents")
        .choices(["background", "foreground", "orphan"])
        .default("background"),
    )
    .option("--grace-period <seconds>", "seconds between SIGTERM and SIGKILL; 0 forgets a Pod at once")
    .option("--no-wait", "return at once")
    .option("--timeout <span>", "longest wait", "2m")
    .action((words: string[], options: DeleteOptions, command: Command) =>
      withSession(command, async (session) => {
        const doomed = await chosen(session, words, options);
        const waiting: Doomed[] = [];
        for (const one of doomed) if (await deleteOne(session, one, options)) waiting.push(one);
        if (options.wait) await waitUntilGone(session, waiting, parseSpan(options.timeout, "--timeout"));
      }),
    );
}

async function chosen(session: Session, words: readonly string[], options: DeleteOptions): Promise<Doomed[]> {
  if (options.filename) {
    const objects = options.filename
      .flatMap((path) => readManifests(path, options.recursive ?? false))
      .map(({ value }) => value as AnyObject);
    // Reverse order: what was made last, perhaps on top of the first, goes first.
    return objects.toReversed().map((object) => {
      const kind = kindOf(object);
      return {
        kind,
        namespace: namespaceFor(kind, object.metadata.namespace ?? session.namespace),
        name: object.metadata.name,
      };
    });
  }
  const targets = parseTargets(
    words,
    kinds.filter((kind) => kind.categories.includes("all")),
  );
  const doomed: Doomed[] = [];
  for (const { kind, name } of targets) {
    const namespace = namespaceFor(kind, session.namespace);
    if (name !== undefined) {
      doomed.push({ kind, namespace, name });
      continue;
    }
    if (options.all !== true && options.selector === undefined) {
      throw new IkadaError("BadRequest", `which ${kind.plural}?`, { hint: "name them, or give -l LABELS or --all" });
    }
    const scope = {
      namespace,
      signal: session.signal,
      deadlineMs: session.deadlineMs,
      ...(options.selector === undefined ? {} : { labelSelector: options.selector }),
    };
    for await (const object of session.client.list(kind, scope))
      doomed.push({ kind, namespace, name: object.metadata.name });
  }
  return doomed;
}

/** True when it is still terminating. */
async function deleteOne(
  { client, signal, deadlineMs }: Session,
  { kind, namespace, name }: Doomed,
  options: DeleteOptions,
): Promise<boolean> {
  const propagation = ({ background: "Background", foreground: "Foreground", orphan: "Orphan" } as const)[
    options.cascade
  ];
  try {
    const { removed } = await client.delete(kind, name, {
      namespace,
      propagation,
      ...(options.gracePeriod === undefined ? {} : { gracePeriodSeconds: Number(options.gracePeriod) }),
      signal,
      deadlineMs,
    });
    process.stdout.write(`${shortName(kind, name)} deleted\n`);
    return !removed;
  } catch (caught) {
    if (options.ignoreNotFound === true && IkadaError.from(caught).reason === "NotFound") return false;
    throw caught;
  }
}

async function waitUntilGone({ client, signal }: Session, doomed: readonly Doomed[], timeoutMs: number): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  for (const { kind, namespace, name } of doomed) {
    let there = false;
    try {
      for await (const event of client.watch(kind, {
        namespace,
        fieldSelector: `metadata.name=${name}`,
        signal: limit,
      })) {
        if (event.type === "ADDED") there = true;
        if (event.type === "DELETED" || (event.type === "BOOKMARK" && !there)) break;
      }
    } catch (caught) {
      if (limit.aborted && !signal.aborted) {
        throw new IkadaError(
          "Deadline",
          `${shortName(kind, name)} is still terminating after ${timeoutMs / 1000} s`,
          { hint: `see 'ikada describe ${kind.singular} ${name}'` },
          caught,
        );
      }
      throw caught;
    }
  }
}

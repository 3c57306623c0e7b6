import { Option, type Command } from "commander";
import { IkadaError } from "../../src/base/errors.js";
import { tryEach } from "../failures.js";
import { parseCount, timeoutOption } from "../flags.js";
import { namespaceFor, parseTargets, shortName, withSession, type Session } from "../session.js";
import { TimeLimit } from "../time-limit.js";
import { waitUntilGone, type Doomed } from "../wait-until-gone.js";

interface DeleteOptions {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly selector?: string;
  readonly all?: boolean;
  readonly ignoreNotFound?: boolean;
  readonly cascade: keyof typeof propagations;
  readonly gracePeriod?: number;
  readonly force?: boolean;
  readonly wait: boolean;
  readonly timeout: number;
}

const propagations = { background: "Background", foreground: "Foreground", orphan: "Orphan" } as const;

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
        .choices(Object.keys(propagations))
        .default("background"),
    )
    .option(
      "--grace-period <seconds>",
      "seconds between SIGTERM and SIGKILL; 0 forgets a Pod at once, unless it has a fencing lease",
      parseCount,
    )
    .option("--force", "the same as --grace-period 0")
    .option("--no-wait", "return at once")
    .addOption(timeoutOption("2m"))
    .action((words: string[], options: DeleteOptions, command: Command) =>
      withSession(command, async (session) => {
        if (words.length > 0 && options.filename)
          throw new IkadaError("BadRequest", "name objects or manifests, not both");
        const doomed = options.filename
          ? await ofManifests(session, options)
          : await ofWords(session, parseTargets(words), options);
        if (doomed.length === 0) process.stdout.write("No resources found\n");
        const waiting: Doomed[] = [];
        await tryEach(doomed, async (one) => {
          if (await deleteOne(session, one, options)) waiting.push(one);
        });
        if (!options.wait) return;
        using limit = new TimeLimit(options.timeout, session.signal);
        for (const one of waiting) await waitUntilGone(session, one, limit);
      }),
    );
}

async function ofManifests(session: Session, { filename = [], recursive }: DeleteOptions): Promise<Doomed[]> {
  const { readObjects } = await import("../placed-object.js");
  const objects = readObjects(filename, recursive ?? false, session.namespace);
  // Reverse order: what was made last, perhaps on top of the first, goes first.
  return objects.toReversed().map(({ kind, object: { metadata } }) => ({
    kind,
    namespace: namespaceFor(kind, metadata.namespace ?? ""),
    name: metadata.name,
  }));
}

async function ofWords(
  session: Session,
  targets: ReturnType<typeof parseTargets>,
  options: DeleteOptions,
): Promise<Doomed[]> {
  const { client, signal, deadlineMs } = session;
  const many = options.all === true || options.selector !== undefined;
  const doomed: Doomed[] = [];
  for (const { kind, name } of targets) {
    const namespace = namespaceFor(kind, session.namespace);
    if (name !== undefined) {
      if (many) throw new IkadaError("BadRequest", "names can't be given together with -l or --all");
      doomed.push({ kind, namespace, name });
      continue;
    }
    if (!many)
      throw new IkadaError("BadRequest", `which ${kind.plural}?`, {
        hint: "name them, or give -l LABELS or --all",
      });
    const labelSelector = options.selector ?? "";
    for await (const object of client.list(kind, { namespace, labelSelector, signal, deadlineMs }))
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
  const gracePeriodSeconds = options.gracePeriod ?? (options.force === true ? 0 : undefined);
  try {
    const { removed } = await client.delete(kind, name, {
      namespace,
      propagation: propagations[options.cascade],
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      signal,
      deadlineMs,
    });
    process.stdout.write(`${shortName(kind, name).replace("/", ' "')}" deleted\n`);
    return !removed;
  } catch (caught) {
    if (options.ignoreNotFound === true && IkadaError.from(caught).reason === "NotFound") return false;
    throw caught;
  }
}

import { Option, type Command } from "commander";
import type { AnyObject } from "../../src/api/object.js";
import { valueAt } from "../../src/api/path.js";
import { IkadaError } from "../../src/base/errors.js";
import { tryEach } from "../failures.js";
import { dryRunNote, dryRunOption, timeoutOption, type DryRun } from "../flags.js";
import { harmless } from "../output.js";
import type { PlacedObject } from "../placed-object.js";
import { fieldManagerDefault, withSession, type Session } from "../session.js";
import { waitForRollouts } from "./rollout.js";

interface ApplyOptions {
  readonly filename: readonly string[];
  readonly recursive?: boolean;
  readonly force?: boolean;
  readonly forceConflicts?: boolean;
  readonly dryRun: DryRun;
  readonly fieldManager: string;
  readonly selector?: string;
  readonly prune?: boolean;
  readonly wait?: boolean;
  readonly timeout: number;
}

/** `ikada apply -f FILE`: server-side apply of every object, in the order of the manifests. */
export function addApply(program: Command): void {
  program
    .command("apply")
    .description("make the cluster's objects what the manifests say (server-side apply)")
    .requiredOption("-f, --filename <path...>", "file, folder, or - for standard input")
    .option("-R, --recursive", "folders with their subfolders")
    .option("--force", "take fields over that other managers own")
    .addOption(dryRunOption())
    .option("--field-manager <name>", "who owns the fields", fieldManagerDefault)
    .option("-l, --selector <labels>", "only the objects of the manifests with these labels")
    .option(
      "--prune",
      "with -l: delete what an earlier apply made, has these labels, and stands in no manifest any more",
    )
    .option("--wait", "wait until Deployments, StatefulSets and DaemonSets are rolled out")
    .addOption(timeoutOption("5m"))
    // What kubectl calls things; there is no other apply here.
    .addOption(new Option("--server-side").hideHelp())
    .addOption(new Option("--force-conflicts").hideHelp())
    .action((options: ApplyOptions, command: Command) =>
      withSession(command, async (session) => {
        const { readObjects, selectObjects } = await import("../placed-object.js");
        if (options.prune === true) (await import("../prune.js")).checkPruneSelector(options.selector);
        const all = readObjects(options.filename, options.recursive ?? false, session.namespace);
        const objects = selectObjects(all, options.selector);
        const dryRun = options.dryRun === "server";
        // All are checked before the first is changed, so that a typo in the last one changes nothing.
        const made = new Set(
          objects.filter(({ kind }) => kind.kind === "Namespace").map(({ object }) => object.metadata.name),
        );
        await tryEach(objects, (placed) => check(session, placed, options, made, dryRun));
        if (!dryRun) for (const placed of objects) tell(placed, await send(session, placed, options, false), "");
        // Last, so that nothing is missing in between; and never what a manifest names, with these labels or without.
        if (options.prune === true) await prune(session, all, options);
        if (dryRun || options.wait !== true) return;
        const followed = objects.filter(({ kind, object }) => rollsOut(kind.kind, object));
        await waitForRollouts(
          session,
          followed.map(({ kind, object: { metadata } }) => ({
            kind,
            namespace: metadata.namespace ?? session.namespace,
            name: metadata.name,
          })),
          options.timeout,
        );
      }),
    );
}

/** With the strategy OnDelete nothing comes by itself. */
function rollsOut(kind: string, object: AnyObject): boolean {
  const sets = ["StatefulSet", "DaemonSet"];
  return (
    kind === "Deployment" || (sets.includes(kind) && valueAt(object, "spec", "updateStrategy", "type") !== "OnDelete")
  );
}

type Written = Awaited<ReturnType<Session["client"]["apply"]>>;

async function check(
  session: Session,
  placed: PlacedObject,
  options: ApplyOptions,
  made: ReadonlySet<string>,
  show: boolean,
): Promise<void> {
  const note = " (server dry run)";
  try {
    const written = await send(session, placed, options, true);
    if (show) tell(placed, written, note);
  } catch (caught) {
    const error = IkadaError.from(caught);
    if (error.reason !== "NotFound" || !made.has(placed.object.metadata.namespace ?? "")) throw error;
    // Its Namespace is made by this run, so that no server can try it before.
    const { atPlace, checkNewObject } = await import("../placed-object.js");
    try {
      checkNewObject(placed);
    } catch (refused) {
      throw atPlace(IkadaError.from(refused), placed);
    }
    if (show) process.stdout.write(`${placed.name} created${note}\n`);
  }
}

async function send(session: Session, placed: PlacedObject, options: ApplyOptions, dryRun: boolean): Promise<Written> {
  const { client, signal, deadlineMs } = session;
  const { fieldManager } = options;
  const force = options.force === true || options.forceConflicts === true;
  try {
    return await client.apply(placed.object, { force, dryRun, fieldManager, signal, deadlineMs });
  } catch (caught) {
    const { atPlace } = await import("../placed-object.js");
    throw atPlace(IkadaError.from(caught), placed);
  }
}

async function prune(session: Session, named: readonly PlacedObject[], options: ApplyOptions): Promise<void> {
  const { client, signal, deadlineMs } = session;
  const { findPrunable } = await import("../prune.js");
  const { selector = "", fieldManager, dryRun } = options;
  const { doomed, spared } = await findPrunable(session, named, { selector, manager: fieldManager });
  for (const { name, why } of spared) process.stderr.write(`Warning: ${harmless(`${name} is not pruned: ${why}`)}\n`);
  await tryEach(doomed, async ({ kind, object, name }) => {
    const { namespace = "", uid, resourceVersion } = object.metadata;
    await client.delete(kind, object.metadata.name, {
      namespace,
      // As it was judged, or not at all.
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      dryRun: dryRun === "server",
      fieldManager,
      signal,
      deadlineMs,
    });
    process.stdout.write(`${name} pruned${dryRunNote(dryRun)}\n`);
  });
}

function tell({ name }: PlacedObject, { created, changed, warnings }: Written, note: string): void {
  for (const warning of warnings) process.stderr.write(`Warning: ${harmless(`${name}: ${warning}`)}\n`);
  process.stdout.write(`${name} ${created ? "created" : changed ? "configured" : "unchanged"}${note}\n`);
}

import { Option, type Command } from "commander";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError } from "../../src/base/errors.js";
import { ExitStatus, Failures } from "../failures.js";
import { formatYaml, harmless } from "../output.js";
import type { PlacedObject } from "../placed-object.js";
import { fieldManagerDefault, namespaceFor, withSession, type Session } from "../session.js";
import { unifiedDiff } from "../unified-diff.js";

interface DiffOptions {
  readonly filename: readonly string[];
  readonly recursive?: boolean;
  readonly selector?: string;
  readonly prune?: boolean;
  readonly force?: boolean;
  readonly forceConflicts?: boolean;
  readonly fieldManager: string;
}

/** `ikada diff -f FILE`: what `apply` would change. As kubectl: 0 nothing, 1 something, 2 it could not be found out. */
export function addDiff(program: Command): void {
  program
    .command("diff")
    .description("show what apply would change; ends with 0 for nothing, 1 for something, 2 for an error")
    .requiredOption("-f, --filename <path...>", "file, folder, or - for standard input")
    .option("-R, --recursive", "folders with their subfolders")
    .option("-l, --selector <labels>", "only the objects of the manifests with these labels")
    .option("--prune", "with -l: also what apply --prune would delete")
    .option("--force", "as if fields were taken over that other managers own")
    .option("--field-manager <name>", "who would own the fields", fieldManagerDefault)
    // What kubectl calls things.
    .addOption(new Option("--server-side").hideHelp())
    .addOption(new Option("--force-conflicts").hideHelp())
    .action(async (options: DiffOptions, command: Command) => {
      let differs = false;
      try {
        await withSession(command, async (session) => {
          differs = await showDifferences(session, options);
        });
      } catch (caught) {
        throw new ExitStatus(2, caught);
      }
      if (differs) throw new ExitStatus(1);
    });
}

async function showDifferences(session: Session, options: DiffOptions): Promise<boolean> {
  const { readObjects, selectObjects } = await import("../placed-object.js");
  if (options.prune === true) (await import("../prune.js")).checkPruneSelector(options.selector);
  const all = readObjects(options.filename, options.recursive ?? false, session.namespace);
  const objects = selectObjects(all, options.selector);
  const made = new Set(
    objects.filter(({ kind }) => kind.kind === "Namespace").map(({ object }) => object.metadata.name),
  );
  let differs = false;
  const errors: IkadaError[] = [];
  for (const placed of objects) {
    try {
      const text = await differenceOf(session, placed, made, options);
      if (text !== "") differs = true;
      process.stdout.write(text);
    } catch (caught) {
      errors.push(IkadaError.from(caught));
    }
  }
  if (errors.length > 0) throw new Failures(errors);
  const pruned = options.prune === true ? await showPruned(session, all, options) : false;
  return differs || pruned;
}

/** What would be gone, as a difference to nothing. */
async function showPruned(session: Session, named: readonly PlacedObject[], options: DiffOptions): Promise<boolean> {
  const { findPrunable } = await import("../prune.js");
  const { selector = "", fieldManager } = options;
  const { doomed, spared } = await findPrunable(session, named, { selector, manager: fieldManager });
  for (const { name, why } of spared) process.stderr.write(`Warning: ${harmless(`${name} is not pruned: ${why}`)}\n`);
  for (const { kind, object, name } of doomed) {
    const shown = kind.kind === "Secret" ? masked(object, object)[0] : object;
    const title = titleOf(object, name);
    process.stdout.write(unifiedDiff(`live/${title}`, `applied/${title}`, await textOf(shown), ""));
  }
  return doomed.length > 0;
}

function titleOf({ metadata }: AnyObject, name: string): string {
  return `${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${name}`;
}

async function differenceOf(
  session: Session,
  placed: PlacedObject,
  made: ReadonlySet<string>,
  options: DiffOptions,
): Promise<string> {
  const live = await liveOf(session, placed);
  const wanted = await wantedOf(session, placed, made, options);
  const [before, after] = placed.kind.kind === "Secret" ? masked(live, wanted) : [live, wanted];
  const title = titleOf(placed.object, placed.name);
  return unifiedDiff(`live/${title}`, `applied/${title}`, await textOf(before), await textOf(after));
}

async function liveOf(session: Session, { kind, object }: PlacedObject): Promise<AnyObject | undefined> {
  const { client, signal, deadlineMs } = session;
  const namespace = namespaceFor(kind, object.metadata.namespace ?? "");
  try {
    return await client.get(kind, object.metadata.name, { namespace, signal, deadlineMs });
  } catch (caught) {
    if (IkadaError.from(caught).reason === "NotFound") return undefined;
    throw caught;
  }
}

/** What the server would make of it. */
async function wantedOf(
  session: Session,
  placed: PlacedObject,
  made: ReadonlySet<string>,
  { force, forceConflicts, fieldManager }: DiffOptions,
): Promise<AnyObject> {
  const { client, signal, deadlineMs } = session;
  const { atPlace, checkNewObject } = await import("../placed-object.js");
  try {
    const forced = force === true || forceConflicts === true;
    const options = { force: forced, dryRun: true, fieldManager, signal, deadlineMs };
    return (await client.apply(placed.object, options)).object;
  } catch (caught) {
    const error = IkadaError.from(caught);
    // Its Namespace would be made by the same apply.
    if (error.reason !== "NotFound" || !made.has(placed.object.metadata.namespace ?? "")) throw atPlace(error, placed);
    try {
      checkNewObject(placed);
    } catch (refused) {
      throw atPlace(IkadaError.from(refused), placed);
    }
    return placed.object;
  }
}

/** Without what is the server's bookkeeping and no manifest's business. */
async function textOf(object: AnyObject | undefined): Promise<string> {
  if (object === undefined) return "";
  const {
    managedFields: _managed,
    resourceVersion: _version,
    generation: _generation,
    uid: _uid,
    creationTimestamp: _created,
    ...metadata
  } = object.metadata;
  return formatYaml(sorted({ ...object, metadata }));
}

/** Keys in one order on both sides: the order of fields says nothing. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/** Secret values are told apart, not told. */
function masked(live: AnyObject | undefined, wanted: AnyObject): [AnyObject | undefined, AnyObject] {
  const [before, after] = [dataOf(live, "data"), dataOf(wanted, "data")];
  const hide = (object: AnyObject, data: Data, other: Data, mark: string): AnyObject => ({
    ...object,
    data: Object.fromEntries(
      Object.entries(data).map(([key, value]) => [
        key,
        Object.hasOwn(other, key) && other[key] !== value ? `*** (${mark})` : "***",
      ]),
    ),
  });
  const hidden = hide(wanted, after, before, "after");
  // Only a Secret that no server has seen has this.
  const texts = Object.keys(dataOf(wanted, "stringData")).map((key) => [key, "***"]);
  return [
    live && hide(live, before, after, "before"),
    texts.length === 0 ? hidden : { ...hidden, stringData: Object.fromEntries(texts) },
  ];
}

type Data = Readonly<Record<string, unknown>>;

function dataOf(object: AnyObject | undefined, field: "data" | "stringData"): Data {
  return (object?.[field] ?? {}) as Data;
}

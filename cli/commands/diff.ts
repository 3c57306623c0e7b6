import { Option, type Command } from "commander";
import { objectName, type KindDefinition } from "../../src/api/kind.js";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError } from "../../src/base/errors.js";
import { ExitStatus, Failures, tryEach } from "../failures.js";
import { parseMoment, revisionOf, type Moment } from "../moment.js";
import { formatYaml, harmless } from "../output.js";
import type { PlacedObject } from "../placed-object.js";
import { fieldManagerDefault, namespaceFor, parseTargets, shortName, withSession, type Session } from "../session.js";
import { unifiedDiff } from "../unified-diff.js";

interface DiffOptions {
  readonly filename?: readonly string[];
  readonly from?: Moment;
  readonly to?: Moment;
  readonly recursive?: boolean;
  readonly selector?: string;
  readonly prune?: boolean;
  readonly force?: boolean;
  readonly forceConflicts?: boolean;
  readonly fieldManager: string;
}

/** `ikada diff -f FILE`, `ikada diff deployment/web --from 10m`: what `apply` would change. As kubectl: 0 nothing, 1 something, 2 it could not be found out. */
export function addDiff(program: Command): void {
  program
    .command("diff")
    .description(
      "show what apply would change, or what objects have become; ends with 0 for nothing, 1 for something, 2 for an error",
    )
    .argument("[what...]", "with --from: KIND NAME... or KIND/NAME...")
    .option("-f, --filename <path...>", "file, folder, or - for standard input")
    .option("--from <moment>", "from what they were at a revision, a time, or so long ago", parseMoment)
    .option("--to <moment>", "to what they were then; without it to what they are", parseMoment)
    .option("-R, --recursive", "folders with their subfolders")
    .option("-l, --selector <labels>", "only the objects of the manifests with these labels")
    .option("--prune", "with -l: also what apply --prune would delete")
    .option("--force", "as if fields were taken over that other managers own")
    .option("--field-manager <name>", "who would own the fields", fieldManagerDefault)
    // What kubectl calls things.
    .addOption(new Option("--server-side").hideHelp())
    .addOption(new Option("--force-conflicts").hideHelp())
    .action(async (words: string[], options: DiffOptions, command: Command) => {
      let differs = false;
      try {
        await withSession(command, async (session) => {
          const { from, filename } = options;
          if ((from === undefined) === (filename === undefined) || (from === undefined && words.length > 0))
            throw new IkadaError("BadRequest", "give -f FILE, or KIND/NAME with --from");
          differs = from
            ? await showPast(session, words, from, options.to)
            : await showDifferences(session, { ...options, filename: filename ?? [] });
        });
      } catch (caught) {
        throw new ExitStatus(2, caught);
      }
      if (differs) throw new ExitStatus(1);
    });
}

/** What became of objects between two moments, or since one. */
async function showPast(session: Session, words: readonly string[], from: Moment, to?: Moment): Promise<boolean> {
  const [first, last] = [await revisionOf(session, from), to && (await revisionOf(session, to))];
  let differs = false;
  await tryEach(parseTargets(words), async ({ kind, name }) => {
    if (name === undefined) throw new IkadaError("BadRequest", `which ${kind.plural}?`);
    const [was, is] = [await objectAt(session, kind, name, first), await objectAt(session, kind, name, last)];
    if (!was && !is) throw new IkadaError("NotFound", `${objectName(kind, name)} was not there then`);
    const [before, after] = kind.kind === "Secret" ? maskedPast(was, is) : [was, is];
    const title = `${kind.namespaced ? `${session.namespace}/` : ""}${shortName(kind, name)}`;
    const now = last === undefined ? "live" : `revision-${last}`;
    const text = unifiedDiff(
      `revision-${first}/${title}`,
      `${now}/${title}`,
      await textOf(before),
      await textOf(after),
    );
    if (text !== "") differs = true;
    process.stdout.write(text);
  });
  return differs;
}

/** Undefined when it was not there; without a revision as it is. */
async function objectAt(
  { client, namespace, signal, deadlineMs }: Session,
  kind: KindDefinition,
  name: string,
  revision: number | undefined,
): Promise<AnyObject | undefined> {
  const at = revision === undefined ? {} : { revision };
  try {
    return await client.get(kind, name, { namespace: namespaceFor(kind, namespace), signal, deadlineMs, ...at });
  } catch (caught) {
    if (IkadaError.from(caught).reason === "NotFound") return undefined;
    throw caught;
  }
}

type FileOptions = DiffOptions & { readonly filename: readonly string[] };

async function showDifferences(session: Session, options: FileOptions): Promise<boolean> {
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

function liveOf(session: Session, { kind, object }: PlacedObject): Promise<AnyObject | undefined> {
  const namespace = object.metadata.namespace ?? "";
  return objectAt({ ...session, namespace }, kind, object.metadata.name, undefined);
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

/** As masked, of a Secret that may be gone. */
function maskedPast(was: AnyObject | undefined, is: AnyObject | undefined): readonly (AnyObject | undefined)[] {
  if (is) return masked(was, is);
  return [was && masked(undefined, was)[1], undefined];
}

type Data = Readonly<Record<string, unknown>>;

function dataOf(object: AnyObject | undefined, field: "data" | "stringData"): Data {
  return (object?.[field] ?? {}) as Data;
}

import type { Command } from "commander";
import { formats, type StringFormat } from "../../src/api/format.js";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError } from "../../src/base/errors.js";
import { chooseObjects, type Choice, type Chosen } from "../choose-objects.js";
import { tryEach } from "../failures.js";
import { dryRunNote, dryRunOption, filenameOption, type DryRun } from "../flags.js";
import { harmless } from "../output.js";
import { fieldManagerDefault, shortName, withSession, type Session } from "../session.js";

/** Where the two kinds of pairs are, and how one speaks of them. */
interface Pairs {
  readonly field: "labels" | "annotations";
  readonly verb: "label" | "annotate";
  readonly done: string;
  readonly noun: string;
  readonly keyFormat: StringFormat;
  readonly valueFormat?: StringFormat;
}

interface LabelOptions extends Choice {
  readonly overwrite?: boolean;
  readonly list?: boolean;
  readonly resourceVersion?: string;
  readonly dryRun: DryRun;
  readonly fieldManager: string;
}

/** New values by key; null takes the key away. */
type Changes = Readonly<Record<string, string | null>>;

/** How often an object that changes under our hands is read again. */
const triesMax = 5;

/** `ikada label pod web tier=front old-` */
export function addLabel(program: Command): void {
  addPairs(program, {
    field: "labels",
    verb: "label",
    done: "labeled",
    noun: "label",
    keyFormat: "qualifiedName",
    valueFormat: "labelValue",
  });
}

/** `ikada annotate deployment web owner=ops old-` */
export function addAnnotate(program: Command): void {
  addPairs(program, {
    field: "annotations",
    verb: "annotate",
    done: "annotated",
    noun: "annotation",
    keyFormat: "annotationKey",
  });
}

function addPairs(program: Command, pairs: Pairs): void {
  program
    .command(pairs.verb)
    .description(`set and remove ${pairs.field}`)
    .argument("[what...]", "KIND NAME... or KIND/NAME..., then KEY=VALUE to set and KEY- to remove")
    .addOption(filenameOption("the objects of this manifest or folder; several times for several"))
    .option("-R, --recursive", "folders with their subfolders")
    .option("-l, --selector <labels>", "all with these labels")
    .option("--field-selector <fields>", "all with these fields")
    .option("--all", "all of the kind in the namespace")
    .option("-A, --all-namespaces", "with -l or --all: of every namespace")
    .option("--overwrite", `also ${pairs.field} that have another value now`)
    .option("--list", `print the ${pairs.field}, after the change`)
    .option("--resource-version <version>", "only if the object has not changed since")
    .addOption(dryRunOption())
    .option("--field-manager <name>", "who owns the fields", fieldManagerDefault)
    .action((words: string[], options: LabelOptions, command: Command) =>
      withSession(command, async (session) => {
        const { objects, changes } = parseWords(words, pairs);
        if (Object.keys(changes).length === 0 && options.list !== true)
          throw new IkadaError("BadRequest", `which ${pairs.field}?`, {
            hint: `write KEY=VALUE to set one, KEY- to remove one, or --list to see them`,
          });
        const chosen = await chooseObjects(session, objects, options);
        if (options.resourceVersion !== undefined && chosen.length > 1)
          throw new IkadaError("BadRequest", "--resource-version is that of one object; name only one");
        if (chosen.length === 0) process.stderr.write("No resources found.\n");
        await tryEach(chosen, (one) => change(session, one, changes, pairs, options));
      }),
    );
}

/** `pod web a=b c-` taken apart. @throws IkadaError BadRequest, Invalid */
function parseWords(words: readonly string[], pairs: Pairs): { objects: string[]; changes: Changes } {
  const isPair = (word: string): boolean => word.includes("=") || word.endsWith("-");
  const first = words.findIndex(isPair);
  const objects = first < 0 ? [...words] : words.slice(0, first);
  const changes: Record<string, string | null> = {};
  for (const word of first < 0 ? [] : words.slice(first)) {
    if (!isPair(word))
      throw new IkadaError("BadRequest", `"${word}" is no ${pairs.noun}`, {
        hint: "write KEY=VALUE to set, KEY- to remove; objects come before them",
      });
    const equals = word.indexOf("=");
    const key = equals < 0 ? word.slice(0, -1) : word.slice(0, equals);
    const value = equals < 0 ? null : word.slice(equals + 1);
    const wrong = formats[pairs.keyFormat](key);
    if (wrong !== undefined) throw new IkadaError("Invalid", `"${key}" is no key of a ${pairs.noun}: ${wrong}`);
    const wrongValue = value === null || !pairs.valueFormat ? undefined : formats[pairs.valueFormat](value);
    if (wrongValue !== undefined) throw new IkadaError("Invalid", `"${word}": the value ${wrongValue}`);
    if (Object.hasOwn(changes, key) && changes[key] !== value)
      throw new IkadaError("BadRequest", `${pairs.noun} ${key} is changed twice, in different ways`);
    changes[key] = value;
  }
  return { objects, changes };
}

async function change(
  session: Session,
  { kind, namespace, name, object: found }: Chosen,
  changes: Changes,
  pairs: Pairs,
  options: LabelOptions,
): Promise<void> {
  const { client, signal, deadlineMs } = session;
  const scope = { namespace, signal, deadlineMs };
  let object = found ?? (await client.get(kind, name, scope));
  const about = shortName(kind, name);
  for (let tries = 1; Object.keys(changes).length > 0; tries += 1) {
    if (options.overwrite !== true) checkKept(object, changes, pairs, about);
    const metadata = {
      [pairs.field]: changes,
      // Without --overwrite what was looked at must still be so; with it nothing was looked at.
      ...(options.overwrite === true ? {} : { resourceVersion: object.metadata.resourceVersion }),
      ...(options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion }),
    };
    try {
      const { fieldManager } = options;
      const patch = { ...scope, fieldManager, dryRun: options.dryRun === "server" };
      const written = await client.patch(kind, name, { metadata }, patch);
      const what = written.changed ? outcome(changes, pairs) : `not ${pairs.done}`;
      process.stdout.write(`${about} ${what}${dryRunNote(options.dryRun)}\n`);
      object = written.object;
      break;
    } catch (caught) {
      const again = IkadaError.from(caught).reason === "Conflict" && options.resourceVersion === undefined;
      if (!again || tries === triesMax) throw caught;
      object = await client.get(kind, name, scope);
    }
  }
  if (options.list !== true) return;
  process.stdout.write(`Listing ${pairs.field} for ${about}:\n`);
  const present = Object.entries(object.metadata[pairs.field] ?? {});
  for (const [key, value] of present.sort(([a], [b]) => (a < b ? -1 : 1)))
    process.stdout.write(` ${harmless(`${key}=${value}`)}\n`);
}

/** @throws IkadaError AlreadyExists for a key that has another value and was not to be overwritten */
function checkKept(object: AnyObject, changes: Changes, { field, noun, verb }: Pairs, about: string): void {
  const present = object.metadata[field] ?? {};
  for (const [key, value] of Object.entries(changes)) {
    const kept = Object.hasOwn(present, key) ? present[key] : undefined;
    if (value === null || kept === undefined || kept === value) continue;
    throw new IkadaError("AlreadyExists", `${about} has the ${noun} ${key} with the value "${kept}" already`, {
      hint: `to give it the value "${value}", ${verb} it with --overwrite`,
    });
  }
}

function outcome(changes: Changes, { done }: Pairs): string {
  return Object.values(changes).every((value) => value === null) && done === "labeled" ? "unlabeled" : done;
}

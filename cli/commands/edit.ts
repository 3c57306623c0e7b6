import { Option, type Command } from "commander";
import type { AnyObject } from "../../src/api/object.js";
import { mergePatch } from "../../src/api/merge-patch.js";
import { valueAt } from "../../src/api/path.js";
import { IkadaError, type Reason } from "../../src/base/errors.js";
import { chooseObjects, type Chosen } from "../choose-objects.js";
import { changesBetween, checkEditable, fieldText, overlapOf, type Changes } from "../edit-merge.js";
import { EditedFile } from "../editor.js";
import { tryEach } from "../failures.js";
import type { ManifestObject } from "../manifest.js";
import { formatJson, formatYaml, harmless } from "../output.js";
import { fieldManagerDefault, shortName, withSession, type Session } from "../session.js";

interface EditOptions {
  readonly output: "yaml" | "json";
  readonly fieldManager: string;
}

/** How often an object that changes under our hands is read again before the person is asked. */
const triesMax = 5;

/** What a person can mend in the text. With other refusals the text is kept, and the edit ends. */
const mendable: ReadonlySet<Reason> = new Set<Reason>(["BadRequest", "Conflict", "Invalid", "TooLarge"]);

/** Stands for the edited file in the places of errors, until it is known how many lines stand above the text. */
const textName = "<text>";

/** `ikada edit deployment web` */
export function addEdit(program: Command): void {
  program
    .command("edit")
    .description("change objects in your editor ($EDITOR)")
    .argument("<what...>", "KIND NAME... or KIND/NAME...")
    .addOption(new Option("-o, --output <format>", "how to show it").choices(["yaml", "json"]).default("yaml"))
    .option("--field-manager <name>", "who owns the fields", fieldManagerDefault)
    .action((words: string[], options: EditOptions, command: Command) =>
      withSession(command, async (session) => {
        const chosen = await chooseObjects(session, words, {});
        await tryEach(chosen, (one) => edit(session, one, options));
      }),
    );
}

/** One object, until it is saved or given up. */
async function edit(session: Session, one: Chosen, options: EditOptions): Promise<void> {
  const name = shortName(one.kind, one.name);
  const base = shownOf(await read(session, one));
  const seen = { object: base };
  const original = options.output === "json" ? formatJson(base) : await formatYaml(base);
  const file = new EditedFile(`${one.kind.singular}-${one.name.replace(/[^-\w.]/g, "_")}.${options.output}`);
  let text = original;
  let trouble: IkadaError | undefined;
  try {
    for (;;) {
      const before = text;
      text = withoutHead(await file.edit(head(name, trouble) + text, process.env));
      if (text === original || text.trim() === "") {
        process.stdout.write(
          `${name}: edit cancelled, ${text.trim() === "" ? "the text was empty" : "no changes made"}\n`,
        );
        break;
      }
      // A conflict is not of the text: saving it again means it all the same.
      if (trouble !== undefined && trouble.reason !== "Conflict" && text === before) throw unmended(name, trouble);
      let locate: ManifestObject["locate"] = () => "";
      try {
        const edited = await parseEdited(text, one);
        ({ locate } = edited);
        const changes = changesBetween(base, edited.value);
        checkEditable(changes, one.kind.hasStatus);
        if (Object.keys(changes).length === 0) process.stdout.write(`${name}: edit cancelled, no changes made\n`);
        else await save(session, one, changes, seen, options);
        break;
      } catch (caught) {
        trouble = withPlaces(IkadaError.from(caught), locate);
        if (!mendable.has(trouble.reason)) throw trouble;
      }
    }
    file.remove();
  } catch (caught) {
    const error = IkadaError.from(caught);
    const hint = [error.details.hint, `your text is kept in ${file.path}`].filter(Boolean).join("\n  ");
    throw new IkadaError(error.reason, error.message, { ...error.details, hint }, caught);
  }
}

function unmended(name: string, trouble: IkadaError): IkadaError {
  const headLines = head(name, trouble).split("\n").length - 1;
  const message = `edit of ${name} cancelled, no valid change was saved: ${placed(trouble.message, headLines)}`;
  return new IkadaError(trouble.reason, message, {}, trouble);
}

async function read({ client, signal, deadlineMs }: Session, { kind, namespace, name }: Chosen): Promise<AnyObject> {
  return client.get(kind, name, { namespace, signal, deadlineMs });
}

/** Without who owns which field, which nobody edits. */
function shownOf(object: AnyObject): AnyObject {
  const { managedFields: _managed, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** @throws IkadaError Invalid, BadRequest with places in the text */
async function parseEdited(text: string, { kind, name }: Chosen): Promise<ManifestObject> {
  const { parseManifest } = await import("../manifest.js");
  const objects = parseManifest(textName, new TextEncoder().encode(text));
  const [edited] = objects;
  if (edited !== undefined && objects.length === 1) return edited;
  const message = `one object is expected here, ${shortName(kind, name)}; there are ${objects.length}`;
  throw new IkadaError("BadRequest", message);
}

/**
 * Stores the changes on what the object is by then. What others have changed elsewhere in it stays.
 * @throws IkadaError Conflict when others have changed the same fields since the person saw it; `seen` is brought up to date then
 */
async function save(
  session: Session,
  one: Chosen,
  changes: Changes,
  seen: { object: AnyObject },
  { fieldManager }: EditOptions,
): Promise<void> {
  const { client, signal, deadlineMs } = session;
  for (let tries = 1; ; tries += 1) {
    const live = shownOf(await read(session, one));
    if (live.metadata.uid !== seen.object.metadata.uid)
      throw new IkadaError(
        "NotFound",
        `${shortName(one.kind, one.name)} was deleted and made anew while it was edited`,
      );
    const overlap = overlapOf(changes, changesBetween(seen.object, live));
    if (overlap.length > 0) {
      seen.object = live;
      throw new IkadaError("Conflict", `someone else has changed ${overlap.map(fieldText).join(", ")} meanwhile`, {
        faults: overlap.map((path) => ({
          field: fieldText(path),
          reason: "Conflict",
          message: `is ${valueIn(live, path)} now`,
        })),
        hint: "save again to put your values in their place, or take theirs over first",
      });
    }
    const wanted = mergePatch(live, changes) as AnyObject;
    try {
      const { warnings } = await client.update(wanted, { fieldManager, signal, deadlineMs });
      for (const warning of warnings) process.stderr.write(`Warning: ${harmless(warning)}\n`);
      process.stdout.write(`${shortName(one.kind, one.name)} edited\n`);
      return;
    } catch (caught) {
      if (IkadaError.from(caught).reason !== "Conflict" || tries === triesMax) throw caught;
    }
  }
}

function valueIn(object: AnyObject, path: readonly string[]): string {
  const value = valueAt(object, ...path);
  const text = value === undefined ? "gone" : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** The error with its faults as lines of its message, each behind its place in the text. */
function withPlaces(error: IkadaError, locate: ManifestObject["locate"]): IkadaError {
  const { faults = [], ...rest } = error.details;
  if (faults.length === 0) return error;
  const lines = faults.map(({ field, message }) =>
    [locate(field), field, message].filter((part) => part !== "").join(": "),
  );
  return new IkadaError(error.reason, `${error.message}\n${lines.join("\n")}`, rest, error);
}

/** What stands above the text, as comments that are taken off again. */
function head(name: string, trouble: IkadaError | undefined): string {
  const about = [
    `${name}: saving this text changes the object. Without a change, or without any text, nothing happens.`,
    "The lines above the object that begin with # are left out. What can't be saved is opened again, with the reason here.",
  ];
  const lines = trouble === undefined ? [] : ["", "IT WAS NOT SAVED:", ...trouble.message.split("\n")];
  if (trouble?.details.hint !== undefined) lines.push(...trouble.details.hint.split("\n"));
  const all = [...about, ...lines];
  return `${all.map((line) => harmless(`# ${placed(line, all.length)}`).trimEnd()).join("\n")}\n`;
}

/** Places in the text alone become places in the file, below a head of so many lines. */
function placed(message: string, headLines: number): string {
  return message.replaceAll(
    new RegExp(`${textName}:(\\d+):(\\d+)`, "g"),
    (_whole, line: string, column: string) => `line ${Number(line) + headLines}, column ${column}`,
  );
}

function withoutHead(text: string): string {
  return text.replace(/^(?:[ \t]*(?:#[^\n]*)?\r?\n)+/, "");
}

import { Option, type Command } from "commander";
import type { PatchType } from "../../sdk/index.js";
import { objectName } from "../../src/api/kind.js";
import { IkadaError } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";
import { chooseObjects, type Choice } from "../choose-objects.js";
import { tryEach } from "../failures.js";
import { dryRunNote, dryRunOption, filenameOption, type DryRun } from "../flags.js";
import { formatJson, formatYaml, harmless } from "../output.js";
import { readBytes } from "../read-text.js";
import { fieldManagerDefault, shortName, withSession } from "../session.js";

interface PatchOptions extends Choice {
  readonly patch?: string;
  readonly patchFile?: string;
  readonly type: PatchType;
  readonly subresource?: "status" | "scale";
  readonly dryRun: DryRun;
  readonly fieldManager: string;
  readonly output?: "name" | "json" | "yaml";
}

/** `ikada patch deployment web -p '{"spec":{"replicas":2}}'` */
export function addPatch(program: Command): void {
  program
    .command("patch")
    .description("change parts of objects")
    .argument("[what...]", "KIND NAME... or KIND/NAME...")
    .option("-p, --patch <text>", "the patch, as JSON or YAML")
    .option("--patch-file <file>", "the patch in a file, or - for standard input")
    .addOption(
      new Option(
        "--type <type>",
        "merge: null removes, lists are replaced; json: a list of operations; strategic: lists are merged by their keys",
      )
        .choices(["strategic", "merge", "json"])
        .default("strategic"),
    )
    .addOption(new Option("--subresource <name>", "patch only this part").choices(["status", "scale"]))
    .addOption(filenameOption("the objects of this manifest or folder; several times for several"))
    .option("-R, --recursive", "folders with their subfolders")
    .addOption(new Option("-o, --output <format>", "print the object as it is then").choices(["name", "json", "yaml"]))
    .addOption(dryRunOption())
    .option("--field-manager <name>", "who owns the fields", fieldManagerDefault)
    .action(async (words: string[], options: PatchOptions, command: Command) => {
      // Before anything is asked of a server, and before a connection is opened.
      const patch = await readPatch(options);
      await withSession(command, async (session) => {
        const { client, signal, deadlineMs } = session;
        const { fieldManager, dryRun, type, subresource, output } = options;
        const part = subresource === undefined ? {} : { subresource };
        await tryEach(await chooseObjects(session, words, options), async ({ kind, namespace, name }) => {
          const call = { namespace, fieldManager, type, dryRun: dryRun === "server", ...part, signal, deadlineMs };
          let written: Awaited<ReturnType<typeof client.patch>>;
          try {
            written = await client.patch(kind, name, patch, call);
          } catch (caught) {
            const { reason, message, details } = IkadaError.from(caught);
            throw new IkadaError(reason, message, { object: objectName(kind, name), ...details }, caught);
          }
          const { object, changed, warnings } = written;
          for (const warning of warnings)
            process.stderr.write(`Warning: ${harmless(`${shortName(kind, name)}: ${warning}`)}\n`);
          if (output === "json") process.stdout.write(formatJson(object));
          else if (output === "yaml") process.stdout.write(await formatYaml(object));
          else if (output === "name") process.stdout.write(`${shortName(kind, name)}\n`);
          else {
            const outcome = changed ? "patched" : "patched (no change)";
            process.stdout.write(`${shortName(kind, name)} ${outcome}${dryRunNote(dryRun)}\n`);
          }
        });
      });
    });
}

/** @throws IkadaError BadRequest, or Invalid with the place of what is neither JSON nor YAML */
async function readPatch({ patch, patchFile, type }: PatchOptions): Promise<object> {
  if ((patch === undefined) === (patchFile === undefined))
    throw new IkadaError("BadRequest", "give the patch with -p or with --patch-file", {
      hint: `for example: -p '{"spec":{"replicas":2}}'`,
    });
  const file = patch === undefined ? (patchFile === "-" ? "stdin" : patchFile!) : "-p";
  const bytes = patch === undefined ? readBytes(patchFile!, limits.objectBytesMax) : new TextEncoder().encode(patch);
  if (bytes.length > limits.objectBytesMax)
    throw new IkadaError("TooLarge", `${file}: a patch of ${bytes.length} bytes; ${limits.objectBytesMax} are allowed`);
  // Loaded only now: YAML takes long to load, and most commands need none.
  const { parseValue } = await import("../manifest.js");
  const value = parseValue(file, bytes);
  const isList = Array.isArray(value);
  if (type === "json" && !isList)
    throw new IkadaError("BadRequest", `${file}: a JSON patch is a list of operations`, {
      hint: `for example: -p '[{"op":"replace","path":"/spec/replicas","value":2}]'; for an object like a manifest's, --type merge or strategic`,
    });
  if (typeof value !== "object" || value === null || (isList && type !== "json"))
    throw new IkadaError("BadRequest", `${file}: a ${type} patch is an object, shaped like the object it changes`, {
      hint: isList ? "for a list of operations, --type json" : `for example: -p '{"spec":{"replicas":2}}'`,
    });
  return value;
}

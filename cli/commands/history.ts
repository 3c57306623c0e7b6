import { Option, type Command } from "commander";
import type { Change } from "../../sdk/index.js";
import type { KindDefinition } from "../../src/api/kind.js";
import { IkadaError } from "../../src/base/errors.js";
import { tryEach } from "../failures.js";
import { dryRunNote, dryRunOption, parseCount, type DryRun } from "../flags.js";
import { parseMoment, revisionOf, type Moment } from "../moment.js";
import { formatJson, formatTable, harmless } from "../output.js";
import { fieldManagerDefault, namespaceFor, parseTargets, shortName, withSession, type Session } from "../session.js";

interface HistoryOptions {
  readonly output: "table" | "wide" | "json";
  readonly at?: Moment;
  readonly limit: number;
}

/** `ikada history deployment/web`: who changed what when, the newest first. */
export function addHistory(program: Command): void {
  program
    .command("history")
    .description("show the changes of an object, the newest first, as far as they are kept")
    .argument("<what...>", "KIND NAME or KIND/NAME")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "wide", "json"]).default("table"))
    .option("--at <moment>", "up to this revision, time, or how long ago", parseMoment)
    .option("--limit <count>", "no more changes than this; 0 for all", parseCount, 20)
    .action((words: string[], options: HistoryOptions, command: Command) =>
      withSession(command, async (session) => {
        const { kind, name } = oneTarget(words);
        const changes = await changesOf(session, kind, name, options);
        if (options.output === "json") process.stdout.write(formatJson(changes));
        else if (changes.length > 0) process.stdout.write(formatTable(rowsOf(changes, options.output === "wide")));
        else process.stderr.write(`No changes of ${shortName(kind, name)} are kept.\n`);
      }),
    );
}

interface UndoOptions {
  readonly to: Moment;
  readonly dryRun: DryRun;
  readonly fieldManager: string;
}

/** `ikada undo deployment/web --to 10m`: writes back what objects were, but for their status. */
export function addUndo(program: Command): void {
  program
    .command("undo")
    .description("write back what objects were at a revision or time; one that is gone is made anew")
    .argument("<what...>", "KIND NAME... or KIND/NAME...")
    .requiredOption("--to <moment>", "the revision, time, or how long ago", parseMoment)
    .addOption(dryRunOption())
    .option("--field-manager <name>", "who owns the fields", fieldManagerDefault)
    .action((words: string[], options: UndoOptions, command: Command) =>
      withSession(command, async (session) => {
        const { client, signal, deadlineMs } = session;
        const revision = await revisionOf(session, options.to);
        await tryEach(parseTargets(words), async ({ kind, name }) => {
          if (name === undefined) throw new IkadaError("BadRequest", `which ${kind.plural}?`);
          const { fieldManager, dryRun } = options;
          const written = await client.undo(kind, name, revision, {
            namespace: namespaceFor(kind, session.namespace),
            fieldManager,
            dryRun: dryRun === "server",
            signal,
            deadlineMs,
          });
          const did = written.created ? "made anew as" : written.changed ? "set back to what it was" : "unchanged: as";
          process.stdout.write(`${shortName(kind, name)} ${did} at revision ${revision}${dryRunNote(dryRun)}\n`);
        });
      }),
    );
}

/** @throws IkadaError BadRequest when the words name none or several */
function oneTarget(words: readonly string[]): { readonly kind: KindDefinition; readonly name: string } {
  const [first, ...more] = parseTargets(words);
  if (first?.name === undefined || more.length > 0)
    throw new IkadaError("BadRequest", "name one object: KIND NAME or KIND/NAME");
  return { kind: first.kind, name: first.name };
}

async function changesOf(
  session: Session,
  kind: KindDefinition,
  name: string,
  { at, limit }: HistoryOptions,
): Promise<readonly Change[]> {
  const { client, signal, deadlineMs } = session;
  const scope = { namespace: namespaceFor(kind, session.namespace), signal, deadlineMs, pageSize: limit };
  const from = at === undefined ? {} : { revision: await revisionOf(session, at) };
  const changes: Change[] = [];
  for await (const change of client.history(kind, name, { ...scope, ...from })) {
    changes.push(change);
    if (changes.length === limit) break;
  }
  return changes;
}

/** Fields named in a table that is not wide. */
const fieldsShown = 3;

function rowsOf(changes: readonly Change[], wide: boolean): readonly (readonly string[])[] {
  const rows = changes.map((change) => {
    const { revision, time, type, origin, writers } = change;
    const managers = writers.map(({ manager }) => manager).join(",");
    return [
      String(revision),
      time || "<unknown>",
      type,
      origin || "<unknown>",
      managers || "<none>",
      fieldsOf(change, wide),
    ];
  });
  const head = ["REVISION", "TIME", "CHANGE", "BY", "MANAGER", "FIELDS"];
  return [head, ...rows.map((row) => row.map(harmless))];
}

/** `+added ~modified -removed` */
function fieldsOf({ added, modified, removed, moreFields }: Change, wide: boolean): string {
  const all = [
    ...modified.map((path) => `~${path}`),
    ...added.map((path) => `+${path}`),
    ...removed.map((path) => `-${path}`),
  ];
  const shown = wide ? all : all.slice(0, fieldsShown);
  const more = all.length - shown.length + moreFields;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(" ");
}

import { Option, type Command } from "commander";
import type { Table } from "../../sdk/index.js";
import type { KindDefinition } from "../../src/api/kind.js";
import { objectName } from "../../src/api/kind.js";
import type { AnyObject } from "../../src/api/object.js";
import { tableOf } from "../../src/api/table.js";
import { IkadaError } from "../../src/base/errors.js";
import { tryEach } from "../failures.js";
import { customRow } from "../custom-columns.js";
import { formatTemplate } from "../jsonpath/evaluate.js";
import type { Part } from "../jsonpath/parse.js";
import { parseMoment, revisionOf, type Moment } from "../moment.js";
import { formatJson, formatTable, formatYaml, harmless } from "../output.js";
import { parseOutputFormat, type OutputFormat } from "../output-format.js";
import { namespaceFor, parseTargets, shortName, withSession, type Session, type Target } from "../session.js";

interface GetOptions {
  readonly output: OutputFormat;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly watch?: boolean;
  readonly at?: Moment;
  readonly headers: boolean;
  readonly ignoreNotFound?: boolean;
  readonly showLabels?: boolean;
  readonly showManagedFields?: boolean;
}

/** `ikada get`: objects as a table, YAML, JSON, names, or what a template makes of them, once or followed. */
export function addGet(program: Command): void {
  program
    .command("get")
    .description("show objects")
    .argument("<what...>", "KIND [NAME...], KIND/NAME..., KIND,KIND or all")
    .addOption(
      new Option(
        "-o, --output <format>",
        "how to print: table, wide, yaml, json, name, jsonpath=TEMPLATE, jsonpath-file=FILE, custom-columns=HEADER:PATH,..., custom-columns-file=FILE",
      )
        .argParser(parseOutputFormat)
        .default(parseOutputFormat("table"), "table"),
    )
    .option("-A, --all-namespaces", "of every namespace")
    .option("-l, --selector <labels>", "only objects with these labels: a=b,c in (d,e),!f")
    .option("--field-selector <fields>", "only objects with these fields: status.phase=Running")
    .option("-w, --watch", "go on and print changes")
    .option(
      "--at <moment>",
      "as it was at a revision, a time, or so long ago: 1234, 2026-01-31T12:00:00Z, 10m",
      parseMoment,
    )
    .option("--no-headers", "no column names")
    .option("--ignore-not-found", "no error for what is not there")
    .option("--show-labels", "a column of labels")
    .option("--show-managed-fields", "keep metadata.managedFields in yaml and json")
    .action((words: string[], options: GetOptions, command: Command) =>
      withSession(command, async (session) => {
        const targets = parseTargets(words);
        checkFlags(targets, options);
        if (options.at !== undefined) await show(session, targets, options, await revisionOf(session, options.at));
        else if (options.watch === true) await Promise.all(targets.map((target) => follow(session, target, options)));
        else if (options.output.type === "table") await showTables(session, targets, options);
        else await show(session, targets, options);
      }),
    );
}

function checkFlags(
  targets: readonly Target[],
  { allNamespaces, selector, fieldSelector, at, watch }: GetOptions,
): void {
  if (at !== undefined && watch === true) throw new IkadaError("BadRequest", "the past can't be watched");
  const named = targets.find(({ name }) => name !== undefined);
  if (!named) return;
  if (allNamespaces === true && named.kind.namespaced)
    throw new IkadaError("BadRequest", "an object can't be named across all namespaces; name its namespace with -n");
  if (selector !== undefined || fieldSelector !== undefined)
    throw new IkadaError("BadRequest", "names can't be given together with selectors");
}

interface Found {
  readonly kind: KindDefinition;
  readonly objects: AnyObject[];
}

/** Of the present, or as it was at a revision. */
async function show(
  session: Session,
  targets: readonly Target[],
  options: GetOptions,
  revision?: number,
): Promise<void> {
  const found: Found[] = [];
  const keep = (kind: KindDefinition, object: AnyObject): void => {
    const last = found.at(-1);
    if (last?.kind === kind) last.objects.push(object);
    else found.push({ kind, objects: [object] });
  };
  const failed = await collect(targets, options, async (target) => {
    const { kind, name } = target;
    const then = revision === undefined ? {} : { revision };
    const scope = { ...scopeOf(session, target, options), deadlineMs: session.deadlineMs, ...then };
    if (name !== undefined) keep(kind, await session.client.get(kind, name, scope));
    else for await (const object of session.client.list(kind, scope)) keep(kind, object);
  });
  // What is there is shown even if something else is not.
  if (failed === undefined || found.length > 0) await print(session, found, targets, options);
  if (failed !== undefined) throw failed;
}

/** As `show`, with columns that the server computes: rows come over the wire, not objects. A server that is too old for that gives objects. */
async function showTables(session: Session, targets: readonly Target[], options: GetOptions): Promise<void> {
  const wide = options.output.type === "table" && options.output.wide;
  const found: { readonly kind: KindDefinition; readonly table: Table }[] = [];
  let isOld = false;
  const failed = await collect(targets, options, async (target) => {
    const { kind, name } = target;
    const scope = { ...scopeOf(session, target, options), deadlineMs: session.deadlineMs };
    const labels = options.showLabels === true;
    const chosen = { ...scope, wide, labels, ...(name === undefined ? {} : { name }) };
    const table = await session.client.table(kind, chosen).catch((caught: unknown) => {
      isOld = IkadaError.from(caught).reason === "Unsupported";
      throw caught;
    });
    const last = found.at(-1);
    if (last?.kind === kind)
      found.splice(-1, 1, { kind, table: { ...table, rows: [...last.table.rows, ...table.rows] } });
    else if (table.rows.length > 0) found.push({ kind, table });
  });
  if (isOld) {
    await show(session, targets, options);
    return;
  }
  const withKind = new Set(targets.map(({ kind }) => kind)).size > 1;
  const withNamespace = options.allNamespaces === true;
  const tables = found.map(({ kind, table }) => {
    const parts = {
      withNamespace: withNamespace && kind.namespaced,
      withLabels: options.showLabels === true,
      withKind,
    };
    return formatTable(tableLines(kind, table, { ...parts, headers: options.headers }));
  });
  if (found.length > 0) process.stdout.write(tables.join("\n"));
  else if (failed === undefined) tellNothing(session, targets, options);
  if (failed !== undefined) throw failed;
}

/** Does each target, past those that fail. @returns what failed */
async function collect(
  targets: readonly Target[],
  options: GetOptions,
  work: (target: Target) => Promise<void>,
): Promise<Error | undefined> {
  try {
    await tryEach(targets, async (target) => {
      try {
        await work(target);
      } catch (caught) {
        const isAbsent = target.name !== undefined && IkadaError.from(caught).reason === "NotFound";
        if (options.ignoreNotFound !== true || !isAbsent) throw caught;
      }
    });
    return undefined;
  } catch (caught) {
    return caught instanceof Error ? caught : IkadaError.from(caught);
  }
}

interface LineParts {
  readonly withNamespace: boolean;
  readonly withLabels: boolean;
  readonly withKind: boolean;
  readonly headers: boolean;
}

/** A server's table with what only this run asks for: names with their kind, Namespaces, labels. */
function tableLines(kind: KindDefinition, { columns, rows }: Table, parts: LineParts): (readonly string[])[] {
  const titles = columns.map(({ name }) => name.toUpperCase());
  const nameAt = titles.indexOf("NAME");
  const lines = rows.map(({ namespace, cells, labels }) => {
    const named = parts.withKind ? cells.map((cell, at) => (at === nameAt ? shortName(kind, cell) : cell)) : cells;
    return [
      ...(parts.withNamespace ? [namespace] : []),
      ...named,
      ...(parts.withLabels ? [labelsText(labels)] : []),
    ].map(harmless);
  });
  const head = [...(parts.withNamespace ? ["NAMESPACE"] : []), ...titles, ...(parts.withLabels ? ["LABELS"] : [])];
  return parts.headers ? [head, ...lines] : lines;
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const texts = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return texts.length === 0 ? "<none>" : texts.sort((a, b) => (a < b ? -1 : 1)).join(",");
}

function tellNothing({ namespace }: Session, targets: readonly Target[], options: GetOptions): void {
  if (targets.some(({ name }) => name !== undefined)) return;
  const everywhere = options.allNamespaces === true || targets.every(({ kind }) => !kind.namespaced);
  process.stderr.write(`No resources found${everywhere ? "" : ` in ${namespace} namespace`}.\n`);
}

function scopeOf(session: Session, { kind, name }: Target, options: GetOptions) {
  return {
    namespace: options.allNamespaces === true ? "" : namespaceFor(kind, session.namespace),
    signal: session.signal,
    ...(options.selector === undefined ? {} : { labelSelector: options.selector }),
    ...(name !== undefined ? { fieldSelector: `metadata.name=${name}` } : {}),
    ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
  };
}

async function print(
  session: Session,
  found: readonly Found[],
  targets: readonly Target[],
  options: GetOptions,
): Promise<void> {
  const all = found.flatMap(({ objects }) => objects);
  const anyName = targets.some(({ name }) => name !== undefined);
  const { output } = options;
  if (output.type === "json" || output.type === "yaml" || output.type === "jsonpath") {
    const single = targets.length === 1 && anyName;
    if (anyName && all.length === 0) return;
    const shown = all.map((object) => withoutManagedFields(object, options));
    const value = single ? shown[0] : { apiVersion: "v1", kind: "List", items: shown };
    if (output.type === "jsonpath") process.stdout.write(templateText(output.template, value));
    else process.stdout.write(output.type === "json" ? formatJson(value) : await formatYaml(value));
  } else if (output.type === "name") {
    for (const { kind, objects } of found)
      for (const { metadata } of objects) process.stdout.write(`${shortName(kind, metadata.name)}\n`);
  } else if (output.type === "table" && found.length > 0) {
    const tables = found.map(({ kind, objects }) => formatTable(rowsOf(kind, objects, options, options.headers)));
    process.stdout.write(tables.join("\n"));
  } else if (all.length > 0) {
    // One table for all kinds: the chosen columns are the same.
    process.stdout.write(formatTable(rowsOf(found[0]!.kind, all, options, options.headers)));
  } else tellNothing(session, targets, options);
}

/** Programs get values as they are, terminals get them harmless. */
function templateText(template: readonly Part[], value: unknown): string {
  return formatTemplate(template, value, process.stdout.isTTY ? harmless : undefined);
}

/** Rows of objects as they come; their columns are computed here, since a watch gives objects. */
function rowsOf(
  kind: KindDefinition,
  objects: readonly AnyObject[],
  options: GetOptions,
  headers: boolean,
): (readonly string[])[] {
  const { output } = options;
  if (output.type === "custom-columns") {
    const rows = objects.map((object) => customRow(output.columns, object).map(harmless));
    return headers ? [output.columns.map(({ header }) => header), ...rows] : rows;
  }
  const table = tableOf(kind, objects, Date.now(), {
    wide: output.type === "table" && output.wide,
    withNamespace: options.allNamespaces === true,
    withLabels: options.showLabels === true,
  });
  const rows = table.rows.map((row) => row.map(harmless));
  return headers ? [table.headers, ...rows] : rows;
}

function withoutManagedFields(object: AnyObject, { showManagedFields }: GetOptions): AnyObject {
  if (showManagedFields === true) return object;
  const { managedFields: _managed, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Prints what there is and then every change until Ctrl-C: one watch, so that nothing is lost between the two. */
async function follow(session: Session, target: Target, options: GetOptions): Promise<void> {
  const { kind, name } = target;
  const widths: number[] = [];
  let headers = options.headers;
  const printAll = async (objects: readonly AnyObject[]): Promise<void> => {
    const { output } = options;
    if (output.type === "table" || output.type === "custom-columns") {
      if (objects.length === 0) return;
      process.stdout.write(formatTable(rowsOf(kind, objects, options, headers), widths));
      headers = false;
      return;
    }
    for (const object of objects) {
      const shown = withoutManagedFields(object, options);
      if (output.type === "jsonpath") process.stdout.write(templateText(output.template, shown));
      else if (output.type === "json") process.stdout.write(formatJson(shown));
      else if (output.type === "yaml") process.stdout.write(`${await formatYaml(shown)}---\n`);
      else process.stdout.write(`${shortName(kind, object.metadata.name)}\n`);
    }
  };
  const first = new Map<string, AnyObject>();
  let complete = false;
  try {
    for await (const event of session.client.watch(kind, scopeOf(session, target, options))) {
      if (complete) {
        if (event.type !== "BOOKMARK") await printAll([event.object]);
      } else if (event.type === "BOOKMARK") {
        complete = true;
        if (name !== undefined && first.size === 0)
          throw new IkadaError("NotFound", `${objectName(kind, name)} not found`);
        await printAll([...first.values()]);
        first.clear();
      } else {
        const uid = event.object.metadata.uid ?? event.object.metadata.name;
        if (event.type === "DELETED") first.delete(uid);
        else first.set(uid, event.object);
      }
    }
  } catch (caught) {
    if (!session.signal.aborted) throw caught;
  }
}

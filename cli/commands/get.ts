import { Option, type Command } from "commander";
import { stringify } from "yaml";
import { kinds } from "../../src/api/registry.js";
import type { KindDefinition } from "../../src/api/kind.js";
import type { AnyObject } from "../../src/api/object.js";
import { formatTable, harmless } from "../output.js";
import { namespaceFor, parseTargets, shortName, withSession, type Session, type Target } from "../session.js";

interface GetOptions {
  readonly output: "table" | "wide" | "yaml" | "json" | "name";
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly watch?: boolean;
  readonly headers: boolean;
  readonly showLabels?: boolean;
  readonly showManagedFields?: boolean;
}

/** `ikada get`: objects as a table, YAML, JSON or names, once or followed. */
export function addGet(program: Command): void {
  program
    .command("get")
    .description("show objects")
    .argument("<what...>", "KIND [NAME...], KIND/NAME..., KIND,KIND or all")
    .addOption(
      new Option("-o, --output <format>", "how to print")
        .choices(["table", "wide", "yaml", "json", "name"])
        .default("table"),
    )
    .option("-A, --all-namespaces", "of every namespace")
    .option("-l, --selector <labels>", "only objects with these labels: a=b,c in (d,e),!f")
    .option("--field-selector <fields>", "only objects with these fields: status.phase=Running")
    .option("-w, --watch", "go on and print changes")
    .option("--no-headers", "no column names")
    .option("--show-labels", "a column of labels")
    .option("--show-managed-fields", "keep metadata.managedFields in yaml and json")
    .action((words: string[], options: GetOptions, command: Command) =>
      withSession(command, async (session) => {
        const targets = parseTargets(
          words,
          kinds.filter((kind) => kind.categories.includes("all")),
        );
        const found = await fetchAll(session, targets, options);
        const several = new Set(targets.map(({ kind }) => kind)).size > 1;
        print(found, targets, options, several, session.namespace);
        if (options.watch === true) await follow(session, targets, options);
      }),
    );
}

interface Found {
  readonly kind: KindDefinition;
  readonly objects: readonly AnyObject[];
}

async function fetchAll(session: Session, targets: readonly Target[], options: GetOptions): Promise<Found[]> {
  const found: Found[] = [];
  for (const { kind, name } of targets) {
    const scope = {
      namespace: options.allNamespaces === true ? "" : namespaceFor(kind, session.namespace),
      signal: session.signal,
      deadlineMs: session.deadlineMs,
    };
    if (name !== undefined) {
      const object = await session.client.get(kind, name, scope);
      const last = found.at(-1);
      if (last?.kind === kind) found[found.length - 1] = { kind, objects: [...last.objects, object] };
      else found.push({ kind, objects: [object] });
      continue;
    }
    const objects: AnyObject[] = [];
    for await (const object of session.client.list(kind, { ...scope, ...selectors(options) })) objects.push(object);
    found.push({ kind, objects });
  }
  return found;
}

function selectors({ selector, fieldSelector }: GetOptions): { labelSelector?: string; fieldSelector?: string } {
  return {
    ...(selector === undefined ? {} : { labelSelector: selector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

function print(
  found: readonly Found[],
  targets: readonly Target[],
  options: GetOptions,
  several: boolean,
  namespace: string,
): void {
  const all = found.flatMap(({ objects }) => objects);
  switch (options.output) {
    case "json":
    case "yaml": {
      const single = targets.length === 1 && targets[0]!.name !== undefined;
      const shown = all.map((object) => withoutManagedFields(object, options));
      const value = single ? shown[0] : { apiVersion: "v1", kind: "List", items: shown };
      process.stdout.write(
        options.output === "json" ? `${JSON.stringify(value, undefined, 4)}\n` : stringify(value, { lineWidth: 0 }),
      );
      return;
    }
    case "name":
      for (const { kind, objects } of found)
        for (const { metadata } of objects) process.stdout.write(`${shortName(kind, metadata.name)}\n`);
      return;
    default: {
      if (all.length === 0) {
        const where =
          options.allNamespaces === true || targets.every(({ kind }) => !kind.namespaced)
            ? ""
            : ` in ${namespace} namespace`;
        process.stderr.write(`No resources found${where}.\n`);
        return;
      }
      const tables = found
        .filter(({ objects }) => objects.length > 0)
        .map(({ kind, objects }) => tableOf(kind, objects, options, several, options.headers));
      process.stdout.write(tables.join("\n"));
    }
  }
}

function tableOf(
  kind: KindDefinition,
  objects: readonly AnyObject[],
  options: GetOptions,
  prefixed: boolean,
  headers: boolean,
): string {
  const columns = kind.columns.filter((column) => column.priority === 0 || options.output === "wide");
  const now = Date.now();
  const withNamespace = options.allNamespaces === true && kind.namespaced;
  const rows = objects.map((object) => {
    const cells = columns.map((column, index) => {
      const cell = harmless(column.cell(object, now));
      return prefixed && index === 0 ? shortName(kind, cell) : cell;
    });
    if (options.showLabels === true) cells.push(harmless(labelsText(object)));
    return withNamespace ? [object.metadata.namespace ?? "", ...cells] : cells;
  });
  const names = columns.map((column) => column.name.toUpperCase());
  if (options.showLabels === true) names.push("LABELS");
  return formatTable(headers ? [withNamespace ? ["NAMESPACE", ...names] : names, ...rows] : rows);
}

function labelsText({ metadata }: AnyObject): string {
  const labels = Object.entries(metadata.labels ?? {});
  return labels.length === 0 ? "<none>" : labels.map(([key, value]) => `${key}=${value}`).join(",");
}

function withoutManagedFields(object: AnyObject, { showManagedFields }: GetOptions): AnyObject {
  if (showManagedFields === true) return object;
  const { managedFields: _managed, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Prints a row for every change until Ctrl-C; a followed list shows only what comes after it. */
async function follow(session: Session, targets: readonly Target[], options: GetOptions): Promise<void> {
  await Promise.all(
    targets.map(async ({ kind, name }) => {
      const scope = {
        namespace: options.allNamespaces === true ? "" : namespaceFor(kind, session.namespace),
        signal: session.signal,
      };
      const chosen = name === undefined ? selectors(options) : { fieldSelector: `metadata.name=${name}` };
      try {
        for await (const event of session.client.watch(kind, { ...scope, ...chosen, onlyChanges: true })) {
          if (event.type === "BOOKMARK") continue;
          if (options.output === "json" || options.output === "yaml" || options.output === "name")
            print([{ kind, objects: [event.object] }], [{ kind, name: "" }], options, false, session.namespace);
          else process.stdout.write(tableOf(kind, [event.object], options, false, false));
        }
      } catch (caught) {
        if (!session.signal.aborted) throw caught;
      }
    }),
  );
}

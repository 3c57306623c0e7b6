import type { Column, KindDefinition } from "./kind.js";
import type { AnyObject } from "./object.js";

/** Objects as printed columns: the headers in capitals and one row of texts per object. */
export interface Table {
  readonly headers: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface TableOptions {
  /** Also the columns that are only of interest sometimes. */
  readonly wide?: boolean;
  /** A first column with the Namespace, for lists over all of them. */
  readonly withNamespace?: boolean;
  /** A last column with all labels. */
  readonly withLabels?: boolean;
}

/** `now`: wall time in milliseconds since 1970, for ages. */
export function tableOf(
  kind: KindDefinition,
  objects: readonly AnyObject[],
  now: number,
  options: TableOptions = {},
): Table {
  const columns = columnsOf(kind, options);
  return {
    headers: columns.map((column) => column.name.toUpperCase()),
    rows: objects.map((object) => columns.map((column) => column.cell(object, now))),
  };
}

/** The columns that `tableOf` shows. */
export function columnsOf(kind: KindDefinition, options: TableOptions = {}): readonly Column[] {
  const shown = kind.columns.filter((column) => column.priority === 0 || options.wide === true);
  return [
    ...(options.withNamespace === true && kind.namespaced ? [namespaceColumn] : []),
    ...shown,
    ...(options.withLabels === true ? [labelsColumn] : []),
  ];
}

const namespaceColumn: Column = {
  name: "Namespace",
  type: "string",
  priority: 0,
  description: "Namespace of the object",
  cell: (object) => object.metadata.namespace ?? "",
};

const labelsColumn: Column = {
  name: "Labels",
  type: "string",
  priority: 0,
  description: "All labels",
  cell: (object) => {
    const labels = Object.entries(object.metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`);
    return labels.length === 0 ? "<none>" : labels.sort().join(",");
  },
};

import { apiMethods } from "../src/host/api-methods.js";
import type { ikada } from "#proto/api.js";
import type { Calls } from "./calls.js";
import { Deadline } from "./deadline.js";
import type { ListOptions } from "./options.js";

/** Which objects, and which of their columns. */
export interface TableOptions extends ListOptions {
  /** Only this object. */
  readonly name?: string;
  /** Also columns that are only of interest sometimes. @default false */
  readonly wide?: boolean;
  /** Rows with the labels of their objects. @default false */
  readonly labels?: boolean;
}

/** Objects as printed columns. */
export interface Table {
  /** In the order of the cells. */
  readonly columns: readonly { readonly name: string; readonly type: string; readonly description: string }[];
  /** One for each object, in the order of lists. */
  readonly rows: readonly {
    readonly namespace: string;
    readonly name: string;
    /** One for each column. */
    readonly cells: readonly string[];
    /** Empty unless they were asked for. */
    readonly labels: Readonly<Record<string, string>>;
  }[];
}

/** All pages as one table. @throws IkadaError as `Client.table` */
export async function fetchTable(calls: Calls, list: ikada.api.v1.IListRequest, options: TableOptions): Promise<Table> {
  const { name = "", wide = false, labels = false } = options;
  const whole = new Deadline(options);
  const rows: Table["rows"][number][] = [];
  // The token of a page carries the revision.
  const nextList = { ...list, revision: 0, match: 0 };
  for (let next = ""; ;) {
    const page = next === "" ? list : Object.assign(nextList, { continue: next });
    const answer = await calls.unary(apiMethods.table, { list: page, name, wide, labels }, whole.rest());
    for (const { namespace, name: object, cells, labels: own } of answer.rows)
      rows.push({ namespace: namespace ?? "", name: object ?? "", cells: cells ?? [], labels: own ?? {} });
    next = answer.continue;
    if (next !== "") continue;
    const columns = answer.columns.map(({ name: title, type, description }) => ({
      name: title ?? "",
      type: type ?? "",
      description: description ?? "",
    }));
    return { columns, rows };
  }
}

import { ikada } from "#proto/api.js";
import type { KindDefinition } from "../../api/kind.js";
import type { AnyObject } from "../../api/object.js";
import { columnsOf } from "../../api/table.js";
import { IkadaError } from "../../base/errors.js";
import type { Call } from "../listener.js";
import type { Store } from "../../../store/store.js";
import { getObject } from "./get.js";
import { columnToWire } from "./kinds.js";
import { listObjects } from "./list.js";
import { findRequestedKind } from "./requested-kind.js";

/**
 * Objects as printed columns, so that those who only print need neither the objects, which have many times
 * the bytes, nor their kind's columns. Who may not read an object may not read its row. @throws IkadaError as get and list
 */
export async function tableOfObjects(
  store: Store,
  request: ikada.api.v1.TableRequest,
  call: Call,
): Promise<ikada.api.v1.ITableResponse> {
  if (!request.list) throw new IkadaError("BadRequest", "a table is of a list; name at least its kind");
  const list = ikada.api.v1.ListRequest.create(request.list);
  const kind = findRequestedKind(list);
  const { wide, labels } = request;
  const columns = columnsOf(kind, { wide });
  const page =
    request.name === "" ? await listObjects(store, list, call) : await single(store, kind, list, request.name, call);
  const now = Date.now();
  const rows: ikada.api.v1.ITableRow[] = [];
  for (const { json } of page.objects ?? []) {
    const object = JSON.parse(new TextDecoder().decode(json ?? new Uint8Array())) as AnyObject;
    const { namespace = "", name, labels: own = {} } = object.metadata;
    const cells = columns.map((column) => column.cell(object, now));
    rows.push({ namespace, name, cells, labels: labels ? { ...own } : {} });
  }
  return { columns: columns.map(columnToWire), rows, revision: page.revision ?? 0, continue: page.continue ?? "" };
}

async function single(
  store: Store,
  { group, version, kind }: KindDefinition,
  list: ikada.api.v1.ListRequest,
  name: string,
  call: Call,
): Promise<ikada.api.v1.IListResponse> {
  const { namespace, local, revision, match } = list;
  const reference = { group, version, kind, namespace, name };
  const get = ikada.api.v1.GetRequest.create({ reference, local, revision, match });
  const { object } = await getObject(store, get, call);
  return { objects: object ? [object] : [] };
}
